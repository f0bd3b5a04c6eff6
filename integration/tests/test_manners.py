"""What users meet every day: moved folders, messages, what an object looks like."""

import json
import shutil

import numpy as np
import pytest

import skel_recipes
from skel_data import Store, get_split
from skel_recipes import Run, embed_recordings, evaluate, pretrain, resume
from skel_recipes.cli import main
from skel_recipes.common.words import count


def skel(capsys, *words):
    status = main([str(word) for word in words])
    return status, capsys.readouterr()


@pytest.fixture
def moved(store, tiny, tmp_path):
    """A run and its store, moved together; what is at the old place is gone."""
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "data").mkdir(parents=True)
    copy = Store.open(shutil.copytree(store.path, old / "data" / "tiny.store"))
    pretrain(tiny("compact", train__epochs=1), copy, old / "runs" / "a")
    old.rename(new)
    return Run.open(new / "runs" / "a")


def test_a_run_that_was_moved_with_its_store_finds_it(moved):
    assert moved.found_store().path == moved.path.parents[1] / "data" / "tiny.store"
    (moved.path / "encoder.safetensors").unlink()
    assert resume(moved.path).finished


def test_a_store_beside_the_run_or_here_is_found(moved, monkeypatch, tmp_path):
    store = moved.found_store().path
    beside = moved.path.parent / store.name
    store.rename(beside)
    assert moved.found_store().path == beside
    beside.rename(tmp_path / store.name)
    assert moved.store() is None
    monkeypatch.chdir(tmp_path)
    assert moved.found_store().path == tmp_path / store.name


def test_content_decides(moved, capsys):
    place = moved.found_store().path
    header = json.loads((place / "header.json").read_text())
    (place / "header.json").write_text(json.dumps(header | {"hash": "0" * 64}))
    assert moved.store() is None
    with pytest.raises(
        ValueError, match=r"looked for synthetic with hash .* has changed since the run began"
    ):
        moved.found_store()
    status, output = skel(capsys, "report", moved.path)
    assert (status, "looked for synthetic" in output.err) == (1, True)


def test_weights_that_are_lost_are_told_from_a_training_that_has_not_ended(moved):
    (moved.path / "encoder.safetensors").unlink()
    with pytest.raises(ValueError, match="has ended, but its weights are not there: looked for"):
        moved.encoder()
    (moved.path / "metrics.jsonl").unlink()
    with pytest.raises(ValueError, match="pretraining has not ended"):
        moved.encoder()


def test_objects_look_like_a_few_lines(run, store):
    shown = repr(store), repr(run), repr(get_split(store)), repr(evaluate(run, store, "knn"))
    assert all(text.count("\n") < 5 and max(map(len, text.splitlines())) < 160 for text in shown), shown
    assert "48 clips, 48 with a label, 3 classes" in shown[0]
    assert "compact on synthetic, split listed, 3 epochs, finished" in shown[1]
    assert shown[2] == "Split listed: 12 training clips, 12 test clips"
    assert "baselines: untrained encoder " in shown[3]


def test_public_names_are_completed():
    assert {"Run", "evaluate", "pretrain"} <= set(dir(skel_recipes))


def test_a_training_without_a_terminal_writes_lines(store, tmp_path, capsys):
    words = ["--train.epochs", "20", "--train.min_steps", "0", "--data.pipeline.frames", "16"]
    words += ["--encoder.widths", "[4, 4]", "--encoder.kernels", "[3, 3]", "--encoder.strides", "[2, 1]"]
    words += ["--train.monitor_every", "0"]
    status, output = skel(capsys, "pretrain", "compact", store.path, *words, "--out", tmp_path / "run")
    assert status == 0, output.err
    lines = [line for line in output.err.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in lines][::3] == [f"epoch {e} of 20" for e in (2, 8, 14, 20)]


def test_one_person_needs_no_axis_of_bodies(run, store):
    rows = [row for row in range(len(store)) if store.bodies[row] == 1][:3]
    clips = [store.clip(row) for row in rows]
    alone = embed_recordings(run, [clip[:, 0] for clip in clips])
    np.testing.assert_array_equal(alone, embed_recordings(run, clips))


def test_plural_and_singular():
    assert [count(n, "clip") for n in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]
    assert [count(2, noun) for noun in ("class", "body", "row")] == ["2 classes", "2 bodies", "2 rows"]
