import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import contrast, d3m, info_nce, nearest_neighbors


def test_errors():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        d3m(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="k from 1"):
        nearest_neighbors([torch.zeros(2, 3)], k=3)


@pytest.mark.vectors("aimclr")
def test_published_numbers(vector):
    temperature, k = vector.config["temperature"], vector.config["topk"]
    queries = [
        torch.from_numpy(vector[f"in.{q}"]).requires_grad_() for q in ("q", "q_extreme", "q_extreme_drop")
    ]
    key, keys = torch.from_numpy(vector["in.k"]), torch.from_numpy(vector["in.queue"]).T
    normal, extreme, dropped = (contrast(query, key, keys, temperature=temperature) for query in queries)
    positives = nearest_neighbors([normal, extreme, dropped], k=k)
    divergence = (d3m(extreme, normal) + d3m(dropped, normal)) / 2
    stage_two = info_nce(normal, positives) + divergence
    stage_two.backward()
    assert torch.equal(positives, torch.from_numpy(vector["out.positives"]))
    for ours, theirs in (
        (info_nce(normal), "out.info_nce"),
        (d3m(extreme, normal), "out.d3m_extreme"),
        (d3m(dropped, normal), "out.d3m_drop"),
        (info_nce(normal) + divergence, "out.stage_one"),
        (info_nce(normal, positives), "out.nnm"),
        (stage_two, "out.stage_two"),
        (queries[0].grad, "grad.q"),
        (queries[1].grad, "grad.q_extreme"),
        (queries[2].grad, "grad.q_extreme_drop"),
    ):
        expected = torch.as_tensor(vector[theirs])
        torch.testing.assert_close(ours.detach(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.vectors("hiclr")
def test_published_numbers_of_hiclr(vector, agree):
    """A chain of D3M: each view learns from the next weaker one."""
    temperature, names = vector.config["temperature"], ("q", "q_strong", "q_masked")
    queries = [torch.from_numpy(vector[f"in.{name}"]).requires_grad_() for name in names]
    key, keys = torch.from_numpy(vector["in.k"]), torch.from_numpy(vector["in.queue"]).T
    views = [contrast(query, key, keys, temperature=temperature) for query in queries]
    basic, strong, masked = views
    positives = nearest_neighbors(views, k=vector.config["topk"])
    assert torch.equal(positives, torch.from_numpy(vector["out.positives"]))
    losses = {
        "info_nce": info_nce(basic),
        "chain_strong": d3m(strong, basic),
        "chain_masked": d3m(masked, strong),
        "mined": info_nce(basic, positives),
    }
    chain = (losses["chain_strong"] + losses["chain_masked"]) / 2
    stages = {"stage_one": losses["info_nce"] + chain, "stage_two": losses["mined"] + chain}
    agree((loss, vector[f"out.{name}"]) for name, loss in (losses | stages).items())
    for stage, loss in stages.items():
        grads = torch.autograd.grad(loss, queries, retain_graph=True)
        agree((grad, vector[f"grad.{stage}.{name}"]) for name, grad in zip(names, grads, strict=True))


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 100))
def test_mined_positives_are_the_union_of_neighbours(k, views, seed):
    torch.manual_seed(seed)
    logits = [torch.randn(5, 9) for _ in range(views)]
    positives = nearest_neighbors(logits, k=k)
    for row in range(5):
        expected = {0}
        for view in logits:
            expected |= {1 + int(j) for j in view[row, 1:].argsort(descending=True)[:k]}
        assert set(positives[row].nonzero()[:, 0].tolist()) == expected


def test_divergence_is_least_at_the_target_and_finite_in_half_precision():
    torch.manual_seed(0)
    target = torch.randn(4, 9)
    least = d3m(target, target)
    entropy = -(target.softmax(1) * target.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(least, entropy)
    assert d3m(target + torch.randn(4, 9), target) > least
    assert d3m((200 * target).to(torch.bfloat16), target.to(torch.bfloat16)).isfinite()


def test_target_gets_no_gradient():
    a, b = torch.randn(2, 5, requires_grad=True), torch.randn(2, 5, requires_grad=True)
    d3m(a, b).backward()
    assert a.grad is not None
    assert b.grad is None
