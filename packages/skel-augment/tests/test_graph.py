import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import add_edges, drop_edges


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def graph():
    weights, lots = torch.rand(2, 3, 6, 6, generator=seeded(9), dtype=torch.float64)
    return weights * (lots < 0.3)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.95), st.integers(0, 2**32 - 1))
def test_edges_are_dropped_or_grown(p, seed):
    graph = torch.rand(2, 3, 6, 6, dtype=torch.float64, generator=seeded(1))
    result = drop_edges(graph, p, generator=seeded(seed))
    assert ((result == 0) | ((result - graph / (1 - p)).abs() < 1e-12)).all()


def test_shares(graph, assert_share):
    many = graph.expand(2_000, -1, -1, -1)
    there = many != 0
    assert_share((drop_edges(many, 0.3, generator=seeded()) == 0)[there], 0.3)
    denser = add_edges(many, 0.2, generator=seeded())
    assert_share((denser != 0)[~there], 0.2)
    assert (denser != 0)[there].all()


def test_edges_are_independent(graph):
    lost = (drop_edges(torch.ones(4000, 1, 3, 3), 0.5, generator=seeded()) == 0).flatten(1).double()
    correlation = torch.corrcoef(lost.T) - torch.eye(9)
    assert correlation.abs().max() < 4.5 / 4000**0.5


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_added_edges_keep_the_sum(p, seed):
    graph = torch.eye(5, dtype=torch.float64).expand(4, 2, -1, -1)
    result = add_edges(graph, p, generator=seeded(seed))
    torch.testing.assert_close(result.sum((1, 2, 3)), graph.sum((1, 2, 3)))
    # all edges of a clip weigh the same, old or new
    for each in result:
        assert each[each != 0].std() < 1e-12


def test_a_graph_without_edges_stays_empty():
    result = add_edges(torch.zeros(2, 3, 6, 6), torch.tensor([0.0, 0.5]).view(2, 1, 1, 1), generator=seeded())
    assert not result.any()


def test_strength_of_each_clip(graph):
    many = graph.expand(3, -1, -1, -1)
    strength = torch.tensor([0.0, 0.5, 0.0], dtype=torch.float64).view(3, 1, 1, 1)
    for change in (drop_edges, add_edges):
        result = change(many, strength, generator=seeded())
        assert torch.equal(result[[0, 2]], many[[0, 2]])
        assert not torch.equal(result[1], many[1])


def test_clips_are_drawn_one_after_the_other(graph):
    whole = drop_edges(graph.expand(5, -1, -1, -1), 0.4, generator=seeded())
    generator = seeded()
    parts = [drop_edges(graph.expand(n, -1, -1, -1), 0.4, generator=generator) for n in (2, 3)]
    assert torch.equal(torch.cat(parts), whole)


def test_gradient(graph):
    graph.requires_grad_()
    assert torch.autograd.gradcheck(lambda g: drop_edges(g, 0.4, generator=seeded()), graph)
    full = torch.rand(1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g: add_edges(g, 0.4, generator=seeded()), full)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: drop_edges(torch.eye(3), 1), "p must be at least 0 and below 1, got 1"),
        (lambda: add_edges(torch.ones(1, 3, 3), -0.1), "p must be from 0 to 1"),
        (lambda: add_edges(torch.eye(3), 0.1), r"at least 3 axes \(K, V, V\), got shape \(3, 3\)"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
