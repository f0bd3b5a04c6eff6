"""Heads of SMIE and InfoCPL against the published programs' numbers."""

import numpy as np
import pytest
import torch
from attrs import evolve

from skel_eval import (
    FeatureSet,
    InfoCPLHead,
    JointEstimator,
    ZeroShot,
    evaluate_features,
    smie_frames,
    smie_loss,
    smie_scores,
)
from skel_eval.zero_shot import ridge, training


def close(found, expected):
    expected = torch.from_numpy(np.asarray(expected))
    atol = 1e-5 * max(float(expected.abs().max()), 1e-12)
    torch.testing.assert_close(found.detach(), expected, atol=atol, rtol=0)


def tensors(arrays):
    return {name: torch.from_numpy(np.asarray(values)) for name, values in arrays.items()}


@pytest.mark.vectors("smie")
def test_smie_numbers(vector):
    head = JointEstimator(vector.config["visual_size"] + vector.config["text_size"], vector.config["hidden"])
    head.load_state_dict(tensors(vector.group("state.global_D.")))
    given = tensors(vector.group("in."))
    leaves = {name: given[name].requires_grad_() for name in ("features", "features_masked", "texts")}
    found = smie_loss(head, leaves["features"], leaves["texts"], leaves["features_masked"])
    for name in ("estimate", "estimate_masked", "margin_term", "loss"):
        close(getattr(found, name), vector[f"out.{name}"])
    found.loss.backward()
    for name, leaf in leaves.items():
        close(leaf.grad, vector[f"grad.{name}"])
    for name, leaf in head.named_parameters():
        close(leaf.grad, vector[f"grad.global_D.{name}"])
    for normalise, ending in ((False, ""), (True, "_with_layernorm")):
        scores = smie_scores(head, given["test_features"], given["unseen_texts"], normalise=normalise)
        close(scores, vector[f"out.scores{ending}"])
        assert scores.argmax(1).tolist() == vector[f"out.predicted{ending}"].tolist()


@pytest.mark.vectors("smie.view")
def test_smie_view_numbers(vector):
    x, ranks = torch.from_numpy(vector["in.x"]), torch.from_numpy(vector["in.ranks"])
    frames = smie_frames(x, ranks, masked=vector.config["masked"])
    assert frames.tolist() == vector["out.frame"].tolist()
    taken = torch.stack([clip[:, rows] for clip, rows in zip(x, frames, strict=True)])
    assert torch.equal(taken, torch.from_numpy(vector["out.y"]))


@pytest.mark.vectors("infocpl")
def test_infocpl_numbers(vector):
    sizes = vector.config
    head = InfoCPLHead(sizes["visual_size"], sizes["text_size"], sizes["heads"], sizes["hidden"])
    head.load_state_dict(tensors(vector.group("state.")))
    given = tensors(vector.group("in."))
    features, texts = given["features"].requires_grad_(), given["texts"]
    mixed = torch.stack(
        [head.mixtures(index, features, texts, sizes["sign"])[1] for index in range(len(head.kept))]
    )
    close(mixed, vector["out.class_texts"])
    losses = head.losses(features, given["labels"], texts, given["ranks"], sign=sizes["sign"])
    close(losses, vector["out.head_losses"])
    close(losses.mean(), vector["out.loss"])
    losses.mean().backward()
    close(features.grad, vector["grad.features"])
    for name, leaf in head.named_parameters():
        if f"grad.{name}" in vector.arrays:
            close(leaf.grad, vector[f"grad.{name}"])
    scores = head.scores(given["test_features"], given["unseen_texts"])
    close(scores, vector["out.test_scores"])
    assert scores.argmax(1).tolist() == vector["out.predicted"].tolist()


def test_smie_without_a_masked_view_is_its_estimate():
    head = JointEstimator(7, (5, 3))
    found = smie_loss(head, torch.randn(4, 4), torch.randn(4, 3))
    assert torch.equal(found.loss, -found.estimate)
    assert found.margin_term is None


def test_smie_frames_errors():
    clips = torch.randn(2, 3, 10, 4, 1)
    with pytest.raises(ValueError, match="below the 10 frames"):
        smie_frames(clips, torch.arange(2), masked=10)
    with pytest.raises(ValueError, match="0..6"):
        smie_frames(clips, torch.tensor([1, 7]), masked=3)


@pytest.fixture
def masked_set():
    """Ten classes, each clip with two masked views that tell which clip and view they are."""
    labels, rows = np.arange(60) % 10, np.arange(60)
    features = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    masked = np.stack([features + 100, features + 200], 1)
    names = [f"action {one}" for one in range(10)]
    return FeatureSet(features, labels, rows[:40], rows[40:], masked=masked, class_names=names)


def test_smie_learns_its_margin_from_one_view_of_the_same_clips(masked_set, monkeypatch):
    seen = []

    def watched(head, features, texts, masked=None):
        seen.append((features, masked))
        return smie_loss(head, features, texts, masked)

    monkeypatch.setattr(training, "smie_loss", watched)
    x, masked = torch.from_numpy(masked_set.features), torch.from_numpy(masked_set.masked)
    labels, texts = torch.arange(60) % 10, torch.eye(10)
    options = {"epochs": 8, "learning_rate": 1e-3, "seed": 0}
    training.train_head("smie", x, labels, texts, **options, masked=masked)
    moved = [torch.round((view - rows).mean()).item() for rows, view in seen]
    assert set(moved) == {100, 200}
    for (rows, view), step in zip(seen, moved, strict=True):
        torch.testing.assert_close(view - rows, torch.full_like(rows, step), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("views", "note"), [(2, False), (0, False), (None, True)])
def test_zero_shot_says_whether_smie_had_masked_views(masked_set, tmp_path, views, note):
    np.save(tmp_path / "t.npy", np.random.default_rng(1).normal(size=(10, 5)))
    protocol = ZeroShot(tmp_path / "t.npy", "3", 1, head="smie", permutations=2, views=views or 0, epochs=1)
    if views is None:
        protocol = ZeroShot(tmp_path / "t.npy", "3", 1, head="smie", permutations=2, epochs=1)
        masked_set = evolve(masked_set, masked=None)
    outcome = evaluate_features(masked_set, protocol)
    assert outcome.settings["views"] == (views or 0)
    assert any("without its margin" in line for line in outcome.details["notes"]) == note


def test_masked_views_are_fused_and_narrowed_as_the_features_are(masked_set, tmp_path, monkeypatch):
    monkeypatch.setattr(ridge, "WIDEST", 7)
    seen = []

    def watched(head, features, texts, masked=None):
        seen.append((features.shape[1], masked.shape[1]))
        return smie_loss(head, features, texts, masked)

    monkeypatch.setattr(training, "smie_loss", watched)
    np.save(tmp_path / "t.npy", np.random.default_rng(1).normal(size=(10, 5)))
    protocol = ZeroShot(tmp_path / "t.npy", "3", 1, head="smie", permutations=2, epochs=1)
    evaluate_features(masked_set, protocol)
    evaluate_features([masked_set, masked_set], protocol)
    assert set(seen) == {(6, 6), (7, 7)}


def test_masked_views_of_a_feature_set_are_checked_and_saved(masked_set, tmp_path):
    loaded = FeatureSet.load(masked_set.save(tmp_path / "f.npz"))
    np.testing.assert_array_equal(loaded.masked, masked_set.masked)
    given = (masked_set.features, masked_set.labels, masked_set.train, masked_set.test)
    with pytest.raises(ValueError, match=r"masked must have shape \(60, views, 6\), got \(60, 6\)"):
        FeatureSet(*given, masked=masked_set.features)
    with pytest.raises(ValueError, match="masked"):
        FeatureSet(*given, masked=np.full((60, 1, 6), np.nan))
