import json

import numpy as np
import pytest

from skel_data import get_layout, import_dataset


def numbers(seed=0, shape=(6, 20, 3)):
    return np.random.default_rng(seed).normal(size=shape).round(4)


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))


@pytest.fixture
def load(tmp_path):
    def run(source=tmp_path / "d", layout="kinect-20", **settings):
        return import_dataset(
            "jsonl", source, tmp_path / "a.store", layout=layout, overwrite=True, **settings
        )

    return run


def same(clip, values):
    return np.array_equal(clip, np.asarray(values, np.float32), equal_nan=True)


@pytest.mark.parametrize("people", [False, True])
def test_a_line_a_frame(tmp_path, load, people):
    x = numbers(0, (6, 2, 20, 3)) if people else numbers()
    lines = [{"frame": 2 * t, "keypoints": frame.tolist()} for t, frame in enumerate(x)]
    del lines[3]
    write(tmp_path / "d" / "clap" / "a.jsonl", lines)
    write(tmp_path / "d" / "wave" / "b.ndjson", [{"pose": frame.tolist()} for frame in numbers(1)])
    store = load()
    assert (store.names.tolist(), store.labels.tolist(), store.classes) == (
        ["a", "b"],
        [0, 1],
        ("clap", "wave"),
    )
    x[3] = 0
    assert same(store.clip(0), x if people else x[:, None])
    assert same(store.clip(1)[:, 0], numbers(1))


def test_clips_persons_and_facts(tmp_path, load):
    lines = [
        {
            "video": clip,
            "frame": t,
            "track_id": who,
            "joints": numbers(t, (20, 3)).tolist(),
            "label": label,
            "subject": "ann",
        }
        for clip, label in (("v", "wave"), ("u", "clap"))
        for t in range(3)
        for who in (7, 3)
        if (t, who) != (1, 7)
    ]
    write(tmp_path / "d.jsonl", lines)
    store = load(tmp_path / "d.jsonl")
    assert (store.names.tolist(), store.labels.tolist()) == (["v", "u"], [1, 0])
    assert store.subject_names == ("ann",)
    assert store.tracks(0).tolist() == [[1, 2], [0, 2], [1, 2]]
    assert not store.clip(0)[1, 0].any()


def test_a_line_a_clip(tmp_path, load):
    lines = [
        {"name": f"c{i}", "label": i, "split": "train", "skeleton": numbers(i).tolist()} for i in range(2)
    ]
    lines += [{"label": 4, "split": "test", "skeleton": numbers(2, (5, 2, 20, 3)).tolist()}]
    write(tmp_path / "d.jsonl", lines)
    store = load(tmp_path / "d.jsonl")
    assert (store.names.tolist(), store.lengths.tolist()) == (["c0", "c1", "d_2"], [6, 6, 5])
    assert (store.labels.tolist(), store.listed_split.reshape(-1).tolist()) == ([0, 1, 4], [1, 1, 2])
    assert same(store.clip(2), numbers(2, (5, 2, 20, 3)))


def test_scores_null_and_mediapipe(tmp_path, load):
    x = numbers(0, (4, 33, 3))
    values = x.tolist()
    values[1][2] = [None, None, None]
    x[1, 2] = np.nan
    write(tmp_path / "d" / "a.jsonl", [{"landmarks": v, "scores": [0.5] * 33} for v in values])
    store = load(layout=None)
    assert store.layout == get_layout("mediapipe-33")
    assert same(store.clip(0)[:, 0, :, :3], x * [1, -1, -1])  # MediaPipe's y points down
    assert (store.clip(0)[..., 3] == 0.5).all()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["[1]"], "line 1: expected an object"),
        (["{"], "not JSON"),
        ([{"frame": 0}], "no joints under"),
        ([{"frame": 0, "joints": [[1, 2, 3], [1]]}], "no array of numbers"),
        ([{"frame": 0, "joints": [[1, 2, 3]]}], "joints of shape"),
        ([{"frame": 0.5, "joints": numbers()[0].tolist()}], "whole number"),
        ([{"frame": 0, "joints": numbers()[0].tolist()}] * 2, "more than once"),
        ([{"frame": t, "joints": numbers()[0].tolist(), "label": str(t)} for t in (0, 1)], "name the clips"),
        ([{"clip": "a", "joints": numbers().tolist()}] * 2, "a second time"),
        ([{"joints": numbers().tolist(), "split": "x"}], "split 'x'"),
    ],
)
def test_lines_that_are_none(tmp_path, load, lines, reason):
    write(tmp_path / "d" / "a.jsonl", [{"joints": frame.tolist()} for frame in numbers()])
    write(tmp_path / "d" / "b.jsonl", lines)
    (bad,) = load().bad_files
    assert reason in bad.reason
