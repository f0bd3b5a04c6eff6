import io

import numpy as np
import pytest
from PIL import Image

from skel_eval import Skeleton, write_gif, write_png
from skel_eval.draw.image import shade
from skel_eval.draw.skeleton import COLOURS

ARMS = Skeleton([(1, 0), (2, 0)], [0, 1, 2])
MIDDLE, LEFT, RIGHT = COLOURS


def arms(frames=8, bodies=1):
    """A neck with hands to both sides, the left one moving up, (T, M, V, 2)."""
    points = np.tile(np.array([[1.0, -2.0], [0.4, -1.5], [1.6, -1.5]]), (frames, bodies, 1, 1))
    points[:, :, 1, 1] -= np.linspace(0, 0.8, frames)[:, None]
    points[..., 0] += 2 * np.arange(bodies)[:, None]
    return points


def painted(write, clips, skeleton=ARMS, **settings):
    file = io.BytesIO()
    write(file, "x", clips, skeleton, **settings)
    return Image.open(file)


def pixels(image, colour, body=0):
    """Number of pixels that have about this colour."""
    return int((np.abs(np.asarray(image.convert("RGB"), int) - shade(colour, body)).sum(-1) < 12).sum())


@pytest.mark.parametrize(("frames", "fps", "kept"), [(68, 30, 68), (68, 12.5, 68), (68, 100, 34), (1, 30, 1)])
def test_gif_keeps_the_pace(frames, fps, kept):
    image = painted(write_gif, {"clip": arms(frames), "other": arms(5)}, fps=fps)
    assert image.format == "GIF"
    assert image.n_frames == kept
    took = []
    for frame in range(image.n_frames):
        image.seek(frame)
        took.append(image.info["duration"])
    assert sum(took) == pytest.approx(1000 * frames / fps, abs=5)
    assert min(took) >= 20


def test_gif_has_the_colours_in_every_frame():
    image = painted(write_gif, {"clip": arms(4, bodies=2)})
    for frame in range(image.n_frames):
        image.seek(frame)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert all(pixels(image, colour) > 20 for colour in (LEFT, RIGHT))
        assert all(pixels(image, colour, 1) > 20 for colour in (LEFT, RIGHT))


def test_png_has_a_row_for_each_clip_and_a_column_for_each_figure():
    clips = {str(index): arms() for index in range(4)}
    (width, one), (_, two), (_, four) = (
        painted(write_png, dict(list(clips.items())[:n]), frames=4).size for n in (1, 2, 4)
    )
    assert four - two == 2 * (two - one) > 300
    assert painted(write_png, {"a": arms()}, frames=8).size[0] > 1.5 * width


def test_bodies_have_shades():
    image = painted(write_png, {"": arms(1, bodies=2)}, frames=1)
    assert pixels(image, LEFT, 1) > 20
    alone = painted(write_png, {"": arms(1)}, frames=1)
    assert pixels(alone, MIDDLE) > 0
    assert pixels(alone, LEFT, 1) < 5
    assert len({shade(LEFT, body) for body in range(4)}) == 4


def test_missing_joints_are_not_drawn():
    before, after = arms(1), arms(1)
    after[:, :, 1] = np.nan
    whole, part, nothing = (
        painted(write_png, {"": points}, frames=1)
        for points in (before, after, np.full((1, 1, 3, 2), np.nan))
    )
    assert pixels(part, LEFT) == pixels(nothing, LEFT) < pixels(whole, LEFT)  # the legend stays
    assert pixels(part, RIGHT) > pixels(nothing, RIGHT)


def test_clip_without_a_body():
    nothing = np.full((3, 1, 3, 2), np.nan)
    assert painted(write_gif, {"": nothing}).n_frames >= 1
    assert painted(write_png, {"": nothing}).size[0] >= 320


def test_a_skeleton_without_sides_has_one_colour():
    image = painted(write_png, {"": arms(1)}, Skeleton(ARMS.bones), frames=1)
    assert pixels(image, MIDDLE) > 50
    assert pixels(image, LEFT) == pixels(image, RIGHT) == 0


def test_long_titles_are_cut():
    painted(write_png, {"long " * 99: arms(1)}, frames=1)


@pytest.mark.parametrize("write", [write_gif, write_png])
def test_errors(write):
    with pytest.raises(ValueError, match="bones must name joints 0..2"):
        painted(write, {"": arms()}, Skeleton([(3, 0)]))
