"""Every protocol from a run, beside the functions on arrays that it is made of."""

import numpy as np
import pytest
import torch
from attrs import evolve
from safetensors.torch import load_file, save_file
from torch import nn

from skel_augment import View, preset
from skel_data import SynthSettings, convert_store, get_layout, labelled_subset, synth_store
from skel_eval import SGD, Finetune, LinearProbe, evaluate_features, finetune
from skel_eval.report.results import protocol_name
from skel_recipes import EvaluationInputs, Run, evaluate, pretrain, report
from skel_recipes.evaluate import finetune as finetuning
from skel_recipes.evaluate.compare import compare_runs
from skel_recipes.evaluate.evaluate import results_of
from skel_recipes.evaluate.inputs import EncoderRef, encoder_refs

FROZEN = {
    "linear": {},
    "rbf": {"gammas": (1.0,)},
    "mlp": {},
    "knn": {"k": 3},
    "retrieval": {"ks": (1, 2)},
    "few-shot": {"ways": 2, "shots": 1, "queries": 2, "episodes": 20},
    "clustering": {},
}
SHORT = Finetune(epochs=2, batch_size=4, milestones=())


def inputs_of(run, store):
    return EvaluationInputs.of(encoder_refs([run]), store)


def tune(run, store, protocol="finetune", **options):
    return evaluate(run, store, protocol, **{"settings": SHORT, **options})


@pytest.mark.parametrize("protocol", FROZEN)
def test_frozen_protocol_is_that_of_the_functions_on_arrays(run, store, protocol):
    result = evaluate(run, store, protocol, **FROZEN[protocol])
    alone = evaluate_features(inputs_of(run, store).feature_sets(), protocol, **FROZEN[protocol])
    assert result.metrics == alone.metrics
    assert len(result.baselines) >= 2
    assert all(result.main in one.metrics for one in result.baselines)


def test_predictions_are_kept_for_comparisons(run, store):
    result = evaluate(run, store, "linear")
    (again,) = [one for one in results_of(run) if one == result]
    kept = again.predictions
    np.testing.assert_array_equal(kept.classes, result.predictions.classes)
    np.testing.assert_array_equal(kept.labels, store.labels[kept.clips])
    np.testing.assert_array_equal(kept.clips, inputs_of(run, store).split.test)
    np.testing.assert_array_equal(kept.groups, store.subjects[kept.clips])
    np.testing.assert_array_equal(kept.logits.argmax(1), kept.classes)


def test_fine_tuning_says_where_it_is(run, store, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("skel_recipes.common.progress.LONGEST_SILENCE", 0)
    quiet = tune(run, store, repeats=2, out=tmp_path / "a.json")
    assert capsys.readouterr().err == ""
    shown = tune(run, store, repeats=2, progress=True, out=tmp_path / "b.json")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"finetune: {n} epoch{'s' * (n > 1)} of 4" for n in (1, 2, 3, 4)]
    assert (shown.metrics, shown.settings) == (quiet.metrics, quiet.settings)


def test_fine_tuning_is_that_of_the_function_on_clips(run, store):
    before = load_file(run.path / "encoder.safetensors")
    result = tune(run, store)
    inputs = inputs_of(run, store)
    clips, train, test = inputs.clips_of(inputs.encoders[0]), inputs.split.train, inputs.split.test
    alone = finetune(
        run.encoder(), clips[train], store.labels[train], clips[test], store.labels[test], settings=SHORT
    )
    np.testing.assert_array_equal(result.predictions.classes[0], alone.predictions)
    assert result.protocol == "finetune"
    assert result.metric.value == alone.accuracy
    after = load_file(run.path / "encoder.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_few_labels_are_drawn_by_seed_and_only_they_are_used(run, store, monkeypatch):
    used = []

    def watched(encoder, train_clips, train_y, *arguments, **options):
        used.append((len(train_clips), train_y.tolist()))
        return finetune(encoder, train_clips, train_y, *arguments, **options)

    monkeypatch.setattr(finetuning, "finetune", watched)
    result = tune(run, store, "semi", fraction=0.5, repeats=2, view=preset("compact.view"))
    train = inputs_of(run, store).split.train
    drawn = [store.labels[train[labelled_subset(store.labels[train], 0.5, seed=seed)]] for seed in (0, 1)]
    assert used == 2 * [(len(labels), labels.tolist()) for labels in drawn]  # trained, then untrained
    assert (result.title, result.counts["train"]) == ("50 % of the labels", len(drawn[0]))
    assert result.metric.std >= 0
    assert 0 <= result.baseline("untrained encoder").metric.value <= 1


def test_test_labels_do_not_reach_fine_tuning(run, store):
    first = tune(run, store).predictions
    shuffled = type(store).open(store.path)
    shuffled.check()  # before the labels are no longer those that were written
    shuffled.columns["label"][first.clips] = (store.labels[first.clips] + 1) % 3
    np.testing.assert_array_equal(tune(run, shuffled).predictions.logits, first.logits)


def test_layer_decay_slows_the_first_layers(run, store):
    fast = tune(run, store).predictions
    slow = tune(run, store, layer_decay=0.1).predictions
    assert not np.array_equal(fast.logits, slow.logits)


def test_other_joints_are_converted_for_transfer(run, store, tmp_path):
    other = convert_store(store, tmp_path / "other.store", get_layout("kinect-20"))
    with pytest.raises(ValueError, match="--convert"):
        tune(run, other)
    result = tune(run, other, "transfer")
    assert result.protocol == "transfer"
    assert result.counts["seen_in_pretraining"] is None
    again = evaluate(run, other, "knn", convert=True)  # from the store that was kept
    assert again.store == result.store
    assert report(run, other, again).exists()


def test_robustness_without_corruptions_is_the_linear_probe(run, store):
    result = evaluate(run, store, "robustness")
    assert result.metrics["accuracy"].value == evaluate(run, store, "linear").metric.value
    rates = result.details["corruptions"]
    assert len(rates) == 16
    several = [value for name, value in rates.items() if name != "none"]
    assert result.metric.value == pytest.approx(np.mean(several))
    assert [one.model for one in result.baselines] == ["untrained encoder", "coordinates", "distances"]


def test_every_result_stands_in_the_report_once(store, tmp_path, tiny):
    run = pretrain(tiny("compact", train__epochs=1), store, tmp_path / "run")
    evaluate(run, store, "linear")
    evaluate(run, store, LinearProbe(SGD(epochs=2, milestones=(1,))), tag="short")
    for balanced in (True, False):
        tune(run, store, "semi", fraction=0.5, balanced=balanced, repeats=1)
    titles = {one.title for one in results_of(run)}
    few = "50 % of the labels"
    assert titles == {"linear", "linear, short", few, f"{few}, drawn uniformly"}
    text = report(run, store).read_text()
    for title in titles:
        shown = protocol_name(title)
        assert text.count(f">{shown}<") + text.count(f">{shown} <") >= 1, title


@pytest.mark.parametrize("protocol", ["knn", "finetune", "robustness"])
def test_a_tag_is_one_word(run, store, protocol):
    with pytest.raises(ValueError, match="tag has letters"):
        evaluate(run, store, protocol, tag="../elsewhere")


def test_settings_of_a_trained_probe_are_kept(run, store):
    settings = evaluate(run, store, LinearProbe(SGD(epochs=2, milestones=(1,))), tag="short").settings
    assert settings["learning_rate"] == 3
    assert list(settings["milestones"]) == [1]


def test_intervals_are_of_the_main_metric(store, tmp_path, tiny):
    runs = [
        pretrain(tiny("compact", train__seed=0, train__epochs=n), store, tmp_path / str(n)) for n in (1, 2)
    ]
    for run in runs:
        evaluate(run, store, "robustness")
        tune(run, store, "semi", fraction=0.5, repeats=2)
    found = compare_runs(runs, resamples=100).differences
    (robust,) = (value for (name, _), value in found.items() if name.startswith("robustness"))
    assert robust.interval is None  # predictions are of the recordings without corruptions
    (few,) = (value for (name, _), value in found.items() if name.startswith("50 %"))
    assert few.interval.value == pytest.approx(few.mean)


def test_the_report_is_of_its_own_recordings_and_led_by_the_encoders_own_feature(store, tmp_path, tiny):
    run = pretrain(tiny("compact", train__epochs=1), store, tmp_path / "run")
    settings = SynthSettings(classes=3, subjects=4, repetitions=1, shortest=12, longest=24)
    other = synth_store(tmp_path / "other.store", settings)
    assert other.dataset == store.dataset
    evaluate(run, other, "linear", tag="other")
    with pytest.raises(ValueError, match="was not evaluated on .*: run skel eval first"):
        report(run, store)
    evaluate(run.with_features(bins=2), store, "linear")
    evaluate(run, store, "linear")
    text = report(run, store).read_text()
    assert text.count('class="group"') == 2
    assert text.index(">linear probe <") < text.index(">linear probe, 2 bins <")


def test_runs_of_other_lengths_are_tuned_on_their_own_clips(run, store, tmp_path, tiny):
    longer = pretrain(tiny("compact", train__epochs=1, data__pipeline__frames=24), store, tmp_path / "longer")
    plain, seen = (tune([run, longer], store, view=view).predictions for view in (None, View(())))
    np.testing.assert_array_equal(seen.logits, plain.logits)
    with pytest.raises(ValueError, match="robustness takes runs with the same pipeline"):
        evaluate([run, longer], store, "robustness")


def test_report_without_test_clips_of_the_training_classes(store, tmp_path, tiny):
    run = pretrain(tiny("compact", train__epochs=1), store, tmp_path / "run")
    novel = type(store).open(store.path)
    novel.check()
    split = inputs_of(run, store).split
    novel.columns["label"][split.train] = 0
    novel.columns["label"][split.test] = 1 + np.arange(len(split.test)) % 2
    result = evaluate(run, novel, "few-shot", ways=2, queries=2, episodes=5)
    assert report(run, novel, result).exists()


class Still(nn.Module):
    """An encoder without weights."""

    feature_dim = 4

    def forward(self, clips):
        return clips.flatten(2).mean(-1).repeat(1, 2)[:, :4]


def test_streams_of_equal_encoders_have_their_own_features(run, store, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "encoder", lambda *_, **__: Still())
    mine = evolve(run, path=tmp_path)
    inputs = EvaluationInputs.of([EncoderRef(mine, "joint"), EncoderRef(mine, "bone")], store)
    joint, bone = (inputs.features(encoder) for encoder in inputs.encoders)
    assert not np.allclose(joint, bone)
    np.testing.assert_array_equal(inputs.features(inputs.encoders[1]), bone)


def test_runs_of_different_joints_are_not_fused(run, store, tmp_path, tiny):
    other = convert_store(store, tmp_path / "other.store", get_layout("kinect-20"))
    second = pretrain(tiny("compact", train__epochs=1), other, tmp_path / "second")
    with pytest.raises(ValueError, match="have different joints and cannot be fused"):
        evaluate([run, second], store, "knn", convert=True)


def test_an_epoch_chosen_on_test_clips_is_refused(store, tmp_path, tiny):
    """Somebody puts the weights of the epoch that did best on test clips in the place of the last ones."""
    run = pretrain(tiny("compact"), store, tmp_path / "run")
    file = run.path / "encoder.safetensors"
    best = {name: 0.5 * weight for name, weight in load_file(file).items()}
    save_file(best, file, metadata={"epochs": "2"})
    with pytest.raises(ValueError, match=r"weights after epoch 2, the training ended with epoch 3"):
        evaluate(run, store, "knn")
    save_file(best, file)
    with pytest.raises(ValueError, match="of an unknown epoch"):
        evaluate(run, store, "knn")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"fraction": 0.0}, "'fraction' must be > 0"), ({"repeats": 0}, "'repeats' must be >= 1")],
)
def test_errors_of_tuning(run, store, options, message):
    with pytest.raises(ValueError, match=message):
        tune(run, store, "semi", **options)


def test_unknown_protocols_and_options(run, store):
    with pytest.raises(ValueError, match="no protocol 'svm'; there are linear, rbf, mlp"):
        evaluate(run, store, "svm")
    with pytest.raises(TypeError, match="temprature"):
        evaluate(run, store, "knn", temprature=1.0)
