import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import masked_mse, motion_energy, token_target


def bodies(count=3, frames=8, joints=5, channels=3, seed=0):
    torch.manual_seed(seed)
    return torch.randn(count, channels, frames, joints, dtype=torch.double)


def by_body(x):
    """Clips (N, C, T, V, M) of a vector file as (N M, C, T, V)."""
    return torch.from_numpy(x).movedim(4, 1).flatten(0, 1)


def test_shapes():
    x = bodies()
    assert token_target(x, tubelet=4).shape == (3, 10, 12)
    assert token_target(x, tubelet=2, kind="coordinates").shape == (3, 20, 6)
    assert motion_energy(x, tubelet=4).shape == (3, 10)
    loss = masked_mse(torch.zeros(3, 10, 12), torch.ones(3, 10, 12), torch.ones(3, 10, dtype=torch.bool))
    assert loss.shape == ()
    assert loss == 1


def test_errors():
    for function in (token_target, motion_energy):
        for wrong in (bodies(frames=7), bodies()[0]):
            with pytest.raises(ValueError, match=r"\(B, C, T, V\), T a multiple of tubelet 4, got"):
                function(wrong, tubelet=4)
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        token_target(bodies(), tubelet=4, stride=0)
    with pytest.raises(ValueError, match="kind must be motion or coordinates, got 'velocity'"):
        token_target(bodies(), tubelet=4, kind="velocity")
    with pytest.raises(ValueError, match="a token of one number"):
        token_target(bodies(channels=1), tubelet=1)
    for windows in ((), (0,)):
        with pytest.raises(ValueError, match="one or more of at least 1"):
            motion_energy(bodies(), tubelet=4, windows=windows)
    with pytest.raises(ValueError, match=r"got \(2, 3, 4\), \(2, 3, 4\), \(2, 4\), \(2, 4\)"):
        masked_mse(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4), torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"got \(2, 3, 4\), \(2, 3, 5\)"):
        masked_mse(torch.zeros(2, 3, 4), torch.zeros(2, 3, 5), torch.ones(2, 3))


@pytest.mark.vectors("mamp_target")
def test_published_numbers(vector, agree):
    config, gradients = vector.config, vector.group("grad.")
    x, mask = by_body(vector["in.x"]), torch.from_numpy(vector["in.mask"])
    options = {"tubelet": config["tubelet"], "stride": config["motion_stride"]}
    targets = {
        "plain": token_target(x, normalize=False, **options),
        "normalised": token_target(x, **options),
        "coordinates_normalised": token_target(x, kind="coordinates", **options),
    }
    agree([(targets["plain"], vector["out.patches"]), (targets["plain"], vector["out.target_plain"])])
    agree([(targets["normalised"], vector["out.target_normalised"])])
    for name, target in targets.items():
        pred = torch.from_numpy(vector["in.pred"]).requires_grad_()
        loss = masked_mse(pred, target, mask)
        agree([(loss, vector[f"out.loss_{name}"])])
        if f"loss_{name}.pred" in gradients:
            loss.backward()
            agree([(pred.grad, gradients[f"loss_{name}.pred"])])


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 14), st.integers(0, 99))
def test_formulas(tubelet, steps, joints, window, seed):
    """Targets and energies in plain loops, also for windows longer than the clip."""
    x = bodies(2, tubelet * steps, joints, 2, seed)
    frames = x.shape[2]
    moved = torch.zeros_like(x)
    for t in range(frames - window):
        moved[:, :, t] = x[:, :, t + window] - x[:, :, t]
    target = token_target(x, tubelet=tubelet, stride=window, normalize=False)
    energy = motion_energy(x, tubelet=tubelet, windows=(window,))
    for t in range(steps):
        for v in range(joints):
            part = moved[:, :, t * tubelet : (t + 1) * tubelet, v]  # (B, C, tubelet)
            torch.testing.assert_close(target[:, t * joints + v], part.mT.flatten(1))
            mean = moved.square().sum(1).mean((1, 2))
            expected = part.square().sum(1).mean(1) / mean.where(mean > 0, 1.0)
            torch.testing.assert_close(energy[:, t * joints + v], expected)


@settings(max_examples=20)
@given(st.floats(0.1, 10), st.floats(-3, 3), st.integers(0, 99))
def test_size_and_place_do_not_matter(size, place, seed):
    x = bodies(seed=seed)
    for function in (token_target, motion_energy):
        torch.testing.assert_close(
            function(100 * size * x + place, tubelet=4), function(100 * x, tubelet=4), rtol=1e-3, atol=1e-4
        )


def test_energy_follows_what_moves():
    x = torch.zeros(2, 3, 8, 5)
    x[0, 0, :, 2] = torch.arange(8.0)
    energy = motion_energy(x, tubelet=4).view(2, 2, 5)
    assert (energy[0, :, 2] > 1).all()
    assert energy[0].sum() == pytest.approx(energy[0, :, 2].sum().item()) == pytest.approx(10)
    assert not energy[1].any()  # a body that stands still


def test_energy_of_a_body_that_comes_and_goes():
    """Its way from and to the zeros where it is not there is no motion."""
    x = 5 + bodies(1, 16, 5).cumsum(2) / 100
    whole = motion_energy(x, tubelet=4)
    x[:, :, :4] = x[:, :, 12:] = 0
    part = motion_energy(x, tubelet=4).view(4, 5)
    assert part[0].eq(0).all()
    assert part[3].eq(0).all()
    assert part[1:3].min() > 0.1
    assert part.max() < 4 * whole.max()


def test_only_hidden_tokens_count_by_their_weight():
    prediction, target = bodies(2, 6, 4).flatten(2), bodies(2, 6, 4, seed=1).flatten(2)
    hidden = torch.tensor([[1, 0, 1], [0, 1, 0]], dtype=torch.bool)
    weight = torch.tensor([[1.0, 9, 2], [9, 3, 9]])
    errors = (prediction - target).square().mean(2)
    expected = (errors[0, 0] + 2 * errors[0, 2] + 3 * errors[1, 1]) / 6
    torch.testing.assert_close(masked_mse(prediction, target, hidden, weight=weight), expected)
    assert masked_mse(prediction, target, torch.zeros(2, 3)) == 0


def test_two_processes_of_different_size_agree_with_one():
    prediction, target = bodies(5, 6, 4).flatten(2), bodies(5, 6, 4, seed=1).flatten(2)
    hidden = torch.rand(5, 3, generator=torch.Generator().manual_seed(0)) > 0.4
    weight = bodies(5, 1, 3, 1).square().flatten(1)
    for extra in ({}, {"weight": weight}):
        share = hidden * extra.get("weight", 1.0)
        totals = torch.stack([share[:2].sum(), share[2:].sum()]).double()
        parts = [
            masked_mse(
                prediction[rows],
                target[rows],
                hidden[rows],
                gather=lambda _, totals=totals: totals,
                **{name: value[rows] for name, value in extra.items()},
            )
            for rows in (slice(2), slice(2, 5))
        ]
        torch.testing.assert_close(sum(parts) / 2, masked_mse(prediction, target, hidden, **extra))


def test_gradient():
    prediction = bodies(2, 6, 4).flatten(2).requires_grad_()
    target = bodies(2, 6, 4, seed=1).flatten(2).requires_grad_()
    hidden = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    assert torch.autograd.gradcheck(lambda p: masked_mse(p, target, hidden), (prediction,))
    masked_mse(prediction, target, hidden, weight=hidden).backward()
    assert target.grad is None
    x = bodies().requires_grad_()
    assert not token_target(x, tubelet=4).requires_grad
    assert not motion_energy(x, tubelet=4).requires_grad


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    def loss(x, prediction):
        hidden = torch.ones(3, 10)
        weight = motion_energy(x, tubelet=4)
        return masked_mse(prediction, token_target(x, tubelet=4), hidden, weight=weight)

    for check in (compiles, same_under_autocast):
        check(loss, bodies().float(), torch.ones(3, 10, 12))
