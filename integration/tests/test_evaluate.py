import json

import numpy as np
import pytest
import torch

from skel_data import Clip, get_layout, write_store
from skel_eval import linear_probe
from skel_recipes import Run, evaluate, pretrain, report


@pytest.mark.parametrize("protocol", ["linear", "knn"])
def test_result_and_its_baselines(run, store, protocol):
    evaluation = evaluate(run, store, protocol)
    result = evaluation.result
    assert set(result["baselines"]) == {"untrained encoder", "ridge on coordinates", "chance"}
    scores = [result["accuracy"], *(baseline["accuracy"] for baseline in result["baselines"].values())]
    assert all(0 <= score <= 1 for score in scores)
    assert result["test_clips"] == len(evaluation.split.test) == len(evaluation.predictions)
    assert result["test_clips_seen_in_pretraining"] == 0
    name = f"{store.dataset}-{evaluation.split.name}-{protocol}" + ("1" if protocol == "knn" else "")
    assert json.loads((run.path / "eval" / f"{name}.json").read_text()) == result


def test_accuracy_is_that_of_the_python_functions(run, store):
    evaluation = evaluate(run, store, "linear")
    train, test = evaluation.split.train, evaluation.split.test
    x, y = evaluation.features, store.labels
    probe = linear_probe(x[train], y[train], x[test], y[test], groups=store.subjects[train])
    assert probe.accuracy == evaluation.result["accuracy"]


def test_encoder_stays_frozen(run, store):
    before = {key: value.clone() for key, value in run.encoder().state_dict().items()}
    evaluate(run, store, "knn")
    after = run.encoder().state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_encoder_that_changes_is_caught(run, store, tmp_path, monkeypatch):
    for file in (run.path / "features").glob("*.npy"):
        file.unlink()
    real = Run.encoder

    def unfrozen(self, *, trained=True):
        encoder = real(self, trained=trained)
        encoder.input_norm.train()
        encoder.eval = lambda: encoder
        return encoder

    monkeypatch.setattr(Run, "encoder", unfrozen)
    with pytest.raises(RuntimeError, match="the encoder changed"):
        evaluate(run, store, "knn")


def test_test_labels_do_not_reach_the_predictions(run, store):
    first = evaluate(run, store, "linear")
    shuffled = type(store).open(store.path)
    shuffled.columns["label"][first.split.test] = (store.labels[first.split.test] + 1) % 3
    second = evaluate(run, shuffled, "linear")
    np.testing.assert_array_equal(first.predictions, second.predictions)


def test_clips_seen_in_pretraining_are_counted(run, store):
    result = evaluate(run, store, "knn", split="xsub").result
    assert result["test_clips_seen_in_pretraining"] == 0
    result = evaluate(run, store, "knn", split="xview").result
    assert result["test_clips_seen_in_pretraining"] == 0
    result = evaluate(run, store, "knn", split="random").result
    assert result["test_clips_seen_in_pretraining"] > 0


def test_copies_are_reported_apart(tmp_path, tiny):
    rng = np.random.default_rng(0)
    layout = get_layout("kinect-20")
    motions = rng.normal(size=(12, 10, 1, 20, 3)).astype(np.float32)
    clips = [
        Clip(motions[i % 12], f"clip{i}", label=i % 2, subject=i % 4, split=1 if i < 12 else 2)
        for i in range(18)
    ]
    clips += [
        Clip(motion[:8], f"new{i}", label=i % 2, subject=1, split=2) for i, motion in enumerate(motions[:4])
    ]
    store = write_store(
        tmp_path / "s.store",
        clips,
        layout=layout,
        classes=("a", "b"),
        dataset="x",
        units="metre",
        source="made",
    )
    run = pretrain(tiny("compact", train__epochs=1), store, tmp_path / "run")
    result = evaluate(run, store, "knn").result
    assert result["test_clips"] == 10
    assert result["test_clips_that_are_copies"] == 6
    assert result["accuracy"] != result["accuracy_without_copies"]
    assert "accuracy_without_copies" in result["baselines"]["untrained encoder"]


def test_errors(run, store, tmp_path, tiny):
    other = write_store(
        tmp_path / "other.store",
        [Clip(np.ones((5, 1, 20, 3), np.float32), "a", label=0)],
        layout=get_layout("kinect-20"),
        classes=("a",),
        dataset="x",
        units="metre",
        source="made",
    )
    with pytest.raises(ValueError, match="trained on layout 'ntu-25' .* has 'kinect-20'"):
        evaluate(run, other, "knn")
    unfinished = Run.create(tmp_path / "begun", run.recipe, store, "listed", 3)
    with pytest.raises(ValueError, match="pretraining has not ended"):
        evaluate(unfinished, store, "knn")


def test_report(run, store):
    file = report(run, store, evaluate(run, store, "linear"))
    text = file.read_text()
    for needed in ("untrained encoder", "ridge on coordinates", "chance", store.classes[0], "<svg"):
        assert needed in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
