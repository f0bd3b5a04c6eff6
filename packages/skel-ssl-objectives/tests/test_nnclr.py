import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from skel_ssl_objectives import Queue, mlp_head, nnclr, queue_neighbor


def rows(n=6, dim=5, seed=0):
    return torch.randn(n, dim, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def keys(count=9, dim=5):
    return functional.normalize(rows(count, dim, 1), dim=1)


def test_shapes():
    neighbors = queue_neighbor(rows(), keys())
    assert neighbors.shape == (6, 5)
    assert nnclr(rows(), neighbors).shape == ()


def test_errors():
    with pytest.raises(ValueError, match=r"\(6, 5\) and \(9, 4\)"):
        queue_neighbor(rows(), keys(dim=4))
    with pytest.raises(ValueError, match=r"ids \(6,\) and queue_ids \(9,\), got \(6,\) and None"):
        queue_neighbor(rows(), keys(), ids=torch.arange(6))
    with pytest.raises(ValueError, match=r"got \(5,\) and \(9,\)"):
        queue_neighbor(rows(), keys(), ids=torch.arange(5), queue_ids=torch.arange(9))
    with pytest.raises(ValueError, match=r"\(6, 5\) and \(7, 5\)"):
        nnclr(rows(), rows(7))
    with pytest.raises(ValueError, match="positive, got 0"):
        nnclr(rows(), rows(), temperature=0)
    with pytest.raises(ValueError, match=r"rank \(6,\), got \(1,\)"):
        queue_neighbor(rows(), keys(), rank=torch.tensor([0]))
    with pytest.raises(ValueError, match="at least two clips"):
        nnclr(rows(1), rows(1))


@pytest.mark.vectors("nnclr")
def test_published_numbers(vector, agree):
    config = vector.config
    arrays = {name: torch.from_numpy(value) for name, value in vector.group("in.").items()}
    predictions = [arrays[f"predict{view}"].requires_grad_() for view in (0, 1)]
    projections = [arrays[f"project{view}"].requires_grad_() for view in (0, 1)]
    dim, size = arrays["queue"].shape
    queue = Queue(size, dim, with_ids=True).double()
    queue.keys.copy_(arrays["queue"].T)
    queue.ids.copy_(arrays["queue_ids"])
    queue.position.fill_(config["queue_start"])
    neighbors = []
    for view in (0, 1):
        rank = arrays["dice"][view] if config["topk"] else None
        found = queue_neighbor(
            projections[view], queue.keys, ids=arrays["ids"], queue_ids=queue.ids, rank=rank
        )
        neighbors.append(found)
        assert torch.equal(found, queue.keys[vector[f"out.neighbour_of_project{view}"]])
    halves = [
        nnclr(prediction, neighbor, temperature=config["temperature"])
        for prediction, neighbor in zip(predictions, reversed(neighbors), strict=True)
    ]
    loss = (halves[0] + halves[1]) / 2
    loss.backward()
    queue.push(projections[0], arrays["ids"])
    agree((half, vector[f"out.half_predict{view}"]) for view, half in enumerate(halves))
    agree([(loss, vector["out.loss"]), (queue.keys.T, vector["out.queue_after"])])
    assert torch.equal(queue.ids, torch.from_numpy(vector["out.queue_ids_after"]))
    assert int(queue.position) == int(vector["out.queue_pointer_after"][0]) % size
    gradients = vector.group("grad.both.")
    agree((prediction.grad, gradients[f"predict{view}"]) for view, prediction in enumerate(predictions))
    assert all(projection.grad is None for projection in projections)
    assert not any(gradients[f"project{view}"].any() for view in (0, 1))


@pytest.mark.vectors("nnclr_head")
def test_published_head(vector, agree):
    """Projector and predictor as the method builds them: a BatchNorm, and an MLP with one."""
    tokens = torch.from_numpy(vector["in.tokens"]).requires_grad_()
    width, bodies = tokens.shape[2], vector.config["bodies"]
    projector = nn.Sequential(nn.BatchNorm1d(width))
    predictor = mlp_head(width, vector.config["hidden_dim"], width, batch_norm=True)
    head = nn.ModuleDict({"projector": projector, "predictor": predictor}).to(tokens.dtype)
    head.load_state_dict({name: torch.from_numpy(value) for name, value in vector.group("state.").items()})

    def forward():
        projection = projector(tokens.unflatten(0, (-1, bodies)).mean((1, 2)))
        return predictor(projection), projection

    head.eval()
    agree(zip(forward(), (vector["out.predict_eval"], vector["out.project_eval"]), strict=True))
    head.train()
    prediction, projection = forward()
    loss = prediction.square().mean() + projection.pow(3).mean()
    loss.backward()
    agree(
        [(prediction, vector["out.predict"]), (projection, vector["out.project"]), (loss, vector["out.loss"])]
    )
    own = dict(head.named_parameters()) | {"tokens": tokens}
    agree((own[name].grad, value) for name, value in vector.group("grad.").items())
    state = head.state_dict()
    agree((state[name], value) for name, value in vector.group("running_after.").items())


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(2, 20), st.integers(0, 100))
def test_a_clip_is_never_its_own_neighbor(n, count, seed):
    queue = keys(count)
    ids = torch.randint(n, (count,), generator=torch.Generator().manual_seed(seed))
    own = torch.arange(n)
    found = queue_neighbor(rows(n, seed=seed), queue, ids=own, queue_ids=ids)
    far = queue_neighbor(rows(n, seed=seed), queue, ids=own, queue_ids=ids, rank=torch.full((n,), count))
    for clip, each in enumerate(zip(found, far, strict=True)):
        if (ids != clip).any():
            assert all(ids[(queue == key).all(1)].item() != clip for key in each)


def test_ranks_are_in_order_of_similarity():
    z, queue = rows(), keys()
    similar = functional.normalize(z, dim=1) @ queue.T
    for rank in range(9):
        found = queue_neighbor(z, queue, rank=torch.full((6,), rank))
        assert torch.equal(found, queue[similar.argsort(1, descending=True)[:, rank]])
    assert torch.equal(queue_neighbor(z, queue, rank=torch.full((6,), 20)), found)  # of 9 keys
    assert torch.equal(queue_neighbor(z, queue), queue_neighbor(z, queue, rank=torch.zeros(6).long()))


def test_two_processes_agree_with_one():
    prediction, neighbor = functional.normalize(rows(), dim=1), rows(seed=3)
    halves = [
        nnclr(part, neighbor[3 * rank :][:3], gather=lambda _: prediction, rank=rank)
        for rank, part in enumerate(prediction.split(3))
    ]
    torch.testing.assert_close(sum(halves) / 2, nnclr(prediction, neighbor))


def test_gradient():
    neighbor = rows(seed=3)
    assert torch.autograd.gradcheck(lambda z: nnclr(z, neighbor), rows().requires_grad_())


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    for check in (compiles, same_under_autocast):
        check(nnclr, rows().float(), rows(seed=3).float())
        check(queue_neighbor, rows().float(), keys().float())
