import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skel_augment import JointMask, Shear, View, preset
from skel_data import PIPELINES, CrosSCLR50, Default, SkeletonLayout, get_layout, layout_names
from skel_eval import clip_page, strip_svg
from skel_recipes.cli import main
from skel_recipes.cli.show import _chosen
from skel_recipes.evaluate.clip_steps import clip_steps, skeleton_of

ARM = SkeletonLayout.from_dict(
    {
        "name": "arm",
        "joints": ["neck", "left hand", "right hand"],
        "bones": [["left hand", "neck"], ["right hand", "neck"]],
        "shoulders": ["left hand", "right hand"],
    }
)
FLAT = SkeletonLayout.from_dict({**ARM.to_dict(), "name": "flat", "dims": 2, "confidence": True})


def skel(capsys, *words):
    status = main([str(word) for word in words])
    return status, capsys.readouterr()


def arm(frames=8, bodies=1):
    """A neck with hands to both sides, the left one moving up (T, M, V, 3)."""
    clip = np.array([[1.0, 2.0, 3.0], [0.4, 1.5, 3.0], [1.6, 1.5, 3.0]], np.float32)
    clip = np.tile(clip, (frames, bodies, 1, 1))
    clip[:, :, 1, 1] += np.linspace(0, 0.8, frames, dtype=np.float32)[:, None]
    clip[..., 0] += 2 * np.arange(bodies, dtype=np.float32)[:, None]
    return clip


def draw(clip, layout=ARM, pipeline=None, views=None, **more):
    """Points of each step."""
    ids = np.tile(np.arange(1, clip.shape[1] + 1), (len(clip), 1))
    return list(clip_steps(clip, ids, layout, pipeline or Default(frames=6), views or {}, **more).values())


# smoke


@pytest.mark.parametrize("suffix", [".html", ".gif", ".png", ".PNG"])
@pytest.mark.parametrize(
    "options", [[], ["--view", "aimclr.extreme", "--pipeline", "crossclr50"], ["--recipe", "scdnet"]]
)
def test_every_format_is_written(capsys, store, tmp_path, suffix, options):
    out = tmp_path / f"clip{suffix}"
    status, output = skel(capsys, "show", store.path, "--clip", "3", "--out", out, "--frames", "3", *options)
    assert status == 0, output.err
    assert output.out.startswith(f"{out}: clip 3, {store.names[3]}, ")
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    if suffix != ".html":
        with Image.open(out) as image:
            assert image.format == suffix[1:].upper()


@pytest.mark.parametrize("name", layout_names())
def test_every_layout_can_be_drawn(name):
    layout = get_layout(name)
    clip = np.random.default_rng(0).normal(size=(5, 2, layout.num_joints, layout.channels)).astype(np.float32)
    steps = clip_steps(clip, np.ones((5, 2), np.int64), layout, Default(frames=6), {"view": View((Shear(),))})
    assert clip_page(name, steps, skeleton_of(layout), frames=3).count("<section>") == len(steps) == 4


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_can_be_drawn(name, store):
    steps = clip_steps(store.clip(0), store.tracks(0), store.layout, PIPELINES[name](), {})
    _, title = steps
    assert title.startswith(f"pipeline {name}, ")
    points = steps[title]
    assert np.isfinite(points[:, 0]).all(-1).any(0).all()
    neck, hip, knee, foot = (
        points[0, 0, store.layout.joints.index(joint), 1]
        for joint in ("neck", "left hip", "left knee", "left foot")
    )
    assert neck < hip < knee < foot


def test_clip_of_one_frame_and_empty_clip():
    assert [points.shape for points in draw(arm(1))] == [(1, 1, 3, 2), (6, 1, 3, 2)]
    assert all(np.isnan(points).all() for points in draw(np.zeros_like(arm(3))))


# choices


def test_options_choose_what_is_drawn(capsys, store, tmp_path):
    def titles(*options):
        out = tmp_path / "clip.html"
        assert skel(capsys, "show", store.path, "--out", out, *options)[0] == 0
        return re.findall("<h2>(.*?)</h2>", out.read_text("utf-8"))

    first = f"as recorded, {store.lengths[0]} frames"
    assert titles() == [first, "pipeline default, 64 frames", "view, draw 1", "view, draw 2"]
    assert titles("--recipe", "aimclr")[2::2] == ["view, draw 1", "extreme, draw 1"]
    assert titles("--pipeline", "crossclr50", "--view", "scd.view") == [
        first,
        "pipeline crossclr50, 50 frames",
        "scd.view, draw 1",
        "scd.view, draw 2",
    ]


def test_a_users_own_pipeline_and_augmentation(capsys, store, tmp_path, monkeypatch):
    class Mine(Default):
        name = "mine"

    module = ModuleType("my_parts")
    module.Mine, module.Lean = Mine, type("Lean", (Shear,), {})
    monkeypatch.setitem(sys.modules, "my_parts", module)
    out = tmp_path / "clip.html"
    options = ["--pipeline", "my_parts:Mine", "--view", "shear"]
    status, output = skel(capsys, "show", store.path, "--out", out, *options)
    assert status == 0, output.err
    assert re.findall("<h2>(.*?)</h2>", out.read_text("utf-8"))[1:3] == [
        "pipeline mine, 64 frames",
        "shear, draw 1",
    ]


def test_clip_by_name_and_seed(capsys, store, tmp_path):
    def drawn(*options):
        out = tmp_path / "clip.png"
        assert skel(capsys, "show", store.path, "--out", out, "--frames", "2", *options)[0] == 0
        return out.read_bytes()

    by_number = drawn("--clip", 5)
    assert drawn("--name", store.names[5]) == by_number
    assert drawn("--clip", 5, "--seed", 1) != by_number
    assert drawn() == drawn("--clip", 0)


# errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "clip.mp4"], "must end in one of .gif, .html, .png, got 'clip.mp4'"),
        (["--out", "clip"], "must end in one of"),
        (["--clip", "48"], "has clips 0 to 47, not 48"),
        (["--clip", "-1"], "has clips 0 to 47, not -1"),
        (["--name", "A01S001V01R0"], "no clip named 'A01S001V01R0'; the nearest are A01S001V01R0"),
        (["--name", "A01S001V01R01", "--clip", "0"], "--clip or --name, not both"),
        (["--pipeline", "defaults"], "no pipeline 'defaults'"),
        (
            ["--view", "aimclr.extrem"],
            "no view 'aimclr.extrem'; did you mean 'aimclr.extreme'? Presets are aimclr.extreme",
        ),
        (["--recipe", "compacts"], "no recipe 'compacts'"),
        (["--frames", "0"], "--frames must be at least 1"),
        (["--fps", "0"], "--fps must be from 1 to 1000"),
        (["--fps", "nan"], "--fps must be from 1 to 1000"),
        (["--out", "nowhere/clip.png"], "nowhere"),
    ],
)
def test_errors_are_told_and_leave_nothing(capsys, store, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    assert len(store) == 48
    status, output = skel(capsys, "show", store.path, *options)
    assert status == 1
    assert message in output.err
    assert not list(tmp_path.iterdir())


def test_a_name_that_several_clips_have():
    names = SimpleNamespace(path="s.store", names=np.array(["other", "same", "same"]))
    with pytest.raises(ValueError, match="2 clips named 'same': --clip 1 is the first"):
        _chosen(names, None, "same")


def test_a_file_that_is_there_survives_a_failure(capsys, store, tmp_path, monkeypatch):
    out = tmp_path / "clip.gif"
    out.write_bytes(b"old")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("skel_eval.write_gif", fail)
    assert skel(capsys, "show", store.path, "--out", out) == (1, ("", "skel: disk full\n"))
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


# numbers


@pytest.mark.parametrize("gone", [0.0, np.nan])
def test_missing_joints_are_not_drawn(gone):
    clip = arm()
    whole = draw(clip)[0]
    clip[2:, 0, 1] = gone  # the left hand
    clip[5, 0, 2, 0] = np.nan  # one coordinate is enough
    points = draw(clip)[0]
    lost = np.isnan(points).all(-1)
    assert np.argwhere(lost).tolist() == sorted([[t, 0, 1] for t in range(2, 8)] + [[5, 0, 2]])
    np.testing.assert_array_equal(points[~lost], whole[~lost])


def test_a_joint_that_was_never_seen_stays_missing():
    clip = arm()
    clip[:, :, 1] = 0
    _, processed, view = draw(clip, views={"turn": preset("aimclr.normal")}, draws=1)
    for points in (processed, view):
        assert np.isnan(points[..., 0]).all((0, 1)).tolist() == [False, True, False]
        assert not np.isnan(points[:, :, [0, 2]]).any()


def test_confidence_zero_is_missing():
    clip = arm()[..., :3].copy()
    clip[..., 2] = 1
    clip[3, 0, 2, 2] = 0
    assert np.argwhere(np.isnan(draw(clip, FLAT)[0][..., 0])).tolist() == [[3, 0, 2]]


def test_the_joint_that_a_clip_is_centred_on_is_drawn():
    for pipeline in (Default(frames=6), CrosSCLR50(frames=6, bodies=1)):
        points = draw(arm(), pipeline=pipeline)[1]
        assert not np.isnan(points).any()
        assert points[0, 0, 0].tolist() == [0, 0]
    clip = arm() - arm()[:, :, :1]  # centred before it was stored
    assert not np.isnan(draw(clip)[0]).any()
    clip[:, :, 1] = 0  # a second joint is zero throughout: then neither is the origin
    assert np.isnan(draw(clip)[0][..., :2, 0]).all()


def test_a_hidden_joint_is_told_from_the_origin():
    pipeline = CrosSCLR50(frames=6, bodies=1)
    drawn = draw(arm(), pipeline=pipeline, views={"hide": View((JointMask(joints=1),))}, draws=12)[2:]
    gone = [np.isnan(points[..., 0]).all((0, 1)) for points in drawn]
    assert all(joints.sum() == 1 for joints in gone)
    assert np.any(gone, 0).all()
    assert all((points[:, :, 0] == 0).all() for points in drawn if not np.isnan(points[0, 0, 0, 0]))


def test_absent_bodies_are_not_drawn():
    clip = arm(bodies=2)
    clip[3:, 1] = 0
    recorded, processed = draw(clip)
    assert np.isnan(recorded[3:, 1]).all()
    assert not np.isnan(recorded[:3]).any()
    assert np.isnan(processed[-1, 1]).all()


def test_up_is_up():
    clip = arm(1)
    solid = draw(clip)[0]
    assert solid[0, 0, 0, 1] < solid[0, 0, 1, 1]  # the neck is above the hands
    clip[..., 2] = 1
    image = draw(clip, FLAT)[0]
    assert image[0, 0, 0, 1] > image[0, 0, 1, 1]
    np.testing.assert_array_equal(solid[..., 0], image[..., 0])


def test_bones_are_drawn_on_the_side_of_their_joints():
    assert skeleton_of(get_layout("coco-17")).by_side(17)[0][0] == []  # no bone of the middle
    # a bone between the sides belongs to neither
    bridge = SkeletonLayout.from_dict({"joints": ["l_hip", "r_hip"], "bones": [["l_hip", "r_hip"]]})
    assert skeleton_of(bridge).by_side(2)[0][0] == list(bridge.bones)


# laws


@pytest.mark.parametrize("name", layout_names())
@given(seed=st.integers(0, 99))
def test_left_and_right_swap_under_mirror(name, seed):
    layout = get_layout(name)
    points = np.random.default_rng(seed).normal(size=(1, 1, layout.num_joints, 2))

    def paths(values):
        svg = strip_svg(values, skeleton_of(layout), 1)
        found = {"left": [], "right": [], "middle": []}
        for side, path in re.findall(r'--side-(\w+),#\w+\)" stroke-width="[\d.]+" d="([^"]*)"', svg):
            found[side].extend(re.findall(r"M[^M]+", path))
        return {side: sorted(lines) for side, lines in found.items()}

    one, other = paths(points), paths(points[:, :, list(layout.mirror)])
    assert one["left"] != one["right"] or layout.mirror == tuple(range(layout.num_joints))
    assert one == {"left": other["right"], "right": other["left"], "middle": other["middle"]}
