import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import contrast, cross_view, crossclr, info_nce


def test_errors():
    with pytest.raises(ValueError, match=r"\(2, 4\) and \(2, 5\)"):
        cross_view(torch.zeros(2, 4), torch.zeros(2, 5))
    with pytest.raises(ValueError, match="k from 1 to the queue's size 3"):
        cross_view(torch.zeros(2, 4), torch.zeros(2, 4), k=4)
    with pytest.raises(ValueError, match="two views or more, got 1"):
        crossclr([torch.zeros(2, 4)])
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        cross_view(torch.zeros(2, 4), torch.zeros(2, 4), temperature=0)


@pytest.mark.vectors("crossclr")
def test_published_numbers(vector, agree):
    temperature, streams = vector.config["temperature"], ("joint", "motion", "bone")
    queries = {name: torch.from_numpy(vector[f"in.q_{name}"]).requires_grad_() for name in streams}
    keys = {name: torch.from_numpy(vector[f"in.k_{name}"]) for name in streams}
    queues = {name: torch.from_numpy(vector[f"in.queue_{name}"]).T for name in streams}
    logits = [contrast(queries[n], keys[n], queues[n], temperature=temperature) for n in streams]
    settings = {key: vector.config[name] for key, name in (("k", "topk"), ("context", "context"))}
    losses = crossclr(logits, temperature=temperature, **settings)
    total = sum(losses)
    total.backward()
    agree([(info_nce(own), vector[f"out.single_{name}"]) for name, own in zip(streams, logits, strict=True)])
    agree([(loss, vector[f"out.cross_{name}"]) for name, loss in zip(streams, losses, strict=True)])
    agree([(total, vector["out.cross_total"])])
    gradients = vector.group("grad.")
    assert {f"q_{name}" for name in streams} <= gradients.keys()
    agree([(queries[name].grad, gradients[f"q_{name}"]) for name in streams])


@settings(max_examples=20)
@given(st.integers(1, 4), st.booleans(), st.sampled_from(["each", "sum"]), st.integers(0, 100))
def test_equation(k, context, form, seed):
    """Clip by clip, as section 3.3 has it, and with a logarithm for each positive, as the program has it."""
    torch.manual_seed(seed)
    own, guide = ((torch.rand(3, 6).double() * 2 - 1).requires_grad_() for _ in range(2))
    rows = []
    for a, b in zip(own, guide, strict=True):
        mined = [1 + int(j) for j in b[1:].argsort(descending=True)[:k]]
        entries = [*a, *(a[1:] * b[1:])] if context else list(a)
        positives = [0, *mined, *(j + 5 for j in mined if context)]
        scores = torch.exp(torch.stack(entries) / 0.5)
        parts = torch.stack([scores[j] / scores.sum() for j in positives])
        rows.append(-(parts.sum().log() if form == "sum" else parts.log().mean()))
    expected = torch.stack(rows).mean()
    settings = {"temperature": 0.5, "k": k, "context": context, "over_positives": form}
    loss = cross_view(own / 0.5, guide / 0.5, **settings)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(crossclr([own / 0.5, guide / 0.5], **settings)[0], expected)
    found, wanted = (torch.autograd.grad(one, (own, guide), allow_unused=True) for one in (loss, expected))
    assert (found[1] is None) == (wanted[1] is None) == (not context)
    torch.testing.assert_close(found[0], wanted[0])
    if context:
        torch.testing.assert_close(found[1], wanted[1])


def test_views_are_alike():
    torch.manual_seed(0)
    views = [torch.randn(4, 9) for _ in range(3)]
    losses = crossclr(views)
    for place, order in enumerate(((0, 1, 2), (1, 0, 2), (2, 1, 0))):
        torch.testing.assert_close(crossclr([views[i] for i in order])[0], losses[place])


def test_gradient_without_context_reaches_the_learner_only():
    own, guide = (torch.randn(3, 6, requires_grad=True) for _ in range(2))
    cross_view(own, guide, context=False).backward()
    assert own.grad.abs().sum() > 0
    assert guide.grad is None


def test_compiles_without_graph_breaks(compiles):
    compiles(lambda a, b: crossclr([a, b]), torch.randn(4, 9), torch.randn(4, 9))
