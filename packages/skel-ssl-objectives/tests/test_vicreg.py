import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from skel_ssl_objectives import (
    covariance_loss,
    cross_correlation,
    umurl,
    usdrl,
    variance_loss,
    vicreg,
)

SETS = {"temporal": 0.5, "spatial": 0.5, "instance": 1.0}


def views(count, n=8, dim=6, seed=0):
    torch.manual_seed(seed)
    return [torch.randn(n, dim, dtype=torch.double) for _ in range(count)]


def total(terms):
    return torch.stack(list(terms.values())).sum()


def read(vector, name):
    return torch.from_numpy(vector[f"in.{name}"]).requires_grad_()


def test_shapes():
    assert {name: term.shape for name, term in vicreg(views(3)).items()} == {
        "invariance": (),
        "variance": (),
        "covariance": (),
    }
    assert set(usdrl(views(4))) == {"similarity", "variance", "covariance"}
    assert set(usdrl(views(4), correlation_weight=0.1)) == {
        "similarity",
        "variance",
        "covariance",
        "correlation",
    }
    assert set(umurl(views(3), views(3))) == {"intra", "inter", "variance", "covariance"}


def test_errors():
    for loss in (vicreg, usdrl):
        with pytest.raises(ValueError, match=r"two views or more, got \(8, 6\)"):
            loss(views(1))
        with pytest.raises(ValueError, match=r"\(8, 6\), \(8, 5\)"):
            loss([*views(1), *views(1, dim=5)])
        with pytest.raises(ValueError, match="got none"):
            loss([])
    with pytest.raises(ValueError, match="for each modality, got 2 of 3"):
        umurl(views(3), views(2))
    with pytest.raises(ValueError, match=r"two modalities or more, got \(8, 6\), \(8, 6\)$"):
        umurl(views(1), views(1))
    with pytest.raises(ValueError, match=r"\(8, 6\), \(7, 6\)"):
        cross_correlation(*views(1), *views(1, n=7))
    for term in (variance_loss, covariance_loss):
        with pytest.raises(ValueError, match=r"an \(N, D\) tensor, got \(3,\)"):
            term(torch.zeros(3))
        with pytest.raises(ValueError, match="two clips or more"):
            term(torch.zeros(1, 3))


@pytest.mark.vectors("vicreg")
def test_published_numbers(vector, agree):
    config, gradients = vector.config, vector.group("grad.")
    if config["case"] == "terms":
        weight, epsilon = config["variance_weight"], config["variance_epsilon"]
        single, wide = (torch.from_numpy(vector[f"in.{name}"]) for name in ("single", "wide"))
        agree([(weight * variance_loss(single, epsilon=epsilon), vector["out.variance_of_single"])])
        agree([(covariance_loss(wide), vector["out.covariance_of_wide"])])
        names = [f"z{number}" for number in range(4)]
        z = [read(vector, name) for name in names]
        losses = {
            "variance_covariance": weight * variance_loss(z[0], epsilon=epsilon) + covariance_loss(z[0]),
            "similarity": usdrl(z, similarity_weight=1)["similarity"],
            "cross_correlation": cross_correlation(*z[:2], off_diagonal=config["cross_off_diagonal_weight"]),
        }
        for name, loss in losses.items():
            agree([(loss, vector[f"out.{name}"])])
            grads = torch.autograd.grad(loss, z, allow_unused=True)
            agree(
                (grad, gradients[f"{name}.{view}"])
                for view, grad in zip(names, grads, strict=True)
                if grad is not None
            )
        return
    assert config["weights"] == SETS
    inputs = {name: [read(vector, f"{name}{number}") for number in range(4)] for name in SETS}
    for case, weight in (("plus", 0.0), ("usdrl", config["cross_correlation_weight"])):
        terms = {name: usdrl(z, correlation_weight=weight) for name, z in inputs.items()}
        for name, parts in terms.items():
            agree([(parts["similarity"] / 5, vector[f"out.similarity_{name}"])])
            both = parts["variance"] + parts["covariance"]
            agree([(both, vector[f"out.variance_covariance_{name}"])])
            if weight:
                agree([(parts["correlation"] / weight, vector[f"out.cross_correlation_{name}"])])
        loss = sum(SETS[name] * total(parts) for name, parts in terms.items())
        agree([(loss, vector[f"out.loss_{case}"])])
        for name, z in inputs.items():
            grads = torch.autograd.grad(loss, z, retain_graph=True)
            agree((grad, gradients[f"{case}.{name}{number}"]) for number, grad in enumerate(grads))


@pytest.mark.vectors("umurl")
def test_published_numbers_of_umurl(vector, agree):
    config, modalities = vector.config, ("joint", "motion", "bone")
    weights = {
        "consistency_weight": config["similarity_weight"],
        "variance_weight": config["variance_weight"],
        "covariance_weight": config["regulariser_weight"],
    }
    names = [*modalities, *(f"fused_{name}" for name in modalities)]
    z = [read(vector, name) for name in names]
    terms = umurl(z[:3], z[3:], **weights)
    agree((terms[name] / config["similarity_weight"], vector[f"out.{name}"]) for name in ("intra", "inter"))
    regulariser = sum(torch.as_tensor(vector[f"out.regulariser_{name}"]) for name in names)
    agree([(terms["variance"] + terms["covariance"], regulariser), (total(terms), vector["out.loss"])])
    grads = torch.autograd.grad(total(terms), z)
    agree((grad, vector[f"grad.{name}"]) for name, grad in zip(names, grads, strict=True))


def test_two_views_are_the_paper():
    """Equation 6 with its weights, 25, 25 and 1."""
    first, second = views(2)
    expected = 25 * functional.mse_loss(first, second)
    for view in (first, second):
        covariance = torch.cov(view.T)
        expected += 25 / 2 * functional.relu(1 - (torch.diagonal(covariance) + 1e-4).sqrt()).mean()
        expected += (covariance - torch.diag(torch.diagonal(covariance))).square().sum() / 6
    terms = vicreg([first, second], invariance_weight=50, variance_weight=12.5, covariance_weight=1)
    torch.testing.assert_close(total(terms), expected)


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 100))
def test_sums_without_their_matrices(n, dim, seed):
    first, second = views(2, n, dim, seed)
    covariance = first.T.cov().reshape(dim, dim)
    beside = covariance - torch.diag(torch.diagonal(covariance))
    torch.testing.assert_close(covariance_loss(first), beside.square().sum() / dim, atol=1e-12, rtol=1e-9)
    scaled = [(x - x.mean(0)) / x.std(0) for x in (first, second)]
    correlation = scaled[0].T @ scaled[1] / n
    diagonal = torch.diagonal(correlation)
    expected = (1 - diagonal).square().sum() + 0.1 * (correlation - torch.diag(diagonal)).square().sum()
    torch.testing.assert_close(cross_correlation(first, second, off_diagonal=0.1), expected)


@settings(max_examples=20)
@given(st.integers(2, 5), st.floats(-5, 5), st.randoms())
def test_order_and_offset_do_not_matter(count, offset, random):
    z = views(count)
    shuffled = [view + offset for view in z]
    random.shuffle(shuffled)
    torch.testing.assert_close(vicreg(shuffled), vicreg(z), rtol=1e-9, atol=1e-9)


def test_equal_views_that_vary_cost_nothing_but_their_covariance():
    view = 3 * views(1, n=64)[0]
    terms = vicreg([view, view, view])
    assert terms["invariance"] < 1e-25
    assert terms["variance"] == 0
    assert terms["covariance"] > 0


def halves(z, **hook):
    return umurl(z[:2], z[2:], **hook)


def test_two_processes_agree_with_one():
    for loss in (vicreg, halves, lambda z, **hook: usdrl(z, correlation_weight=0.1, **hook)):
        z = views(4, n=6)
        everyone = iter(z)
        part = loss([view[:3] for view in z], gather=lambda _, everyone=everyone: next(everyone))
        torch.testing.assert_close(part, loss(z))


def test_gradient():
    z = [view.requires_grad_() for view in views(3, n=5, dim=4)]
    assert torch.autograd.gradcheck(lambda *z: total(vicreg(z)), z)
    assert torch.autograd.gradcheck(lambda *z: total(usdrl(z, correlation_weight=0.1)), z)
    z = [view.requires_grad_() for view in views(4, n=5, dim=4)]
    assert torch.autograd.gradcheck(lambda *z: total(halves(z)), z)


def test_collapsed_views_have_finite_gradients():
    z = [torch.ones(4, 3, requires_grad=True) for _ in range(3)]
    (total(vicreg(z)) + total(usdrl(z, correlation_weight=0.1))).backward()
    assert all(view.grad.isfinite().all() for view in z)


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    for check in (compiles, same_under_autocast):
        check(lambda *z: total(vicreg(z)), *(view.float() for view in views(3)))
        check(lambda *z: total(usdrl(z, correlation_weight=0.1)), *(view.float() for view in views(4)))
        check(lambda *z: total(halves(z)), *(view.float() for view in views(4)))
