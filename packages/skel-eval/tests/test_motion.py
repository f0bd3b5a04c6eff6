import base64
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from skel_eval._motion import motion, motion_svg

BONES = [(0, 0), (1, 0), (2, 1)]


def walk(frames=20, bodies=1):
    clip = np.random.default_rng(0).normal(size=(3, frames, 3, bodies))
    clip[:, :, 0] = 0  # centred on joint 0
    return clip


def test_svg_holds_the_motion_and_its_middle():
    svg = motion_svg(walk(bodies=2), BONES, 9, title="<a>")
    root = ElementTree.fromstring(svg)  # noqa: S314
    assert root.get("aria-label") == "<a>"
    assert root.get("data-bones") == "1 0 2 1"
    joints, bodies = int(root.get("data-joints")), int(root.get("data-bodies"))
    frames = np.frombuffer(base64.b64decode(root.get("data-motion")), np.uint8).reshape(9, bodies, joints, 2)
    np.testing.assert_array_equal(frames, motion(walk(bodies=2), BONES, 9))
    dots = [path.get("d") for path in root if path.get("class") == "joint"]
    assert [re.findall(r"M(\d+) (\d+)h0", d) for d in dots] == [
        [(str(x), str(y)) for x, y in body] for body in frames[4].tolist()
    ]
    assert len(dots) == bodies == 2


def test_motion_keeps_the_figure():
    """One scale and place for all frames: the bytes are the coordinates up to rounding."""
    clip = 50 + 10 * walk()
    places = motion(clip, BONES, 20).astype(float)
    flat = np.stack([clip[0], -clip[1]], -1).transpose(0, 2, 1, 3)  # frames, bodies, joints, 2
    scale = 220 / np.ptp(flat, axis=(0, 1, 2)).max()
    moved = flat * scale
    middle = (moved.max((0, 1, 2)) + moved.min((0, 1, 2))) / 2
    np.testing.assert_allclose(places, moved - middle + 120, atol=0.51)
    assert places.min() >= 9
    assert places.max() <= 231


def test_missing_joints_and_bodies():
    clip = walk(bodies=2)
    clip[..., 1] = 0
    clip[:, 3, 2, 0] = 0
    clip[:, 10:] = 0  # padding
    places = motion(clip, BONES, 20)
    assert places.shape == (10, 1, 3, 2)
    assert (places == 255).all(-1).sum() == 1
    assert (places[3, 0, 2] == 255).all()
    empty = motion_svg(np.zeros((3, 5, 3, 1)), BONES)
    assert 'data-motion=""' in empty
    assert "<path" not in empty


def test_still_clip_and_two_channels():
    assert motion(np.ones((2, 4, 3, 1)), BONES, 8).tolist() == [[[[120, 120]] * 3]] * 4


def test_errors():
    with pytest.raises(ValueError, match=r"clip must have shape \(C, T, V, M\)"):
        motion_svg(np.zeros((3, 4, 5)), BONES)
    with pytest.raises(ValueError, match="bones must name joints 0..2"):
        motion_svg(walk(), [(0, 3)])
