import numpy as np
import pytest
import torch
from attrs import evolve

from skel_data import Clip, DatasetInfo, SynthSettings, get_layout, get_split, synth_store, write_store
from skel_eval import HANDMADE, Finetune, Result, best_simple, evaluate_features, linear_probe
from skel_eval import fuse as fuse_logits
from skel_recipes import (
    EvaluationInputs,
    Run,
    classify_windows,
    embed_windows,
    evaluate,
    pretrain,
    report,
)
from skel_recipes.evaluate import baselines, embed, robustness
from skel_recipes.evaluate import evaluate as evaluation
from skel_recipes.evaluate import inputs as evaluation_inputs
from skel_recipes.evaluate.inputs import encoder_refs
from skel_recipes.run.clips import masked_clips
from skel_recipes.run.embedding import embed_array


def inputs_of(run, store, **options):
    return EvaluationInputs.of(encoder_refs([run]), store, **options)


@pytest.mark.parametrize(("protocol", "title"), [("linear", "linear"), ("knn", "1-NN")])
def test_result_and_its_baselines(run, store, protocol, title):
    result = evaluate(run, store, protocol)
    names = ["untrained encoder", "coordinates", "distances", "chance"]
    assert [one.model for one in result.baselines] == names
    assert {one.title for one in result.baselines[:3]} == {title}  # under the same head
    assert all(0 <= one.metric.value <= 1 for one in (result, *result.baselines))
    assert result.counts["test"] == len(get_split(store, result.split).test)
    assert len(result.predictions.classes) == result.counts["test"]
    assert result.counts["seen_in_pretraining"] == 0
    assert (result.model, result.title, result.protocol) == ("compact", title, protocol)
    kept = [Result.load(file) for file in (run.path / "eval").glob("*.json")]
    assert result in kept


def test_accuracy_is_that_of_the_python_functions(run, store):
    result = evaluate(run, store, "linear")
    inputs = inputs_of(run, store)
    train, test = inputs.split.train, inputs.split.test
    x, y = inputs.embed().features, store.labels
    probe = linear_probe(x[train], y[train], x[test], y[test], groups=store.subjects[train])
    assert probe.accuracy == result.metric.value


@pytest.mark.slow
def test_no_baseline_is_computed_twice(run, store, monkeypatch):
    """The same protocol measures the untrained encoder and the hand-made features once."""
    measured = []

    def measure(*arguments, **options):
        measured.append(arguments[1])
        return evaluate_features(*arguments, **options)

    monkeypatch.setattr(evaluation, "evaluate_features", measure)
    first = evaluate(run, store, "knn", k=2, split="random")
    evaluate(run, store, "linear", split="random")
    assert len(measured) == 8
    again = evaluate(run, store, "knn", k=2, split="random")
    assert len(measured) == 9
    assert [one.metrics for one in again.baselines] == [one.metrics for one in first.baselines]


def test_hand_made_baselines_are_the_protocol_on_these_features(run, store):
    inputs, result = inputs_of(run, store), evaluate(run, store, "linear")
    for name in HANDMADE:
        alone = evaluate_features(inputs.embed(name), "linear")
        assert result.baseline(name).metric == alone.metrics["accuracy"]
        np.testing.assert_array_equal(result.baseline(name).predictions.classes, alone.predictions)
    (again,) = [one for one in evaluation.results_of(run) if one == result and one.split == result.split]
    best, kept = best_simple({0: result}), best_simple({0: again})
    assert best == kept  # predictions of baselines are kept with the result
    assert best.difference.interval is not None


def test_fine_tuning_is_beside_linear_classifiers_on_hand_made_features(run, store):
    settings = Finetune(epochs=1, batch_size=4, milestones=())
    result, linear = evaluate(run, store, "finetune", settings=settings), evaluate(run, store, "linear")
    for name in HANDMADE:
        assert result.baseline(name).metric.value == linear.baseline(name).metric.value


def test_a_baseline_that_another_run_kept_is_of_this_run(run, store, tmp_path, tiny):
    evaluate(run, store, "knn", tag="first")
    other = pretrain(tiny("compact", train__epochs=1, train__seed=3), store, tmp_path / "run")
    for kept in evaluate(other, store, "knn").baselines[1:3]:
        assert (kept.tag, kept.seed) == ("", 3)


def test_a_store_that_is_read_only_keeps_no_baselines(run, store, monkeypatch):
    def save(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(Result, "save", save)
    inputs = inputs_of(run, store)
    for result in baselines.simple_classifiers(inputs, [inputs.split.train[:6]]):
        assert 0 <= result.metric.value <= 1


def test_two_tags_are_two_results(run, store):
    """A tag that ends like a stream is no stream."""
    for tag in ("no", "no-joint"):
        evaluate(run, store, "knn", tag=tag)
    found = [one for one in evaluation.results_of(run) if one.tag.startswith("no")]
    assert sorted(one.title for one in found) == ["1-NN, no", "1-NN, no-joint"]


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
    first = evaluate(run, store, "linear").predictions
    shuffled = type(store).open(store.path)
    shuffled.check()
    shuffled.columns["label"][first.clips] = (store.labels[first.clips] + 1) % 3
    second = evaluate(run, shuffled, "linear").predictions
    np.testing.assert_array_equal(first.classes, second.classes)


def test_clips_seen_in_pretraining_are_counted(run, store):
    result = evaluate(run, store, "knn", split="xsub")
    assert result.counts["seen_in_pretraining"] == 0
    result = evaluate(run, store, "knn", split="xview")
    assert result.counts["seen_in_pretraining"] == 0
    result = evaluate(run, store, "knn", split="random")
    assert result.counts["seen_in_pretraining"] > 0


def test_clips_seen_by_any_of_several_encoders_are_counted(store, tmp_path, tiny):
    runs = [
        pretrain(tiny("compact", data__split=split, train__epochs=1), store, tmp_path / split)
        for split in ("subject-1", "subject-2")
    ]
    test = get_split(store, "random").test
    seen = set(test.tolist()) & {clip for run in runs for clip in get_split(store, run.info["split"]).train}
    result = evaluate(runs, store, "knn", split="random")
    assert result.counts["seen_in_pretraining"] == len(seen) == len(test)


def test_clips_seen_in_another_store_are_known_by_their_content(run, store, tmp_path):
    train, test = (getattr(get_split(store, run.info["split"]), part) for part in ("train", "test"))
    known = [*test[:6], *train[:4], *test[6:9]]  # four of them seen, in the test part of the other store
    clips = [
        Clip(store.clip(row), str(row), label=store.labels[row], split=1 if place < 6 else 2)
        for place, row in enumerate(known)
    ]
    info = evolve(store.info, dataset="part", default_split="listed")
    other = write_store(tmp_path / "part.store", clips, info, source="made")
    result = evaluate(run, other, "knn")
    assert (result.counts["test"], result.counts["seen_in_pretraining"]) == (7, 4)
    lost = evolve(
        run, info={**run.info, "store": {**run.info["store"], "path": str(tmp_path / "gone"), "relative": ""}}
    )
    assert evaluate(lost, other, "knn").counts["seen_in_pretraining"] is None


@pytest.mark.parametrize(("fraction", "subsets"), [(0.3, 3), (1.0, 1)])
def test_baselines_of_few_labels_are_means_over_the_same_subsets(run, store, monkeypatch, fraction, subsets):
    drawn = []
    fit = baselines.linear_probe

    def watched(train_x, train_y, *arguments, **options):
        drawn.append(train_x.tobytes())
        return fit(train_x, train_y, *arguments, **options)

    monkeypatch.setattr(baselines, "linear_probe", watched)
    settings = Finetune(epochs=1, batch_size=4, milestones=())
    protocol = {"settings": settings, "fraction": fraction, "repeats": 3}
    result = evaluate(run, store, "semi", **protocol, split="subject-2")
    assert len(set(drawn)) == len(drawn) == 2 * subsets
    for name in HANDMADE:
        simple = result.baseline(name)
        hits = np.atleast_2d(simple.predictions.classes) == simple.predictions.labels
        assert len(hits) == subsets
        assert simple.metric.value == pytest.approx(hits.mean())


def test_probes_are_fitted_on_the_device_that_is_asked_for(run, store, monkeypatch):
    asked = []

    def watched(*arguments, device=None, **options):
        asked.append(device)
        return linear_probe(*arguments, **options)

    for module in (robustness, embed):
        monkeypatch.setattr(module, "linear_probe", watched)
    evaluate(run, store, "robustness", device="cpu")
    classify_windows(run, store, embed_windows(run, store, length=10, step=5), device="cpu")
    assert asked == 5 * [torch.device("cpu")]


def test_features_are_kept_by_what_the_encoder_sees(run, store, tmp_path):
    data = evolve(run.recipe.data, crop=0.5)
    cropped = evolve(run, recipe=evolve(run.recipe, data=data))
    whole, middle = (inputs_of(one, store).feature_sets(trained=False)[0].features for one in (run, cropped))
    assert not np.allclose(whole, middle)


def test_features_of_masked_views_are_kept_beside_those_of_clips(run, store, monkeypatch):
    inputs = inputs_of(run, store, views=2)
    before = inputs_of(run, store).feature_sets()[0]
    found = inputs.feature_sets()[0]
    np.testing.assert_array_equal(found.features, before.features)
    assert before.masked is None
    assert found.masked.shape == (len(store), 2, before.features.shape[1])
    clips = next(masked_clips(inputs.clips, store.layout, 1))
    second = embed_array(
        run.encoder(trained=True), clips, torch.device("cpu"), stream="joint", layout=store.layout
    )
    np.testing.assert_array_equal(found.masked[:, 1], second)
    monkeypatch.setattr(evaluation_inputs, "embed_masked", None)  # a second time they are read
    np.testing.assert_array_equal(inputs.feature_sets()[0].masked, found.masked)
    for name in HANDMADE:
        own = inputs.embed(name)
        assert own.masked.shape == (len(store), 2, own.features.shape[1])


def test_smie_of_the_command_has_its_margin(run, tmp_path):
    settings = SynthSettings(classes=6, subjects=4, cameras=1, repetitions=1, shortest=12, longest=24)
    store = synth_store(tmp_path / "six.store", settings)
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal(size=(len(store.classes), 5)))
    settings = {"texts": tmp_path / "t.npy", "head": "smie", "unseen": "2", "repeats": 1, "permutations": 2}
    result = evaluate(run, store, "zero-shot", **settings, epochs=1, views=2)
    assert [one.settings["views"] for one in (result, *result.baselines[:3])] == [2] * 4


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
    result = evaluate(run, store, "knn")
    assert (result.counts["test"], result.counts["copies"]) == (10, 6)
    assert result.metric.value != result.metric.distinct
    assert result.baseline("untrained encoder").metric.distinct is not None
    chance = evaluate(run, store, "linear").baseline("chance").metric
    assert (chance.value, chance.distinct) == (0.5, 0.5)


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
    inputs = EvaluationInputs.of(encoder_refs([run], stream=stream), store)
    train, test = inputs.split.train, inputs.split.test
    x, y = inputs.embed().features, store.labels
    return linear_probe(x[train], y[train], x[test], y[test], groups=store.subjects[train]).logits


@pytest.mark.parametrize("weights", [None, (0.6, 0.4)])
def test_fusion_adds_the_logits_of_each_stream(streams, store, weights):
    runs = [streams["joint"], streams["bone"]]
    fused = evaluate(runs, store, weights=weights)
    single = [logits(run, store, run.streams[0]) for run in runs]
    expected = fuse_logits(single, weights).argmax(1)
    np.testing.assert_array_equal(fused.predictions.classes, expected)
    assert fused.stream == "joint+bone"
    assert fused.stream_title == "joint+bone" + (" (0.6, 0.4)" if weights else "")
    assert fused.weights == (weights or (1, 1))
    assert fused.runs == tuple(str(run.path) for run in runs)
    assert len(fused.baselines) == 4
    files = [Result.load(file) for file in (streams["joint"].path / "eval").glob("*.json")]
    assert sum(one == fused for one in files) == 1
    assert fused not in evaluation.results_of(streams["joint"])  # it is of two runs


def test_run_of_several_streams_is_fused(streams, store):
    run = streams["joint+bone"]
    both = evaluate(run, store, "linear")
    expected = fuse_logits([logits(run, store, name) for name in ("joint", "bone")]).argmax(1)
    np.testing.assert_array_equal(both.predictions.classes, expected)
    again = evaluate([run], store).predictions
    np.testing.assert_array_equal(again.classes, both.predictions.classes)
    with pytest.raises(ValueError, match="has no stream 'motion'; there are joint, bone"):
        evaluate(run, store, "linear", stream="motion")
    assert report(run, store, both).exists()


def test_joint_head_of_a_run_of_several_streams(streams, store):
    run = streams["joint+bone"]
    late, joint = (evaluate(run, store, "linear", fusion=fusion) for fusion in ("late", "joint"))
    parts = [EvaluationInputs.of(encoder_refs([run], stream=name), store) for name in run.streams]
    train, test = parts[0].split.train, parts[0].split.test
    for trained, found in ((True, joint), (False, joint.baseline("untrained encoder"))):
        sets = [one.embed("trained" if trained else "untrained") for one in parts]
        x = np.concatenate([one.features for one in sets], 1)
        y, groups = store.labels, sets[0].train_groups
        expected = linear_probe(x[train], y[train], x[test], y[test], groups=groups).predictions
        np.testing.assert_array_equal(found.predictions.classes, expected)
    assert (joint.stream_title, joint.weights) == ("joint+bone, joint head", ())
    assert late.cell != joint.cell
    files = [Result.load(file) for file in (run.path / "eval").glob("*.json")]
    assert {late.cell, joint.cell} <= {one.cell for one in files}  # neither replaced the other
    assert evaluate(run, store, "linear", stream="bone", fusion="joint").stream_title == "bone"


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
    parts = [inputs_of(run, store).embed().features for run in runs]
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    similarity = sum(weight * part @ part.T for weight, part in zip(weights, unit, strict=True))
    split = get_split(store, fused.split)
    train, test = split.train, split.test
    nearest = similarity[np.ix_(test, train)].argmax(1)
    np.testing.assert_array_equal(fused.predictions.classes, store.labels[train][nearest])


@pytest.mark.parametrize("weights", [None, (1.0, 0.5)])
@pytest.mark.parametrize("protocol", ["linear", "rbf"])
def test_hand_made_features_are_fused(run, store, protocol, weights):
    fused = evaluate(run, store, protocol, handmade=["distances"], weights=weights)
    inputs = inputs_of(run, store)
    sets = [inputs.embed(), inputs.embed("distances")]
    expected = evaluate_features(sets, protocol, weights=weights)
    np.testing.assert_array_equal(fused.predictions.classes, expected.predictions)
    assert fused.stream == "joint+distances"
    assert fused.weights == (weights or (1, 1))
    sets[0] = inputs.embed("untrained")
    untrained = evaluate_features(sets, protocol, weights=weights)
    assert fused.baseline("untrained encoder").metric == untrained.metrics["accuracy"]
    assert fused.baseline("distances") == evolve(
        evaluate(run, store, protocol).baseline("distances"), stream=fused.stream, weights=fused.weights
    )


@pytest.mark.parametrize(
    ("protocol", "options", "message"),
    [
        ("linear", {"handmade": ["angles"]}, "hand-made features are coordinates, distances, each once"),
        ("linear", {"handmade": ["distances"] * 2}, "each once, got distances, distances"),
        ("linear", {"handmade": ["distances"], "weights": (1.0,)}, "a weight for each encoder"),
        ("finetune", {"handmade": ["distances"]}, "it takes no hand-made features"),
    ],
)
def test_hand_made_features_that_do_not_fit_are_refused(run, store, protocol, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(run, store, protocol, **options)


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
    file = report(run, store, evaluate(run, store, "linear"))
    text = file.read_text()
    for needed in (
        "untrained encoder",
        "coordinates",
        "distances",
        "best simple baseline",
        "chance",
        store.classes[0],
        "<svg",
    ):
        assert needed in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
