import json

import numpy as np
import pytest
import torch
from attrs import evolve

from skel_data import Clip, DatasetInfo, get_layout, get_split, write_store
from skel_eval import Finetune, linear_probe
from skel_eval import fuse as fuse_logits
from skel_recipes import (
    Run,
    classify_windows,
    embed_windows,
    evaluate,
    pretrain,
    report,
    robustness,
    tune,
)
from skel_recipes._trial import Trial, members_of


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

    def unfrozen(self, stream=None, *, trained=True):
        encoder = real(self, stream, trained=trained)
        encoder.input_norm.train()
        encoder.eval = lambda: encoder
        return encoder

    monkeypatch.setattr(Run, "encoder", unfrozen)
    with pytest.raises(RuntimeError, match="tensors of the module changed"):
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


def test_clips_seen_by_any_of_several_encoders_are_counted(store, tmp_path, tiny):
    runs = [
        pretrain(tiny("compact", data__split=split, train__epochs=1), store, tmp_path / split)
        for split in ("subject-1", "subject-2")
    ]
    test = get_split(store, "random").test
    seen = set(test.tolist()) & {clip for run in runs for clip in get_split(store, run.facts["split"]).train}
    result = evaluate(runs, store, "knn", split="random").result
    assert result["test_clips_seen_in_pretraining"] == len(seen) == len(test)


def test_clips_seen_in_another_store_are_known_by_their_content(run, store, tmp_path):
    train, test = (getattr(get_split(store, run.facts["split"]), part) for part in ("train", "test"))
    known = [*test[:6], *train[:4], *test[6:9]]  # four of them seen, in the test part of the other store
    clips = [
        Clip(store.clip(row), str(row), label=store.labels[row], split=1 if place < 6 else 2)
        for place, row in enumerate(known)
    ]
    info = evolve(store.info, dataset="part", default_split="listed")
    other = write_store(tmp_path / "part.store", clips, info, source="made")
    result = evaluate(run, other, "knn").result
    assert (result["test_clips"], result["test_clips_seen_in_pretraining"]) == (7, 4)
    lost = evolve(run, facts={**run.facts, "store": {**run.facts["store"], "path": str(tmp_path / "gone")}})
    assert evaluate(lost, other, "knn").result["test_clips_seen_in_pretraining"] is None


@pytest.mark.parametrize(("fraction", "subsets"), [(0.3, 3), (1.0, 1)])
def test_baselines_of_few_labels_are_means_over_the_same_subsets(run, store, monkeypatch, fraction, subsets):
    from skel_recipes import _tune

    drawn = []

    def watched(trial, rows):
        drawn.append(rows)
        return {"ridge on coordinates": {"accuracy": rows.mean() / len(store)}}

    monkeypatch.setattr(_tune, "classifier_baselines", watched)
    settings = Finetune(epochs=1, batch_size=4, milestones=())
    result = tune(run, store, settings=settings, fraction=fraction, repeats=3).result
    assert len({tuple(rows) for rows in drawn}) == len(drawn) == subsets
    mean = np.mean([rows.mean() / len(store) for rows in drawn])
    assert result["baselines"]["ridge on coordinates"]["accuracy"] == pytest.approx(mean)


def test_probes_are_fitted_on_the_device_that_is_asked_for(run, store, monkeypatch):
    from skel_recipes import _embed, _robust

    asked = []

    def watched(*arguments, device=None, **options):
        asked.append(device)
        return linear_probe(*arguments, **options)

    for module in (_robust, _embed):
        monkeypatch.setattr(module, "linear_probe", watched)
    robustness(run, store, device="cpu")
    classify_windows(run, store, embed_windows(run, store, length=10, step=5), device="cpu")
    assert asked == 3 * [torch.device("cpu")]


def test_features_are_kept_by_what_the_encoder_sees(run, store, tmp_path):
    data = evolve(run.recipe.data, crop=0.5)
    cropped = evolve(run, recipe=evolve(run.recipe, data=data))
    whole, middle = (
        Trial.of(members_of([one]), store).feature_sets(trained=False)[0].features for one in (run, cropped)
    )
    assert not np.allclose(whole, middle)


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
        DatasetInfo(layout, ("a", "b"), "metre"),
        source="made",
    )
    run = pretrain(tiny("compact", train__epochs=1), store, tmp_path / "run")
    result = evaluate(run, store, "knn").result
    assert result["test_clips"] == 10
    assert result["test_clips_that_are_copies"] == 6
    assert result["accuracy"] != result["accuracy_without_copies"]
    assert "accuracy_without_copies" in result["baselines"]["untrained encoder"]
    chance = evaluate(run, store, "linear").result["baselines"]["chance"]
    assert chance == {"accuracy": 0.5, "accuracy_without_copies": 0.5}


@pytest.fixture(scope="module")
def streams(store, tmp_path_factory, tiny):
    """Runs of the joint and the bone stream, and one of both."""
    folder = tmp_path_factory.mktemp("streams")
    return {
        name: pretrain(tiny("compact", data__stream=name), store, folder / name)
        for name in ("joint", "bone", "joint+bone")
    }


def logits(run, store, stream):
    """Logits of a probe on a stream's features, by the functions on arrays."""
    evaluation = evaluate(run, store, "linear", stream=stream)
    train, test = evaluation.split.train, evaluation.split.test
    x, y = evaluation.features, store.labels
    return linear_probe(x[train], y[train], x[test], y[test], groups=store.subjects[train]).logits


@pytest.mark.parametrize("weights", [None, (0.6, 0.4)])
def test_fusion_adds_the_logits_of_each_stream(streams, store, weights):
    runs = [streams["joint"], streams["bone"]]
    fused = evaluate(runs, store, weights=weights)
    single = [logits(run, store, run.streams[0]) for run in runs]
    expected = fuse_logits(single, weights).argmax(1)
    np.testing.assert_array_equal(fused.predictions, expected)
    result = fused.result
    assert result["stream"] == "joint+bone"
    assert result["settings"]["weights"] == list(weights or (1, 1))
    assert result["runs"] == [str(run.path) for run in runs]
    assert set(result["baselines"]) == {"untrained encoder", "ridge on coordinates", "chance"}
    ending = "-0.6-0.4-bone" if weights else "-bone"
    (file,) = (streams["joint"].path / "eval").glob(f"*-linear-fused{ending}.json")
    assert json.loads(file.read_text()) == result


def test_run_of_several_streams_is_fused(streams, store):
    run = streams["joint+bone"]
    both = evaluate(run, store, "linear")
    expected = fuse_logits([logits(run, store, name) for name in ("joint", "bone")]).argmax(1)
    np.testing.assert_array_equal(both.predictions, expected)
    np.testing.assert_array_equal(evaluate([run], store).predictions, both.predictions)
    with pytest.raises(ValueError, match="has no stream 'motion'; there are joint, bone"):
        evaluate(run, store, "linear", stream="motion")
    assert report(run, both).exists()


def test_encoders_of_a_run_of_several_streams_are_those_of_single_runs(streams, store):
    """They start from the same seed in turn; the first sees the same draws, too."""
    both, joint = streams["joint+bone"], streams["joint"]
    first = both.encoder("joint", trained=False).state_dict()
    second = joint.encoder(trained=False).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    with pytest.raises(ValueError, match="has no stream None"):
        both.encoder()


def test_knn_fusion_adds_similarities(streams, store):
    runs, weights = [streams["joint"], streams["bone"]], (0.8, 0.2)
    fused = evaluate(runs, store, "knn", weights=weights)
    parts = [evaluate(run, store, "knn").features for run in runs]
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    similarity = sum(weight * part @ part.T for weight, part in zip(weights, unit, strict=True))
    train, test = fused.split.train, fused.split.test
    nearest = similarity[np.ix_(test, train)].argmax(1)
    np.testing.assert_array_equal(fused.predictions, store.labels[train][nearest])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((0.6,), "a weight for each encoder"),
        ((1.0, -1.0), "weights must be 0 or more"),
        ((0, 0), "not all 0"),
    ],
)
def test_fusion_errors(streams, store, weights, message):
    with pytest.raises(ValueError, match=message):
        evaluate([streams["joint"], streams["bone"]], store, weights=weights)


def test_errors(run, store, tmp_path, tiny):
    other = write_store(
        tmp_path / "other.store",
        [Clip(np.ones((5, 1, 20, 3), np.float32), "a", label=0)],
        DatasetInfo(get_layout("kinect-20"), ("a",), "metre"),
        source="made",
    )
    with pytest.raises(ValueError, match="trained on layout 'ntu-25' .* has 'kinect-20'"):
        evaluate(run, other, "knn")
    unfinished = Run.create(tmp_path / "begun", run.recipe, store, "listed", 3)
    with pytest.raises(ValueError, match="pretraining has not ended"):
        evaluate(unfinished, store, "knn")


def test_report(run, store):
    file = report(run, evaluate(run, store, "linear"))
    text = file.read_text()
    for needed in ("untrained encoder", "ridge on coordinates", "chance", store.classes[0], "<svg"):
        assert needed in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
