"""GIF and PNG, by Pillow."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skel_data import SkeletonLayout
from skel_recipes._draw._place import aspect, fit, strip
from skel_recipes._draw._sides import SHADES, SIDES, TRUNK
from skel_recipes._draw._stage import Floats, Stage

PAPER, INK, FAINT = (255, 255, 255), (40, 40, 46), (120, 120, 128)
COLOURS = ((68, 68, 76), (0, 114, 178), (213, 94, 0))
"""Colours of trunk, left and right: ones that stay apart for colour-blind eyes."""
_FINE = 3  # drawn so many times larger and then reduced, which smooths the edges
_MARGIN, _HEADER, _LINE = 14, 34, 20
_MOVIE, _STRIP = 240, 150  # heights of the panels
_LEVELS = 12  # steps between a colour and paper in the palette
_SHORTEST = 2  # hundredths of a second that a GIF's frame stays: viewers do not heed less

Colour = tuple[int, int, int]


def png(file: BinaryIO, heading: str, layout: SkeletonLayout, stages: Sequence[Stage], frames: int) -> None:
    """Write a strip of figures for each stage, one below the other.

    Args:
        file: Where to.
        heading: What the clip is.
        layout: The joints.
        stages: What is drawn.
        frames: Figures in each strip.
    """
    strips = [strip(stage.points, frames, _STRIP) for stage in stages]
    panel = max(max(each.width for each in strips) + 18, 48.0)
    most = max(len(each.times) for each in strips)
    width = 2 * _MARGIN + max(round(panel * most), 320)
    row = _STRIP + 2 * _LINE + _MARGIN
    image = _sheet(width, _HEADER + row * len(stages) + _MARGIN // 2, heading, layout)
    write = ImageDraw.Draw(image)
    for place, (stage, each) in enumerate(zip(stages, strips, strict=True)):
        top = _HEADER + row * place
        _text(write, (_MARGIN, top), stage.title, width - 2 * _MARGIN, INK)
        middles = _MARGIN + panel * (np.arange(len(each.times)) + 0.5)
        points = each.points + np.stack([middles, np.full(len(middles), 8.0)], 1)[:, None, None]
        image.paste(_figures(points, (width, _STRIP + 16), layout, _STRIP), (0, top + _LINE))
        for middle, time in zip(middles, each.times, strict=True):
            spot = (float(middle), top + _LINE + _STRIP + 14)
            write.text(spot, str(time), FAINT, _font(11), anchor="ma")
    image.quantize(palette=_palette(stages), dither=Image.Dither.NONE).save(file, "PNG", optimize=True)


def gif(file: BinaryIO, heading: str, layout: SkeletonLayout, stages: Sequence[Stage], fps: float) -> None:
    """Write an animation of all stages side by side, at the pace of the first.

    Stages with another number of frames are spread over the same time. A pace that GIF cannot hold is
    kept by leaving frames out.

    Args:
        file: Where to.
        heading: What the clip is.
        layout: The joints.
        stages: What is drawn.
        fps: Frames of the first stage per second.
    """
    length = len(stages[0].points)
    last = max(1.0, 100 * length / fps)  # in hundredths of a second, which GIF counts in
    count = max(1, min(length, int(last / _SHORTEST)))
    stops = np.linspace(0, last, count + 1).round()
    pictures = _pictures(heading, layout, stages, np.arange(count) / max(count - 1, 1))
    first = next(pictures)
    durations = (np.diff(stops) * 10).astype(int).tolist()
    first.save(file, "GIF", save_all=True, append_images=pictures, duration=durations, loop=0, disposal=1)


def _pictures(
    heading: str, layout: SkeletonLayout, stages: Sequence[Stage], moments: Floats
) -> Iterator[Image.Image]:
    """The pictures of an animation at moments from 0, the start, to 1, the end."""
    rows = -(-len(stages) // 4)
    columns = -(-len(stages) // rows)
    width = round(_MOVIE * max(aspect(stage.points) for stage in stages))
    cell, row = width + 2 * _MARGIN, _MOVIE + 2 * _MARGIN + 2 * _LINE
    sheet = _sheet(columns * cell, _HEADER + rows * row, heading, layout)
    corners = [(index % columns * cell, _HEADER + index // columns * row) for index in range(len(stages))]
    write = ImageDraw.Draw(sheet)
    for (left, top), stage in zip(corners, stages, strict=True):
        _text(write, (left + _MARGIN, top), stage.title, width + _MARGIN, INK)
    palette = _palette(stages)
    placed = [fit(stage.points, width, _MOVIE) + _MARGIN for stage in stages]
    for moment in moments:
        picture = sheet.copy()
        write = ImageDraw.Draw(picture)
        for (left, top), points in zip(corners, placed, strict=True):
            frame = round(float(moment) * (len(points) - 1))
            size = (cell, _MOVIE + 2 * _MARGIN)
            picture.paste(_figures(points[frame][None], size, layout, _MOVIE), (left, top + _LINE))
            write.text(
                (left + _MARGIN, top + _LINE + size[1]), f"frame {frame}", FAINT, _font(11), anchor="la"
            )
        yield picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _figures(points: Floats, size: tuple[int, int], layout: SkeletonLayout, height: int) -> Image.Image:
    """Figures (F, M, V, 2) on paper of this size; `height`, that of a figure, decides the thickness."""
    image = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), PAPER)
    draw = ImageDraw.Draw(image)
    bone, joint = max(1.6, height / 70) * _FINE, max(1.4, height / 90) * _FINE
    of_joint, of_bone = layout.sides, layout.bone_sides
    # The trunk lies under the limbs, further bodies under the first
    bones = sorted(zip(of_bone, layout.bones, strict=True), key=lambda item: item[0] != TRUNK)
    joints = sorted(enumerate(of_joint), key=lambda item: item[1] != TRUNK)
    for figure in points * _FINE:
        for body in reversed(range(len(figure))):
            spots = [None if np.isnan(x) else (x, y) for x, y in figure[body].tolist()]
            colours = [shade(colour, body) for colour in COLOURS]
            for side, (child, parent) in bones:
                ends = spots[child], spots[parent]
                if ends[0] is not None and ends[1] is not None:
                    draw.line([ends[0], ends[1]], colours[side], round(bone))
            for place, side in joints:
                spot = spots[place]
                if spot is not None:
                    (x, y), size_ = spot, joint
                    draw.ellipse((x - size_, y - size_, x + size_, y + size_), colours[side])
    return image.reduce(_FINE)


def shade(colour: Colour, body: int) -> Colour:
    """The colour of a further body: nearer to paper."""
    strength = SHADES[body % len(SHADES)]
    red, green, blue = (
        round(paper + (part - paper) * strength) for part, paper in zip(colour, PAPER, strict=True)
    )
    return red, green, blue


def _sheet(width: int, height: int, heading: str, layout: SkeletonLayout) -> Image.Image:
    """Paper with the heading, and the names of the colours if the layout has sides."""
    image = Image.new("RGB", (width, height), PAPER)
    write = ImageDraw.Draw(image)
    room = float(width - _MARGIN)
    present = set(layout.sides) - {TRUNK}
    for side in sorted(present, reverse=True):
        write.text((room, 10), SIDES[side], COLOURS[side], _font(13), anchor="ra")
        room -= write.textlength(SIDES[side], _font(13)) + 10
    _text(write, (_MARGIN, 8), heading, room - _MARGIN - 8, INK, 15)
    return image


def _text(
    write: ImageDraw.ImageDraw,
    spot: tuple[float, float],
    text: str,
    room: float,
    colour: Colour,
    size: int = 13,
) -> None:
    """A line of text, cut where there is no more room."""
    font = _font(size)
    if write.textlength(text, font) > room:
        while text and write.textlength(text + "...", font) > room:
            text = text[:-1]
        text += "..."
    write.text(spot, text, colour, font)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _palette(stages: Sequence[Stage]) -> Image.Image:
    """The colours of a picture: all that are drawn with, in steps to paper."""
    bodies = max(stage.points.shape[1] for stage in stages)
    colours = {shade(colour, body) for colour in COLOURS for body in range(bodies)} | {INK, FAINT}
    steps = np.linspace(0, 1, _LEVELS)[:, None]
    table = np.concatenate(
        [np.array(PAPER) * (1 - steps) + np.array(each) * steps for each in sorted(colours)]
    )
    image = Image.new("P", (1, 1))
    image.putpalette(table.round().astype(np.uint8).tobytes())
    return image
