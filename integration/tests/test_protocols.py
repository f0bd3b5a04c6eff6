"""Every protocol from a run, beside the functions on arrays that it is made of."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from skel_augment import preset
from skel_data import convert_store, get_layout, labelled_subset
from skel_eval import Finetune, evaluate_features, finetune
from skel_recipes import evaluate, pretrain, report, robustness, tune
from skel_recipes._trial import Trial, members_of

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
    for name, value in alone.scores.items():
        assert evaluation.result[name] == value, name
    assert evaluation.result["headline"] == next(iter(alone.scores))
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
