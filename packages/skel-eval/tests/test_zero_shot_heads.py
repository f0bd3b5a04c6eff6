"""Heads of SMIE and InfoCPL against the published programs' numbers."""

import numpy as np
import pytest
import torch

from skel_eval import InfoCPLHead, JointEstimator, smie_frames, smie_loss, smie_scores


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
