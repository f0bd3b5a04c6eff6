import base64
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from skel_eval import Skeleton, clip_points, motion_svg, strip_svg
from skel_eval.draw.svg import motion

BONES = Skeleton([(0, 0), (1, 0), (2, 1)])


def walk(frames=20, bodies=1):
    clip = np.random.default_rng(0).normal(size=(3, frames, 3, bodies))
    clip[:, :, 0] = 0  # centred on joint 0
    return clip_points(clip)


def drawn(svg):
    """Number of figures, bones and joints."""
    labels = len(re.findall("<text", svg))
    return labels, sum(path.count("L") for path in re.findall(r' d="([^"]*)"', svg)), svg.count("h0")


# strips


@pytest.mark.parametrize("bodies", [1, 2])
def test_strip_draws_every_bone_of_every_body(bodies):
    svg = strip_svg(walk(bodies=bodies), BONES, 5)
    ElementTree.fromstring(svg)  # noqa: S314
    assert drawn(svg) == (5, 5 * bodies * 2, 5 * bodies * 3)


def test_strip_leaves_out_what_is_missing():
    points = walk(bodies=2)
    points[:, 1] = np.nan
    assert drawn(strip_svg(points, BONES, 4)) == (4, 8, 12)
    points[:, :, 1] = np.nan  # between the two others
    assert drawn(strip_svg(points, BONES, 4)) == (4, 0, 8)
    points[10:] = np.nan  # padding
    assert re.findall(r">(\d+)</text>", strip_svg(points, BONES, 4)) == ["0", "3", "6", "9"]
    assert drawn(strip_svg(points[10:], BONES)) == (0, 0, 0)


def test_strip_up():
    points = np.array([[[[1.0, 0.0], [1.0, -5.0]]]])  # joint 1 is high up
    first, second = (float(y) for y in re.findall(r"M\S+ (\S+?)h0", strip_svg(points, Skeleton([(1, 0)]))))
    assert second < first


def test_strip_stays_inside():
    points = 1e4 * np.random.default_rng(0).normal(size=(9, 1, 6, 2)) + 1e5
    root = ElementTree.fromstring(strip_svg(points, Skeleton([(1, 0)])))  # noqa: S314
    width, height = float(root.get("width")), float(root.get("height"))
    text = ElementTree.tostring(root, encoding="unicode")
    spots = [(float(x), float(y)) for x, y in re.findall(r"M(\S+) (\S+?)h0", text)]
    assert len(spots) == 8 * 6
    assert all(0 <= x <= width and 0 <= y <= height for x, y in spots)


def test_errors():
    for draw in (strip_svg, motion_svg):
        with pytest.raises(ValueError, match="bones must name joints 0..2"):
            draw(walk(), Skeleton([(0, 3)]))
        with pytest.raises(ValueError, match="frames must be at least 1"):
            draw(walk(), BONES, 0)


# colours


@pytest.mark.parametrize("draw", [strip_svg, motion_svg])
def test_sides_have_colours_and_further_bodies_are_paler(draw):
    svg = draw(walk(bodies=2), Skeleton([(1, 0), (2, 0)], [0, 1, 2]))
    second, first = re.findall(r"<g fill.*?</g>", svg)
    assert ('opacity="0.5"' in second, "opacity" in first) == (True, False)
    for group in (first, second):
        assert re.findall(r"--side-(\w+),(#\w+)", group) == [
            ("middle", "#44444c"),  # its joint alone
            *[("left", "#0072b2")] * 2,
            *[("right", "#d55e00")] * 2,
        ]


# motions


def test_svg_holds_the_motion_and_its_middle():
    svg = motion_svg(walk(bodies=2), BONES, 9, title="<a>", ratio=1)
    root = ElementTree.fromstring(svg)  # noqa: S314
    assert root[0].text == "<a>"
    assert (root.get("data-bodies"), root.get("data-frames")) == ("2", "9")
    frames = np.frombuffer(base64.b64decode(root.get("data-motion")), np.uint8).reshape(9, 2, 3, 2)
    chosen = np.linspace(0, 19, 9).round().astype(int)
    np.testing.assert_array_equal(frames, motion(walk(bodies=2)[chosen]))
    groups = [list(group) for group in root[1:]]
    assert [[path.get("data-bones") for path in group] for group in groups] == [["1 0 2 1", None]] * 2
    assert [[path.get("data-joints") for path in group] for group in groups] == [[None, "0 1 2"]] * 2
    dots = [re.findall(r"M(\d+) (\d+)h0", group[1].get("d")) for group in reversed(groups)]
    assert dots == [[(str(x), str(y)) for x, y in body] for body in frames[4].tolist()]


def test_motion_keeps_the_figure():
    """One scale and place for all frames: the bytes are the coordinates up to rounding."""
    points = 50 + 10 * walk()
    moved = points * 220 / np.ptp(points, axis=(0, 1, 2)).max()
    middle = (moved.max((0, 1, 2)) + moved.min((0, 1, 2))) / 2
    places = motion(points).astype(float)
    np.testing.assert_allclose(places, moved - middle + 120, atol=0.51)
    assert places.min() >= 9
    assert places.max() <= 231
    wide = motion(points * (3, 1), 1.6)
    assert wide.shape == places.shape
    assert (wide.reshape(-1, 2).max(0) <= (230, 140)).all()


def test_missing_joints_and_bodies_of_motions():
    points = walk(bodies=2)
    points[:, 1] = np.nan
    points[3, 0, 2] = np.nan
    places = motion(points[:10])
    assert places.shape == (10, 1, 3, 2)
    assert np.argwhere(places == 255).tolist() == [[3, 0, 2, 0], [3, 0, 2, 1]]
    points[:, 0], points[:, 1] = np.nan, 1.0
    assert motion(points).shape == (20, 2, 3, 2)  # the second keeps its colour
    empty = motion_svg(np.full((5, 1, 3, 2), np.nan), BONES)
    assert 'data-motion=""' in empty
    assert "<path" not in empty


def test_still_clip():
    assert motion(np.ones((4, 1, 3, 2))).tolist() == [[[[120, 120]] * 3]] * 4
