"""Stick figures as GIF and PNG, by Pillow."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from skel_eval.draw.points import Points, aspect, fit, strip
from skel_eval.draw.skeleton import COLOURS, SHADES, SIDES, Skeleton

PAPER, INK, FAINT = "#ffffff", "#28282e", "#787880"
_FINE = 3  # drawn larger by this factor and then reduced, which smooths the edges
_MARGIN, _HEADER, _LINE = 14, 34, 20
_MOVIE, _STRIP = 240, 150  # heights of the panels
_LEVELS = 12  # steps between a colour and paper in the palette
_SHORTEST = 2  # hundredths of a second that a GIF's frame stays: viewers do not heed less


def write_png(
    file: BinaryIO, title: str, clips: Mapping[str, Points], skeleton: Skeleton, *, frames: int = 10
) -> None:
    """Write clips as strips of stick figures, one below the other.

    Args:
        file: Where to.
        title: Headline.
        clips: Points (T, M, V, 2) by title, as from `clip_points`.
        skeleton: Bones and sides of all clips.
        frames: Figures in each strip.

    Raises:
        ValueError: If `frames` is below 1, or the skeleton does not fit the points.
    """
    strips = [strip(points, frames, _STRIP) for points in clips.values()]
    panel = max(max(each.width for each in strips) + 18, 48.0)
    width = 2 * _MARGIN + max(round(panel * max(len(each.times) for each in strips)), 320)
    row = _STRIP + 2 * _LINE + _MARGIN
    image = _sheet((width, _HEADER + row * len(clips) + _MARGIN // 2), title, skeleton)
    write = ImageDraw.Draw(image)
    for index, (name, each) in enumerate(zip(clips, strips, strict=True)):
        top = _HEADER + row * index
        _text(write, (_MARGIN, top), name, width - 2 * _MARGIN)
        middles = _MARGIN + panel * (np.arange(len(each.times)) + 0.5)
        figures = each.points + np.stack([middles, np.full(len(middles), 8.0)], 1)[:, None, None]
        image.paste(_figures(figures, (width, _STRIP + 16), skeleton, _STRIP), (0, top + _LINE))
        for middle, time in zip(middles, each.times, strict=True):
            spot = (float(middle), top + _LINE + _STRIP + 14)
            write.text(spot, str(time), FAINT, _font(11), anchor="ma")
    image.quantize(palette=_palette(clips), dither=Image.Dither.NONE).save(file, "PNG", optimize=True)


def write_gif(
    file: BinaryIO, title: str, clips: Mapping[str, Points], skeleton: Skeleton, *, fps: float = 30.0
) -> None:
    """Write clips as an animation, side by side, at the pace of the first.

    Clips with another number of frames are spread over the same time. A pace that GIF cannot hold is kept by
    leaving frames out.

    Args:
        file: Where to.
        title: Headline.
        clips: Points (T, M, V, 2) by title, as from `clip_points`.
        skeleton: Bones and sides of all clips.
        fps: Frames of the first clip per second.

    Raises:
        ValueError: If the skeleton does not fit the points.
    """
    length = len(next(iter(clips.values())))
    last = max(1.0, 100 * length / fps)  # in hundredths of a second, which GIF counts in
    count = max(1, min(length, int(last / _SHORTEST)))
    durations = (np.diff(np.linspace(0, last, count + 1).round()) * 10).astype(int).tolist()
    pictures = _pictures(title, clips, skeleton, count)
    first = next(pictures)
    first.save(file, "GIF", save_all=True, append_images=pictures, duration=durations, loop=0, disposal=1)


def _pictures(
    title: str, clips: Mapping[str, Points], skeleton: Skeleton, count: int
) -> Iterator[Image.Image]:
    rows = -(-len(clips) // 4)
    columns = -(-len(clips) // rows)
    width = round(_MOVIE * max(aspect(points) for points in clips.values()))
    cell, height = width + 2 * _MARGIN, _MOVIE + 2 * _MARGIN
    row = height + 2 * _LINE
    sheet = _sheet((columns * cell, _HEADER + rows * row), title, skeleton)
    corners = [(index % columns * cell, _HEADER + index // columns * row) for index in range(len(clips))]
    write = ImageDraw.Draw(sheet)
    for (left, top), name in zip(corners, clips, strict=True):
        _text(write, (left + _MARGIN, top), name, width + _MARGIN)
    placed = [fit(points, cell, height, _MARGIN) for points in clips.values()]
    palette = _palette(clips)
    for picture_index in range(count):
        picture = sheet.copy()
        write = ImageDraw.Draw(picture)
        for (left, top), points in zip(corners, placed, strict=True):
            frame = picture_index * len(points) // count
            figures = _figures(points[frame : frame + 1], (cell, height), skeleton, _MOVIE)
            picture.paste(figures, (left, top + _LINE))
            spot = (left + _MARGIN, top + _LINE + height)
            write.text(spot, f"frame {frame}", FAINT, _font(11), anchor="la")
        yield picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _figures(figures: Points, size: tuple[int, int], skeleton: Skeleton, height: int) -> Image.Image:
    """Figures (F, M, V, 2) on paper of this size; `height`, that of a figure, decides the thickness."""
    image = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), PAPER)
    draw = ImageDraw.Draw(image)
    bone, joint = round(max(1.6, height / 70) * _FINE), max(1.4, height / 90) * _FINE
    sides = skeleton.by_side(figures.shape[2])
    for figure in figures * _FINE:
        for body in reversed(range(len(figure))):  # further bodies lie under the first
            spots = [None if np.isnan(x) else (x, y) for x, y in figure[body].tolist()]
            for colour, (bones, joints) in zip(COLOURS, sides, strict=True):
                pale = shade(colour, body)
                for child, parent in bones:
                    ends = spots[child], spots[parent]
                    if ends[0] is not None and ends[1] is not None:
                        draw.line([ends[0], ends[1]], pale, bone)
                for x, y in (spot for place in joints if (spot := spots[place]) is not None):
                    draw.ellipse((x - joint, y - joint, x + joint, y + joint), pale)
    return image.reduce(_FINE)


def shade(colour: str, body: int) -> tuple[int, ...]:
    """The colour of a body: further ones are nearer to paper."""
    strength = SHADES[body % len(SHADES)]
    return tuple(round(255 + (part - 255) * strength) for part in ImageColor.getrgb(colour))


def _palette(clips: Mapping[str, Points]) -> Image.Image:
    """All colours that are drawn with, in steps to paper: one palette, so that no colour flickers."""
    bodies = range(max(points.shape[1] for points in clips.values()))
    drawn = {shade(colour, body) for colour in COLOURS for body in bodies} | {shade(INK, 0), shade(FAINT, 0)}
    steps = np.linspace(0, 1, _LEVELS)[:, None]
    table = np.concatenate([255 + (np.array(colour) - 255) * steps for colour in sorted(drawn)])
    image = Image.new("P", (1, 1))
    image.putpalette(table.round().astype(np.uint8).tobytes())
    return image


def _sheet(size: tuple[int, int], title: str, skeleton: Skeleton) -> Image.Image:
    """Paper with the headline, and the names of the sides in their colours."""
    image = Image.new("RGB", size, PAPER)
    write = ImageDraw.Draw(image)
    room = float(size[0] - _MARGIN)
    for side in sorted(set(skeleton.sides) - {0}, reverse=True):
        write.text((room, 10), SIDES[side], COLOURS[side], _font(13), anchor="ra")
        room -= write.textlength(SIDES[side], _font(13)) + 10
    _text(write, (_MARGIN, 8), title, room - _MARGIN - 8, 15)
    return image


def _text(
    write: ImageDraw.ImageDraw, spot: tuple[float, float], text: str, room: float, size: int = 13
) -> None:
    """A line of text, cut where there is no more room."""
    font, whole = _font(size), text
    while text and write.textlength(text if text == whole else text + "...", font) > room:
        text = text[:-1]
    write.text(spot, text if text == whole else text + "...", INK, font)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
