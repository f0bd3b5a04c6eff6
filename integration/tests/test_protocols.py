"""Every protocol from a run, beside the functions on arrays that it is made of."""

import re

import numpy as np
import pytest
import torch
from attrs import evolve
from safetensors.torch import load_file, save_file
from torch import nn

from skel_augment import preset
from skel_data import convert_store, get_layout, labelled_subset
from skel_eval import SGD, Finetune, evaluate_features, finetune
from skel_recipes import Run, evaluate, pretrain, report, robustness, tune
from skel_recipes._compare import compare_runs
from skel_recipes._seeds import evaluations
from skel_recipes._trial import Member, Trial, members_of

FROZEN = {
    "linear": {},
    "mlp": {},
    "knn": {"k": 3},
    "retrieval": {"ks": (1, 2)},
    "few-shot": {"ways": 2, "shots": 1, "queries": 2, "episodes": 20},
    "clustering": {},
}
SHORT = Finetune(epochs=2, batch_size=4, milestones=())


def features_of(run, store):
    trial = Trial.of(members_of([run]), store)
    (features,) = trial.feature_sets()
    return features


@pytest.mark.parametrize("protocol", FROZEN)
def test_frozen_protocol_is_that_of_the_functions_on_arrays(run, store, protocol):
    evaluation = evaluate(run, store, protocol, **FROZEN[protocol])
    alone = evaluate_features(features_of(run, store), protocol, **FROZEN[protocol])
    for name, metric in alone.metrics.items():
        assert evaluation.result[name] == metric.value, name
    assert evaluation.result["headline"] == next(iter(alone.metrics))
    assert len(evaluation.result["baselines"]) >= 2
    for scores in evaluation.result["baselines"].values():
        assert evaluation.result["headline"] in scores
    assert "http" not in report(run, evaluation).read_text().replace("http://www.w3.org", "")


def test_predictions_are_kept_for_comparisons(run, store):
    evaluation = evaluate(run, store, "linear")
    (file,) = (run.path / "eval").glob("*-linear.npz")
    with np.load(file) as kept:
        np.testing.assert_array_equal(kept["predictions"], evaluation.predictions)
        np.testing.assert_array_equal(kept["labels"], store.labels[kept["clips"]])
        np.testing.assert_array_equal(kept["clips"], evaluation.split.test)
        np.testing.assert_array_equal(kept["groups"], store.subjects[kept["clips"]])
        np.testing.assert_array_equal(kept["logits"].argmax(1), kept["predictions"])


def test_fine_tuning_is_that_of_the_function_on_clips(run, store):
    before = load_file(run.path / "encoder.safetensors")
    evaluation = tune(run, store, settings=SHORT)
    trial = Trial.of(members_of([run]), store)
    clips, train, test = trial.clips(trial.members[0]), trial.split.train, trial.split.test
    alone = finetune(
        run.encoder(), clips[train], store.labels[train], clips[test], store.labels[test], settings=SHORT
    )
    np.testing.assert_array_equal(evaluation.predictions, alone.predictions)
    assert evaluation.result["protocol"] == "finetune"
    assert evaluation.result["accuracy"] == alone.accuracy
    after = load_file(run.path / "encoder.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_few_labels_are_drawn_by_seed_and_only_they_are_used(run, store, monkeypatch):
    from skel_recipes import _tune

    seen = []

    def watched(encoder, train_clips, train_y, *arguments, **options):
        seen.append((len(train_clips), train_y.tolist()))
        return finetune(encoder, train_clips, train_y, *arguments, **options)

    monkeypatch.setattr(_tune, "finetune", watched)
    evaluation = tune(run, store, settings=SHORT, fraction=0.5, repeats=2, view=preset("compact.view"))
    train = evaluation.split.train
    drawn = [store.labels[train[labelled_subset(store.labels[train], 0.5, seed=seed)]] for seed in (0, 1)]
    assert seen == 2 * [(len(labels), labels.tolist()) for labels in drawn]  # trained, then untrained
    result = evaluation.result
    assert (result["protocol"], result["train_clips"]) == ("semi", len(drawn[0]))
    assert result["accuracy_std"] >= 0
    assert 0 <= result["baselines"]["untrained encoder"]["accuracy"] <= 1


def test_test_labels_do_not_reach_fine_tuning(run, store):
    first = tune(run, store, settings=SHORT)
    shuffled = type(store).open(store.path)
    shuffled.columns["label"][first.split.test] = (store.labels[first.split.test] + 1) % 3
    np.testing.assert_array_equal(tune(run, shuffled, settings=SHORT).logits, first.logits)


def test_layer_decay_slows_the_first_layers(run, store):
    fast = tune(run, store, settings=SHORT)
    slow = tune(run, store, settings=SHORT, layer_decay=0.1)
    assert not np.array_equal(fast.logits, slow.logits)


def test_other_joints_are_converted_for_transfer(run, store, tmp_path):
    other = convert_store(store, tmp_path / "other.store", get_layout("kinect-20"))
    with pytest.raises(ValueError, match="--convert"):
        tune(run, other, settings=SHORT)
    evaluation = tune(run, other, settings=SHORT, convert=True)
    assert evaluation.result["protocol"] == "transfer"
    assert evaluation.result["test_clips_seen_in_pretraining"] is None
    assert evaluation.store.layout.num_joints == run.layout.num_joints
    assert report(run, evaluation).exists()
    again = evaluate(run, other, "knn", convert=True)  # from the store that was kept
    assert again.store.hash == evaluation.store.hash


def test_robustness_without_faults_is_the_linear_probe(run, store):
    result = robustness(run, store).result
    assert result["accuracy"] == evaluate(run, store, "linear").result["accuracy"]
    faults = result["faults"]["trained"]
    assert len(faults) == 16
    several = [value for name, value in faults.items() if name != "none"]
    assert result["accuracy_with_faults"] == pytest.approx(np.mean(several))
    assert result["baselines"].keys() == {"untrained encoder", "ridge on coordinates"}


def test_every_evaluation_stands_in_the_report_once(store, tmp_path, tiny):
    run = pretrain(tiny("compact", train__epochs=1), store, tmp_path / "run")
    evaluate(run, store, "linear")
    evaluate(run, store, "linear", solver=SGD(epochs=2, milestones=(1,)), tag="short")
    semi = [tune(run, store, settings=SHORT, fraction=0.5, balanced=balanced) for balanced in (True, False)]
    text = report(run, semi[-1]).read_text()
    assert text.count('<tr class="result">') == len(list((run.path / "eval").glob("*.json"))) == 4
    titles = {one.protocol for one in evaluations(run)}
    assert titles == {"linear", "linear-short", "semi-50", "semi-50-uniform"}
    told = re.findall(r'<tr class="group"><th colspan="\d">(.*?) <small>', text)
    assert len(set(told)) == len(told) == 4
    assert "linear, short" in told


def test_a_tag_keeps_results_apart_and_is_part_of_a_name(store, run):
    for tag in ("", "again"):
        assert robustness(run, store, tag=tag).result["tag"] == tag
    names = {file.stem.partition("-robustness")[2] for file in (run.path / "eval").glob("*-robustness*.json")}
    assert {"", "-again"} <= names
    for apply in (evaluate, tune, robustness):
        with pytest.raises(ValueError, match="tag has letters"):
            apply(run, store, tag="../elsewhere")


def test_settings_of_a_trained_probe_are_kept(run, store):
    solver = SGD(epochs=2, milestones=(1,))
    result = evaluate(run, store, "linear", solver=solver, tag="short").result
    assert result["settings"]["learning_rate"] == 3
    assert result["settings"]["milestones"] == [1]


def test_intervals_are_of_the_main_number(store, tmp_path, tiny):
    runs = [
        pretrain(tiny("compact", train__seed=0, train__epochs=n), store, tmp_path / str(n)) for n in (1, 2)
    ]
    semi = []
    for run in runs:
        robustness(run, store)
        semi.append(tune(run, store, settings=SHORT, fraction=0.5, repeats=2))
    found = compare_runs(runs, resamples=100).differences
    (robust,) = (value for (name, _), value in found.items() if name.startswith("robust"))
    assert robust.interval is None  # predictions are of the recordings without faults
    (few,) = (value for (name, _), value in found.items() if name.startswith("semi"))
    assert few.interval.difference == pytest.approx(few.mean)
    assert semi[0].predictions.shape == (len(semi[0].split.test),)


def test_report_without_test_clips_of_the_training_classes(store, tmp_path, tiny):
    run = pretrain(tiny("compact", train__epochs=1), store, tmp_path / "run")
    novel = type(store).open(store.path)
    split = Trial.of(members_of([run]), store).split
    novel.columns["label"][split.train] = 0
    novel.columns["label"][split.test] = 1 + np.arange(len(split.test)) % 2
    evaluation = evaluate(run, novel, "few-shot", ways=2, queries=2, episodes=5)
    assert report(run, evaluation).exists()


class Still(nn.Module):
    """An encoder without weights."""

    feature_dim = 4

    def forward(self, clips):
        return clips.flatten(2).mean(-1).repeat(1, 2)[:, :4]


def test_streams_of_equal_encoders_have_their_own_features(run, store, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "encoder", lambda *_, **__: Still())
    mine = evolve(run, path=tmp_path)
    trial = Trial.of([Member(mine, "joint"), Member(mine, "bone")], store)
    joint, bone = (trial.features(member) for member in trial.members)
    assert not np.allclose(joint, bone)
    np.testing.assert_array_equal(trial.features(trial.members[1]), bone)


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
    with pytest.raises(ValueError, match="of an epoch that it does not tell"):
        evaluate(run, store, "knn")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"fraction": 0.0}, "fraction must be above 0"), ({"repeats": 0}, "repeats must be 1 or more")],
)
def test_errors_of_tuning(run, store, options, message):
    with pytest.raises(ValueError, match=message):
        tune(run, store, settings=SHORT, **options)


def test_unknown_protocols_and_options(run, store):
    with pytest.raises(ValueError, match="no protocol 'svm'; there are linear, mlp"):
        evaluate(run, store, "svm")
    with pytest.raises(TypeError, match="temprature"):
        evaluate(run, store, "knn", temprature=1.0)
