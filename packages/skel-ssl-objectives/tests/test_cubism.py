import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from skel_ssl_objectives import cubism


def case(n=6, classes=6, labelled=4, actions=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = [
        torch.randn(*size, generator=generator, dtype=torch.double)
        for size in ((n, classes), (labelled, actions))
    ]
    labels = [torch.randint(x.shape[1], (len(x),), generator=generator) for x in logits]
    return logits[0], labels[0], logits[1], labels[1]


def test_shapes():
    terms = cubism(*case())
    assert {name: term.shape for name, term in terms.items()} == {"action": (), "order": ()}
    assert set(cubism(*case()[:2])) == {"order"}


def test_errors():
    logits, orders, action_logits, actions = case()
    with pytest.raises(ValueError, match=r"logits \(N, K\) and labels \(N,\), got \(6, 6\) and \(4,\)"):
        cubism(logits, actions)
    with pytest.raises(ValueError, match="go together"):
        cubism(logits, orders, action_logits)
    with pytest.raises(ValueError, match=r"got \(4, 5\) and \(6,\)"):
        cubism(logits, orders, action_logits, orders)


@pytest.mark.vectors("cubism.loss")
def test_published_numbers(vector, agree):
    action_logits, order_logits = (
        torch.from_numpy(vector[f"in.{name}"]).requires_grad_() for name in ("action_logits", "order_logits")
    )
    actions, orders = (torch.from_numpy(vector[f"in.{name}"]) for name in ("actions", "orders"))
    batch = len(actions)
    if vector.config["way"] == "original":  # source and target clips, all permuted
        rows = (order_logits, orders, action_logits[:batch], actions)
    else:  # clips as they are, then the same permuted
        rows = (order_logits[batch:], orders, action_logits, actions.repeat(2))
    weight = vector.config["weight"]
    terms = cubism(*rows, order_weight=weight)
    loss = terms["action"] + terms["order"]
    grads = torch.autograd.grad(loss, (action_logits, order_logits))
    agree([(terms["action"], vector["out.action"]), (terms["order"], weight * vector["out.order"])])
    agree([(loss, vector["out.loss"])])
    agree(zip(grads, (vector["grad.action_logits"], vector["grad.order_logits"]), strict=True))


def test_equals_cross_entropies():
    logits, orders, action_logits, actions = case()
    terms = cubism(logits, orders, action_logits, actions, order_weight=0.3)
    torch.testing.assert_close(terms["action"], functional.cross_entropy(action_logits, actions))
    torch.testing.assert_close(terms["order"], 0.3 * functional.cross_entropy(logits, orders))


@settings(max_examples=20)
@given(st.integers(1, 8), st.integers(2, 7), st.integers(0, 100))
def test_chance_costs_the_logarithm_of_the_classes(n, classes, seed):
    _, orders, *_ = case(n, classes, seed=seed)
    order = cubism(torch.zeros(n, classes), orders, order_weight=1.0)["order"]
    torch.testing.assert_close(order, torch.tensor(float(classes)).log())


def test_gradients():
    logits, orders, action_logits, actions = case(3, 3, 2, 4)
    for x in (logits, action_logits):
        x.requires_grad_()
    torch.autograd.gradcheck(
        lambda a, b: sum(cubism(a, orders, b, actions).values()), (logits, action_logits)
    )


def test_precision_and_compile(same_under_autocast, compiles):
    logits, orders, *_ = case()
    same_under_autocast(lambda x: cubism(x, orders)["order"], logits.float())
    compiles(lambda x: cubism(x, orders)["order"], logits)
