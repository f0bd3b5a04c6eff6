import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import Queue, contrast, cross_view, d3m, info_nce, neighbor_distillation


def unit(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape), dim=1)


def test_shapes():
    torch.manual_seed(0)
    logits = contrast(torch.randn(4, 8), torch.randn(4, 8), unit(16, 8))
    assert logits.shape == (4, 17)
    assert info_nce(logits).shape == ()


def test_errors():
    with pytest.raises(ValueError, match=r"got \(4, 8\), \(4, 8\), \(16, 7\)"):
        contrast(torch.randn(4, 8), torch.randn(4, 8), torch.randn(16, 7))
    with pytest.raises(ValueError, match="temperature must be positive"):
        contrast(torch.randn(4, 8), torch.randn(4, 8), torch.randn(16, 8), temperature=0)
    with pytest.raises(ValueError, match="expected positives"):
        info_nce(torch.zeros(4, 17), torch.ones(4, 16))
    with pytest.raises(ValueError, match="each or sum, got 'mean'"):
        info_nce(torch.zeros(4, 17), over_positives="mean")


@pytest.mark.vectors("skeletonclr")
def test_published_numbers(vector):
    query = torch.from_numpy(vector["in.q"]).requires_grad_()
    key = torch.from_numpy(vector["in.k"])
    keys = torch.from_numpy(vector["in.queue"]).T
    logits = contrast(query, key, keys, temperature=vector.config["temperature"])
    loss = info_nce(logits)
    loss.backward()
    queue = Queue(*keys.shape)
    queue.keys.copy_(keys)
    queue.push(key)
    for ours, theirs in (
        (logits, vector["out.logits"]),
        (loss, vector["out.loss"]),
        (query.grad, vector["grad.q"]),
        (queue.keys.T, vector["out.queue_after"]),
    ):
        theirs = torch.as_tensor(theirs)
        torch.testing.assert_close(ours.detach(), theirs, rtol=0, atol=1e-5 * float(theirs.abs().max()))


@settings(max_examples=20)
@given(st.permutations(range(6)), st.floats(0.05, 1.0))
def test_order_of_clips_and_length_of_vectors_do_not_matter(order, temperature):
    torch.manual_seed(0)
    query, key, negatives = torch.randn(6, 8).double(), torch.randn(6, 8).double(), unit(9, 8).double()
    loss = info_nce(contrast(query, key, negatives, temperature=temperature))
    other = info_nce(contrast(3 * query[order], 5 * key[order], negatives, temperature=temperature))
    torch.testing.assert_close(loss, other)


def test_all_entries_positive_means_uniform_target():
    torch.manual_seed(0)
    logits = torch.randn(3, 5)
    expected = torch.nn.functional.cross_entropy(logits, torch.full((3, 5), 0.2))
    torch.testing.assert_close(info_nce(logits, torch.ones(3, 5)), expected)


@settings(max_examples=20)
@given(st.integers(0, 100), st.floats(0.05, 1.0))
def test_sum_of_positives(seed, temperature):
    """The papers' form by exponentials, and its gradient: what is expected minus what is positive."""
    torch.manual_seed(seed)
    logits = ((torch.rand(5, 9).double() * 2 - 1) / temperature).requires_grad_()
    positives = (torch.rand(5, 9) < 0.3).double()
    positives[:, 0] = 1
    loss = info_nce(logits, positives, over_positives="sum")
    loss.backward()
    weights, expected, gradient = logits.detach().exp().tolist(), 0.0, torch.zeros(5, 9).double()
    for i, row in enumerate(weights):
        mined = [j for j in range(9) if positives[i, j]]
        expected -= math.log(sum(row[j] for j in mined) / sum(row)) / 5
        for j in range(9):
            own = row[j] / sum(row[m] for m in mined) if j in mined else 0
            gradient[i, j] = (row[j] / sum(row) - own) / 5
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-10, abs=1e-12)
    torch.testing.assert_close(logits.grad, gradient)


def test_forms_agree_on_a_single_positive_and_only_there():
    torch.manual_seed(0)
    logits, mask = torch.randn(4, 9).double(), torch.zeros(4, 9)
    mask[:, 0] = 1
    torch.testing.assert_close(info_nce(logits, mask, over_positives="sum"), info_nce(logits))
    mask[:, 3] = 1
    assert info_nce(logits, mask, over_positives="sum") < info_nce(logits, mask)


def test_gradient_reaches_the_query_only():
    torch.manual_seed(0)
    query, key, negatives = (torch.randn(n, 8, requires_grad=True) for n in (4, 4, 16))
    info_nce(contrast(query, key, negatives)).backward()
    assert query.grad.abs().sum() > 0
    assert key.grad is None
    assert negatives.grad is None


def test_compiles_without_graph_breaks():
    torch.manual_seed(0)
    args = torch.randn(4, 8), torch.randn(4, 8), unit(16, 8)
    compiled = torch.compile(lambda *a: info_nce(contrast(*a)), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*args), info_nce(contrast(*args)))


def test_full_precision_under_autocast():
    torch.manual_seed(0)
    args = torch.randn(4, 8), torch.randn(4, 8), unit(16, 8)
    with torch.autocast("cpu", torch.bfloat16):
        logits = contrast(*args)
    assert torch.equal(logits, contrast(*args))


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize(
    "loss",
    [
        info_nce,
        d3m,
        cross_view,
        lambda logits, others: info_nce(logits, others > 0.5),
        lambda student, teacher: neighbor_distillation(student, teacher, k=3),
    ],
)
def test_logits_of_half_precision_are_computed_in_float32(loss, autocast):
    torch.manual_seed(0)
    half = [torch.randn(4, 8).bfloat16() for _ in range(1 if loss is info_nce else 2)]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        result = loss(*half)
    torch.testing.assert_close(result, loss(*(x.float() for x in half)), rtol=0, atol=0)


@pytest.mark.vectors("isc")
def test_published_numbers_of_isc(vector, agree):
    """Queries of two representations, each among the keys of the other."""
    names, gradients = ("first", "second"), vector.group("grad.")
    queries = [torch.from_numpy(vector[f"in.q_{name}"]).requires_grad_() for name in names]
    keys = [torch.from_numpy(vector[f"in.k_{name}"]) for name in names]
    queues = [torch.from_numpy(vector[f"in.queue_{name}"]).T for name in names]
    losses = [
        info_nce(contrast(query, key, queue, temperature=vector.config["temperature"]))
        for query, key, queue in zip(queries, keys[::-1], queues[::-1], strict=True)
    ]
    total = sum(losses)
    total.backward()
    agree((loss, vector[f"out.nce_{name}"]) for loss, name in zip(losses, names, strict=True))
    agree([(total, vector["out.loss"])])
    agree((query.grad, gradients[f"q_{name}"]) for query, name in zip(queries, names, strict=True))
    for name, key, before in zip(names, keys, queues, strict=True):
        queue = Queue(*before.shape).double()
        queue.keys.copy_(before)
        queue.push(key)
        agree([(queue.keys, vector[f"out.queue_after_{name}"].T)])
