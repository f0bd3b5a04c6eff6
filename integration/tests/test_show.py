import io
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skel_augment import JointMask, View, preset
from skel_data import PIPELINES, CrosSCLR50, Default, SkeletonLayout, get_layout, layout_names
from skel_recipes._draw._image import COLOURS, gif, png, shade
from skel_recipes._draw._page import page
from skel_recipes._draw._place import fit, strip
from skel_recipes._draw._sides import LEFT, RIGHT, TRUNK
from skel_recipes._draw._stage import Stage, stages
from skel_recipes.cli import main
from skel_recipes.commands.show import _chosen

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
    ids = np.tile(np.arange(1, clip.shape[1] + 1), (len(clip), 1))
    return stages(clip, ids, layout, pipeline or Default(frames=6), views or {}, **more)


def painted(write, *settings):
    file = io.BytesIO()
    write(file, *settings)
    return Image.open(file)


def pixels(image, colour):
    """Number of pixels that have about this colour."""
    return int((np.abs(np.asarray(image.convert("RGB"), int) - colour).sum(-1) < 12).sum())


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
    clip = np.random.default_rng(0).normal(size=(5, 2, layout.num_joints, layout.channels))
    drawn = draw(clip.astype(np.float32), layout, views={"view": preset("compact.view")})
    assert painted(gif, name, layout, drawn, 30).n_frames == 5
    assert painted(png, name, layout, drawn, 3).size[0] > 100
    assert page(name, layout, drawn, frames=3, fps=30).count("<section>") == 4


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_can_be_drawn(name, store):
    _, processed = stages(store.clip(0), store.tracks(0), store.layout, PIPELINES[name](), {})
    assert processed.title.startswith(f"pipeline {name}, ")
    assert np.isfinite(processed.points[:, 0]).all(-1).any(0).all()
    neck, hip, knee, foot = (
        processed.points[0, 0, store.layout.joints.index(joint), 1]
        for joint in ("neck", "left hip", "left knee", "left foot")
    )
    assert neck < hip < knee < foot


def test_clip_of_one_frame_and_empty_clip():
    for clip in (arm(1), np.zeros_like(arm(3))):
        drawn = draw(clip)
        assert painted(gif, "x", ARM, drawn, 30).n_frames == len(clip)
        assert painted(png, "x", ARM, drawn, 4).size[0] >= 320
        assert "<svg" in page("x", ARM, drawn, frames=4, fps=30)


# shapes


def test_gif_keeps_the_pace(store):
    index = int(store.lengths.argmin())
    length = int(store.lengths[index])
    drawn = stages(store.clip(index), store.tracks(index), store.layout, Default(), {})
    for fps, frames in ((30, length), (12.5, length), (100, length // 2)):
        image = painted(gif, "x", store.layout, drawn, fps)
        assert (image.n_frames, image.info["loop"]) == (frames, 0)
        took = []
        for frame in range(image.n_frames):
            image.seek(frame)
            took.append(image.info["duration"])
        assert sum(took) == pytest.approx(1000 * length / fps, abs=5)
        assert min(took) >= 20


def test_png_has_a_row_for_each_stage_and_a_column_for_each_figure():
    drawn = draw(arm(), views={"view": preset("compact.view")})
    (width, one), (_, two), (_, four) = (painted(png, "x", ARM, drawn[:n], 4).size for n in (1, 2, 4))
    assert four - two == 2 * (two - one) > 300
    assert painted(png, "x", ARM, drawn[:1], 8).size[0] > 1.5 * width


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.open = [], {}, ""

    def handle_starttag(self, tag, attrs):
        self.open = tag
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.setdefault(self.open, []).append(data)


def test_html_is_alone_and_holds_all_stages():
    drawn = draw(arm(), views={"<view>": preset("compact.view")})
    text = page('<b> & "co"', ARM, drawn, frames=4, fps=25)
    parsed = _Page()
    parsed.feed(text)
    assert not re.search(r"https?:|//\w|url\(|@import|\bsrc=|href=", text)
    assert not {tag for tag, _ in parsed.tags} & {"link", "img", "iframe", "b>"}
    assert parsed.text["title"] == ['<b> & "co"']
    assert [title for title in parsed.text["h2"] if title.strip()] == [stage.title for stage in drawn]
    data = json.loads(parsed.text["script"][0])
    assert (data["fps"], data["length"]) == (25, 8)
    assert np.shape(data["stages"][0]) == (8, 1, 6)
    assert np.shape(data["stages"][3]) == (6, 1, 6)
    movies = [attributes for tag, attributes in parsed.tags if attributes.get("class") == "movie"]
    assert [movie["aria-label"].split(",")[0] for movie in movies] == [s.title.split(",")[0] for s in drawn]
    controls = {attributes.get("id"): tag for tag, attributes in parsed.tags}
    assert (controls["play"], controls["time"]) == ("button", "input")


def test_options_choose_what_is_drawn(capsys, store, tmp_path):
    def titles(*options):
        out = tmp_path / "clip.html"
        assert skel(capsys, "show", store.path, "--out", out, *options)[0] == 0
        return re.findall("<h2>(.*?)</h2>", out.read_text())

    first = f"as recorded, {store.lengths[0]} frames"
    assert titles() == [first, "pipeline default, 64 frames", "view, draw 1", "view, draw 2"]
    assert titles("--recipe", "aimclr")[2::2] == ["view, draw 1", "extreme, draw 1"]
    assert titles("--pipeline", "crossclr50", "--view", "scd.view") == [
        first,
        "pipeline crossclr50, 50 frames",
        "scd.view, draw 1",
        "scd.view, draw 2",
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
        (["--pipeline", "defaults"], "no pipeline 'defaults'; there are default"),
        (["--view", "aimclr.extrem"], "no view 'aimclr.extrem'; presets are aimclr.extreme"),
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

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("skel_recipes._draw._image.gif", fail)
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
    stage = draw(clip)[0]
    lost = np.isnan(stage.points).all(-1)
    assert np.argwhere(lost).tolist() == sorted([[t, 0, 1] for t in range(2, 8)] + [[5, 0, 2]])
    np.testing.assert_array_equal(stage.points[~lost], whole.points[~lost])

    before, after = (painted(png, "", ARM, [Stage("", each.points[4:5])], 1) for each in (whole, stage))
    left, right = COLOURS[LEFT], COLOURS[RIGHT]
    legend = pixels(painted(png, "", ARM, [Stage("", np.full((1, 1, 3, 2), np.nan))], 1), left)
    assert pixels(after, left) == legend < pixels(before, left)
    assert pixels(after, right) > legend
    text = page("", ARM, [stage], frames=1, fps=30)
    assert json.loads(re.search(r'id="clip">(.*?)</script>', text)[1])["stages"][0][4][0][2:4] == [None] * 2


def test_a_joint_that_was_never_seen_stays_missing():
    clip = arm()
    clip[:, :, 1] = 0
    _, processed, view = draw(clip, views={"turn": preset("aimclr.normal")}, draws=1)
    for stage in (processed, view):
        assert np.isnan(stage.points[..., 0]).all((0, 1)).tolist() == [False, True, False]
        assert not np.isnan(stage.points[:, :, [0, 2]]).any()


def test_a_bone_to_a_missing_joint_is_not_drawn():
    clip = arm(2)
    clip[0, 0, 0] = 0  # the neck, between both hands
    text = page("", ARM, draw(clip)[:1], frames=1, fps=30)
    paths = re.findall(r' d="([^"]*)"', text)
    assert sum(path.count("L") for path in paths) == 0
    assert sum(path.count("h0") for path in paths) == 4  # two hands, in the animation and in the strip


def test_confidence_zero_is_missing():
    clip = arm()[..., :3].copy()
    clip[..., 2] = 1
    clip[3, 0, 2, 2] = 0
    assert np.argwhere(np.isnan(draw(clip, FLAT)[0].points[..., 0])).tolist() == [[3, 0, 2]]


def test_the_joint_that_a_clip_is_centred_on_is_drawn():
    for pipeline in (Default(frames=6), CrosSCLR50(frames=6, bodies=1)):
        points = draw(arm(), pipeline=pipeline)[1].points
        assert not np.isnan(points).any()
        assert points[0, 0, 0].tolist() == [0, 0]
    clip = arm() - arm()[:, :, :1]  # centred before it was stored
    assert not np.isnan(draw(clip)[0].points).any()
    clip[:, :, 1] = 0  # a second joint is zero throughout: then neither is the origin
    assert np.isnan(draw(clip)[0].points[..., :2, 0]).all()


def test_a_hidden_joint_is_told_from_the_origin():
    pipeline = CrosSCLR50(frames=6, bodies=1)
    drawn = draw(arm(), pipeline=pipeline, views={"hide": View((JointMask(joints=1),))}, draws=12)[2:]
    gone = [np.isnan(stage.points[..., 0]).all((0, 1)) for stage in drawn]
    assert all(joints.sum() == 1 for joints in gone)
    assert np.any(gone, 0).all()
    assert all(
        (stage.points[:, :, 0] == 0).all() for stage in drawn if not np.isnan(stage.points[0, 0, 0, 0])
    )


def test_absent_bodies_are_not_drawn():
    clip = arm(bodies=2)
    clip[3:, 1] = 0
    recorded, processed = draw(clip)
    assert np.isnan(recorded.points[3:, 1]).all()
    assert not np.isnan(recorded.points[:3]).any()
    assert np.isnan(processed.points[-1, 1]).all()


def test_up_is_up():
    clip = arm(1)
    solid = draw(clip)[0].points
    assert solid[0, 0, 0, 1] < solid[0, 0, 1, 1]  # the neck is above the hands
    clip[..., 2] = 1
    image = draw(clip, FLAT)[0].points
    assert image[0, 0, 0, 1] > image[0, 0, 1, 1]
    np.testing.assert_array_equal(solid[..., 0], image[..., 0])


def test_bodies_have_shades():
    stage = Stage("", draw(arm(1, bodies=2))[0].points)
    image = painted(png, "", ARM, [stage], 1)
    assert pixels(image, shade(COLOURS[LEFT], 1)) > 20
    alone = Stage("", stage.points[:, :1])
    assert pixels(painted(png, "", ARM, [alone], 1), COLOURS[TRUNK]) > 0
    assert len({shade(COLOURS[LEFT], body) for body in range(4)}) == 4


# laws


@pytest.mark.parametrize("name", layout_names())
@given(seed=st.integers(0, 99))
def test_left_and_right_swap_under_mirror(name, seed):
    layout = get_layout(name)
    points = np.random.default_rng(seed).normal(size=(1, 1, layout.num_joints, 2))

    def paths(values):
        drawn = re.findall(
            r'<path class="(\w+)" stroke-width="[\d.]+" d="([^"]*)"',
            page("", layout, [Stage("", values)], frames=1, fps=30),
        )
        found = {"left": [], "right": [], "trunk": []}
        for side, path in drawn:
            found[side].extend(re.findall(r"M[^M]+", path))
        return {side: sorted(lines) for side, lines in found.items()}

    one, other = paths(points), paths(points[:, :, list(layout.mirror)])
    assert one["left"] != one["right"] or layout.mirror == tuple(range(layout.num_joints))
    assert one == {"left": other["right"], "right": other["left"], "trunk": other["trunk"]}


@given(seed=st.integers(0, 2**32 - 1), stretch=st.floats(1e-3, 1e3))
def test_figures_stay_inside_at_one_scale(seed, stretch):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(6, 2, 5, 2)) * (stretch, 1) * 10 ** rng.uniform(-3, 3) + rng.normal(size=2)
    points[rng.random((6, 2, 5)) < 0.2] = np.nan
    known = ~np.isnan(points)
    placed = fit(points, 200, 120)
    np.testing.assert_array_equal(~np.isnan(placed), known)
    inside = placed[known[..., 0]]
    assert (inside >= -1e-6).all()
    assert (inside <= np.array([200, 120]) + 1e-6).all()
    spread, before = np.ptp(inside, 0), np.ptp(points[known[..., 0]], 0)
    np.testing.assert_allclose(spread[0] * before[1], spread[1] * before[0], rtol=1e-6)
    figures = strip(points, 4, 100)
    stood = figures.points[~np.isnan(figures.points[..., 0])]
    assert (np.abs(stood[:, 0]) <= figures.width / 2 + 1e-6).all()
    assert (stood[:, 1] >= -1e-6).all()
    assert (stood[:, 1] <= 100 + 1e-6).all()
    assert np.isclose(stood[:, 1].max(), 100)
