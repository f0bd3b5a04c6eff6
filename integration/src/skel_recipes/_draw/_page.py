"""HTML: one file that needs nothing else."""

import json
from collections.abc import Sequence
from html import escape

import numpy as np

from skel_data import SkeletonLayout
from skel_recipes._draw._place import aspect, fit, strip
from skel_recipes._draw._sides import SHADES, SIDES, TRUNK
from skel_recipes._draw._stage import Floats, Stage

_MOVIE, _STRIP, _MARGIN = 300, 150, 10

_STYLE = """
:root{--trunk:#44444c;--left:#0072b2;--right:#d55e00;--faint:#8884;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--trunk:#c6c6ce;--left:#56b4e9;--right:#f0894a}}
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem 2rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:0 0 .4rem}
#bar{position:sticky;top:0;z-index:1;background:Canvas;padding:.6rem 0;
display:flex;gap:.8rem;align-items:center}
#bar[hidden]{display:none}#bar button{min-width:4.5rem;font:inherit}#bar input{flex:1;max-width:34rem}
#bar span{font-variant-numeric:tabular-nums}
section{margin:1rem 0;padding:.8rem 0 0;border-top:1px solid var(--faint);display:grid;
grid-template-columns:auto minmax(0,1fr);gap:.2rem 1.5rem;align-items:center}
section h2{grid-column:1/-1}
.movie{height:260px;border:1px solid var(--faint);border-radius:6px}.strip{overflow-x:auto}
svg{display:block;fill:none;stroke-linecap:round}
.trunk{stroke:var(--trunk)}.left{stroke:var(--left)}.right{stroke:var(--right)}
b.left{color:var(--left)}b.right{color:var(--right)}
text{fill:currentColor;fill-opacity:.6;font-size:11px;text-anchor:middle}
@media(max-width:50rem){section{grid-template-columns:minmax(0,1fr)}}
"""

# Position is a frame of the recording; stages with another number of frames are spread over the same time.
_SCRIPT = """
const clip = JSON.parse(document.getElementById("clip").textContent);
const movies = [...document.querySelectorAll(".movie")];
const [bar, button, slider, told] = ["bar", "play", "time", "told"].map(id => document.getElementById(id));
const last = clip.length - 1;
let position = 0, playing = false, before = null;

function draw() {
  const frame = Math.min(last, Math.floor(position));
  slider.value = frame;
  told.textContent = `frame ${frame}, ${(frame / clip.fps).toFixed(2)} s`;
  slider.setAttribute("aria-valuetext", told.textContent);
  movies.forEach((movie, stage) => {
    const frames = clip.stages[stage];
    const bodies = frames[Math.round(frame / Math.max(last, 1) * (frames.length - 1))];
    movie.querySelectorAll("g").forEach((group, body) => {
      const at = joint => bodies[body].slice(2 * joint, 2 * joint + 2);
      const seen = joint => bodies[body][2 * joint] !== null;
      group.querySelectorAll("path").forEach((path, index) => {
        const side = index >> 1;
        path.setAttribute("d", index % 2
          ? clip.joints[side].filter(seen).map(j => `M${at(j)}h0`).join("")
          : clip.bones[side].filter(bone => bone.every(seen)).map(([a, b]) => `M${at(a)}L${at(b)}`).join(""));
      });
    });
  });
}
function step(now) {
  if (!playing) return;
  if (before !== null) position = (position + (now - before) / 1000 * clip.fps) % clip.length;
  before = now;
  draw();
  requestAnimationFrame(step);
}
function play(on) {
  if (on && !playing) requestAnimationFrame(step);
  playing = on;
  before = null;
  button.textContent = on ? "Pause" : "Play";
}
button.onclick = () => play(!playing);
slider.oninput = () => { play(false); position = +slider.value; draw(); };
bar.hidden = false;
draw();
play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
"""


def page(heading: str, layout: SkeletonLayout, stages: Sequence[Stage], *, frames: int, fps: float) -> str:
    """A page with each stage as an animation and as a strip; one bar of controls moves all animations.

    Without scripts the strips remain, and the first frame of each animation.

    Args:
        heading: What the clip is.
        layout: The joints.
        stages: What is drawn.
        frames: Figures in each strip.
        fps: Frames of the first stage per second.
    """
    of_joint, of_bone = layout.sides, layout.bone_sides
    joints = [[joint for joint, of in enumerate(of_joint) if of == side] for side in range(len(SIDES))]
    bones = [
        [bone for bone, of in zip(layout.bones, of_bone, strict=True) if of == side]
        for side in range(len(SIDES))
    ]
    sections, moving = [], []
    width = round(_MOVIE * max(aspect(stage.points) for stage in stages))
    for stage in stages:
        points = fit(stage.points, width, _MOVIE) + _MARGIN
        title = escape(stage.title)
        size = f"{width + 2 * _MARGIN} {_MOVIE + 2 * _MARGIN}"
        sections.append(
            f'<section><h2>{title}</h2><svg class="movie" role="img" viewBox="0 0 {size}" '
            f'aria-label="{title}, moving">{_figure(points[0], bones, joints, 4)}</svg>'
            f'<div class="strip" tabindex="0" role="group" aria-label="{title}, frame by frame">'
            f"{_strip(stage, bones, joints, frames)}</div></section>"
        )
        moving.append(_plain(points))
    length = len(stages[0].points)
    data = {"length": length, "fps": fps, "stages": moving, "bones": bones, "joints": joints}
    sides = sorted(set(of_joint) - {TRUNK})
    legend = " ".join(f'<b class="{SIDES[side]}">{SIDES[side]}</b>' for side in sides)
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(heading)}</title><style>{_STYLE}</style><h1>{escape(heading)}</h1>"
        '<div id="bar" hidden><button id="play" type="button">Pause</button>'
        f'<input id="time" type="range" min="0" max="{length - 1}" value="0" aria-label="Time">'
        f'<span id="told"></span>{legend}</div>{"".join(sections)}'
        f'<script type="application/json" id="clip">{json.dumps(data, separators=(",", ":"))}</script>'
        f"<script>{_SCRIPT}</script></html>\n"
    )


def _strip(stage: Stage, bones: list[list[tuple[int, int]]], joints: list[list[int]], frames: int) -> str:
    """Figures side by side, with the numbers of their frames below."""
    shown = strip(stage.points, frames, _STRIP)
    panel = shown.width + 14
    width, height = round(panel * max(len(shown.times), 1)), _STRIP + 30
    figures = []
    for place, (time, points) in enumerate(zip(shown.times, shown.points, strict=True)):
        middle = panel * (place + 0.5)
        figures.append(
            f'<g transform="translate({middle:.1f} 6)">{_figure(points, bones, joints, 2.2)}'
            f'<text y="{_STRIP + 20}">{time}</text></g>'
        )
    return (
        f'<svg role="img" aria-label="{escape(stage.title)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(figures)}</svg>'
    )


def _figure(points: Floats, bones: list[list[tuple[int, int]]], joints: list[list[int]], thick: float) -> str:
    """The bodies (M, V, 2) of one frame: a group for each, with bones and joints of each side."""
    groups = []
    for place, body in enumerate(points):
        seen = ~np.isnan(body[:, 0])
        text = [f"{x:.1f},{y:.1f}" for x, y in body.tolist()]
        paths = []
        for side, name in enumerate(SIDES):
            lines = "".join(f"M{text[a]}L{text[b]}" for a, b in bones[side] if seen[a] and seen[b])
            dots = "".join(f"M{text[joint]}h0" for joint in joints[side] if seen[joint])
            paths.append(f'<path class="{name}" stroke-width="{thick}" d="{lines}"/>')
            paths.append(f'<path class="{name}" stroke-width="{1.8 * thick:.1f}" d="{dots}"/>')
        groups.append(f'<g opacity="{SHADES[place % len(SHADES)]}">{"".join(paths)}</g>')
    return "".join(groups)


def _plain(points: Floats) -> list[list[list[int | None]]]:
    """Points (T, M, V, 2) as whole numbers, in a list per frame and body; null where a joint is missing."""
    flat = points.reshape(*points.shape[:2], -1)
    return [
        [[None if np.isnan(value) else round(value) for value in body] for body in frame]
        for frame in flat.tolist()
    ]
