"""An HTML page that needs nothing else."""

import os
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path

from skel_eval._files import write_atomically
from skel_eval.draw.skeleton import SIDES, Skeleton


def page(title: str, subtitle: str, head: str, sections: Iterable[tuple[str, str]]) -> str:
    """A page with its style and script inside, light or dark as the reader has it.

    Args:
        title: Headline.
        subtitle: One line below it, or empty.
        head: HTML above the sections.
        sections: Name and HTML of each; those without HTML are left out.
    """
    shown = [(name, body) for name, body in sections if body]
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name, _ in shown)
    navigation = f"<nav>{links}</nav>" if len(shown) > 1 else ""
    bodies = "".join(
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{body}</section>' for name, body in shown
    )
    return document(title, subtitle, head + navigation, bodies)


def document(title: str, subtitle: str, head: str, main: str) -> str:
    """The frame of every page: style, headline and script around its HTML."""
    below = f'<p class="subtitle">{escape(subtitle)}</p>' if subtitle else ""
    assets = files("skel_eval.report")
    style, script = (assets.joinpath(f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{below}{head}</header>"
        f"<main>{main}</main><script>{script}</script></body></html>\n"
    )


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write a page, whole or not at all; an existing one is replaced, its folder must exist."""
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder of the page does not exist: {target.parent}")
    write_atomically(target, lambda file: file.write(text.encode()))
    return target


def percent(value: float | None, std: float | None = None) -> str:
    """A metric for the eye, such as 79.8 % or 79.8 ± 0.4 %."""
    if value is None or not -float("inf") < value < float("inf"):
        return "–"
    return f"{100 * value:.1f}{'' if std is None else f' ± {100 * std:.1f}'} %"


def bar(value: float, colour: str = "") -> str:
    """A bar for a metric between 0 and 1, as a cell of a table."""
    width = 100 * min(max(value, 0.0), 1.0) if value == value else 0.0
    hue = f";background:{colour}" if colour else ""
    return (
        '<td class="track-cell"><span class="track">'
        f'<span class="fill" style="width:{width:.1f}%{hue}"></span></span></td>'
    )


def film(body: str, skeleton: Skeleton, frames: int, seconds: float, fps: float | None = None) -> str:
    """Moving figures below one button and one slider that move all of them, and the colours of the sides.

    Args:
        body: HTML with figures of `motion_svg`.
        skeleton: Whose sides are named.
        frames: Steps of the slider.
        seconds: Duration of the motion.
        fps: Frames per second, to tell the time; None tells none.
    """
    pace = f'data-seconds="{seconds:g}"' + ("" if fps is None else f' data-fps="{fps:g}"')
    names = (SIDES[side] for side in sorted(set(skeleton.sides) - {0}))
    sides = "".join(f'<b style="color:var(--side-{name})">{name}</b> ' for name in names)
    return (
        f'<div class="film"><div class="player"><div class="controls" {pace} hidden>'
        f'<button type="button">Pause</button><input type="range" min="0" max="{max(frames - 1, 0)}" '
        f'value="0" aria-label="Time"><output></output></div><div>{sides}</div></div>{body}</div>'
    )


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
