import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import skel_eval

BONES = [(0, 0), (1, 0), (2, 1)]


def walk(frames=20, bodies=1):
    clip = np.random.default_rng(0).normal(size=(3, frames, 3, bodies))
    clip[:, :, 0] = 0  # centred on joint 0
    return clip


def drawn(svg):
    """Number of figures, bones and joints."""
    labels = len(re.findall("<text", svg))
    return labels, sum(path.count("L") for path in re.findall(r'd="([^"]*)"', svg)), svg.count("h0")


@pytest.mark.parametrize("bodies", [1, 2])
def test_strip_draws_every_bone_of_every_body(bodies):
    svg = skel_eval.strip_svg(walk(bodies=bodies), BONES, 5)
    ElementTree.fromstring(svg)  # noqa: S314
    assert drawn(svg) == (5, 5 * bodies * 2, 5 * bodies * 3)


def test_strip_absent_bodies_and_missing_joints():
    clip = walk(bodies=2)
    clip[..., 1] = 0
    assert drawn(skel_eval.strip_svg(clip, BONES, 4)) == (4, 8, 12)
    clip[:, :, 2] = 0  # now two joints are always zero, so neither is the origin
    assert drawn(skel_eval.strip_svg(clip, BONES, 4)) == (4, 0, 4)
    clip = walk()
    clip[:, 10:] = 0  # padding
    svg = skel_eval.strip_svg(clip, BONES, 4)
    assert re.findall(r">(\d+)</text>", svg) == ["0", "3", "6", "9"]
    assert drawn(skel_eval.strip_svg(np.zeros((3, 5, 3, 1)), BONES)) == (0, 0, 0)


def test_strip_centred_on_its_first_frame():
    clip = np.random.default_rng(0).normal(size=(3, 6, 3, 1))
    clip[:, :, 0] = np.arange(6)[:, None] / 100  # starts at the origin and moves on slowly
    assert drawn(skel_eval.strip_svg(clip, BONES, 6)) == (6, 12, 18)
    clip[:, 3, 2] = 0  # far from the origin before and after
    assert drawn(skel_eval.strip_svg(clip, BONES, 6)) == (6, 11, 17)
    clip[:, 0, 2] = 0  # now two joints are at zero in the first frame, so neither is its origin
    assert drawn(skel_eval.strip_svg(clip, BONES, 6)) == (6, 9, 15)


def test_strip_up():
    clip = np.ones((2, 1, 2, 1))
    clip[1, 0, 1] = 5  # joint 1 is high up
    for up in (True, False):
        svg = skel_eval.strip_svg(clip, [(1, 0)], up=up)
        first, second = (float(y) for y in re.findall(r"\d+\.\d (\d+\.\d)h0", svg))
        assert (second < first) == up


def test_strip_takes_two_channels_and_stays_inside():
    clip = 1e4 * np.random.default_rng(0).normal(size=(2, 9, 6, 1)) + 1e5
    root = ElementTree.fromstring(skel_eval.strip_svg(clip, [(1, 0)], standalone=True))  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    width, height = float(root.get("width")), float(root.get("height"))
    text = ElementTree.tostring(root, encoding="unicode")
    places = [(float(x), float(y)) for x, y in re.findall(r"(-?\d+\.\d) (-?\d+\.\d)h0", text)]
    assert len(places) == 8 * 6
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places)


def test_strip_more_frames_than_there_are():
    assert drawn(skel_eval.strip_svg(walk(frames=3), BONES, 8))[0] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip": np.zeros((3, 4, 5))}, r"clip must have shape \(C, T, V, M\)"),
        ({"bones": [(0, 3)]}, "bones must name joints 0..2"),
        ({"frames": 0}, "frames must be at least 1"),
        ({"axes": (0, 3)}, "axes must lie in 0..2"),
    ],
)
def test_strip_errors(change, message):
    with pytest.raises(ValueError, match=message):
        skel_eval.strip_svg(**({"clip": walk(), "bones": BONES} | change))
