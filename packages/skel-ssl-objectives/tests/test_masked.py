import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from skel_ssl_objectives import (
    kept_tokens,
    masked_prediction,
    motion_energy,
    patchify,
    token_mask,
    token_motion,
    token_target,
)


def bodies(count=3, frames=12, joints=5, channels=3, seed=0):
    torch.manual_seed(seed)
    return torch.randn(count, channels, frames, joints, dtype=torch.double)


def read(vector, name):
    return torch.from_numpy(vector[name])


def bodies_of(vector):
    return read(vector, "in.x").permute(0, 4, 1, 2, 3).flatten(0, 1)


def test_shapes():
    x = bodies(frames=10)
    patches = patchify(x, 4)
    assert patches.shape == token_target(x, 4).shape == (3, 15, 12)
    motion = token_motion(patches, 5)
    assert motion.shape == motion_energy(motion, 5).shape == (3, 15)
    mask = token_mask(torch.rand(3, 15), 4, motion=motion)
    assert (mask.keep.shape, mask.keep.dtype, mask.hidden.shape) == ((3, 4), torch.int64, (3, 15))
    assert masked_prediction(patches, patches, mask.hidden).shape == ()


def test_errors():
    uniforms = torch.rand(2, 6)
    for keep in (0, 6):
        with pytest.raises(ValueError, match=rf"keep must be in 1..L - 1 .* got {keep}, \(2, 6\)"):
            token_mask(uniforms, keep)
    with pytest.raises(ValueError, match="temperature must be 0 or more, got -1"):
        token_mask(uniforms, 2, temperature=-1)
    with pytest.raises(ValueError, match=r"expected motion \(2, 6\), got \(2, 5\)"):
        token_mask(uniforms, 2, motion=torch.rand(2, 5))
    with pytest.raises(ValueError, match=r"expected tubes \(6,\), got \(5,\)"):
        token_mask(uniforms, 2, tubes=torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ValueError, match="motion-aware or in tubes, not both"):
        token_mask(uniforms, 2, motion=uniforms, tubes=torch.zeros(6, dtype=torch.int64))
    with pytest.raises(ValueError, match="no target 'bones'; there are motion, coordinates"):
        token_target(bodies(), 4, kind="bones")
    with pytest.raises(ValueError, match="motion_stride must be 1 or more, got 0"):
        token_target(bodies(), 4, motion_stride=0)
    with pytest.raises(ValueError, match=r"windows must be odd numbers of tokens, got \(2,\)"):
        motion_energy(torch.rand(2, 6), 3, (2,))
    with pytest.raises(ValueError, match="do not fit"):
        masked_prediction(torch.zeros(2, 6, 3), torch.zeros(2, 6, 3), torch.zeros(2, 5))


@pytest.mark.vectors("mamp_target")
def test_published_targets(vector, agree):
    config, x = vector.config, bodies_of(vector)
    tubelet, stride = config["tubelet"], config["motion_stride"]
    prediction, hidden = read(vector, "in.pred").requires_grad_(), read(vector, "in.mask").bool()
    for kind, normalise, name in (
        ("motion", False, "plain"),
        ("motion", True, "normalised"),
        ("coordinates", True, "coordinates_normalised"),
    ):
        target = token_target(x, tubelet, kind=kind, motion_stride=stride, normalise=normalise)
        loss = masked_prediction(prediction, target, hidden)
        agree([(loss, vector[f"out.loss_{name}"])])
        if kind == "motion":
            (grad,) = torch.autograd.grad(loss, prediction)
            agree([(target, vector[f"out.target_{name}"]), (grad, vector[f"grad.loss_{name}.pred"])])


@pytest.mark.vectors("mamp_mask")
def test_published_masks(vector):
    x, uniforms = bodies_of(vector), read(vector, "in.u")
    tau = vector.config["tau"]
    motion = token_motion(patchify(x, 4), x.shape[3])
    for case in ("published", "rounded"):
        keep = kept_tokens(uniforms.shape[1], 0.9, published=case == "published")
        assert keep == vector.config[f"keep_{case}"]
        mask = token_mask(uniforms, keep, motion=motion, temperature=tau)
        assert torch.equal(mask.keep, read(vector, f"out.ids_keep_{case}"))
        assert torch.equal(mask.hidden, read(vector, f"out.mask_{case}").bool())


def test_kept_tokens():
    assert (kept_tokens(750, 0.9), kept_tokens(750, 0.9, published=True)) == (75, 74)
    assert kept_tokens(3, 0.9) == 1


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_patches_hold_all_frames(tubelet, frames, joints, seed):
    x = bodies(2, frames, joints, seed=seed)
    patches = patchify(x, tubelet)
    steps = -(-frames // tubelet)
    assert patches.shape == (2, steps * joints, 3 * tubelet)
    back = patches.view(2, steps, joints, tubelet, 3).permute(0, 4, 1, 3, 2).flatten(2, 3)
    assert torch.equal(back[:, :, :frames], x)
    assert torch.equal(back[:, :, frames:], x[:, :, -1:].expand_as(back[:, :, frames:]))


@given(st.integers(2, 30), st.floats(0.0, 2.0), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_masks_keep_so_many(tokens, temperature, seed):
    torch.manual_seed(seed)
    keep = 1 + seed % (tokens - 1)
    mask = token_mask(torch.rand(3, tokens), keep, motion=torch.rand(3, tokens), temperature=temperature)
    assert (mask.hidden.sum(1) == tokens - keep).all()
    assert not mask.hidden.gather(1, mask.keep).any()
    assert all(len(set(row)) == keep for row in mask.keep.tolist())


def test_what_moves_is_hidden_more_often():
    torch.manual_seed(0)
    motion = torch.zeros(2000, 10)
    motion[:, :5] = 1
    hidden = token_mask(torch.rand(2000, 10), 5, motion=motion, temperature=0.5).hidden.double().mean(0)
    assert hidden[:5].min() > 0.7
    assert hidden[5:].max() < 0.3
    still = token_mask(torch.rand(2000, 10), 5, motion=0 * motion).hidden.double().mean(0)
    assert (still - 0.5).abs().max() < 0.05


@given(st.integers(0, 99), st.integers(1, 11))
@settings(max_examples=25, deadline=None)
def test_tubes_are_hidden_together(seed, keep):
    torch.manual_seed(seed)
    tubes = torch.tensor([0, 0, 1, 1, 1, 2]).repeat(2)
    mask = token_mask(torch.rand(4, 12), keep, tubes=tubes)
    assert (mask.hidden.sum(1) == 12 - keep).all()
    for row in mask.hidden:
        shares = np.array([float(row[tubes == tube].double().mean()) for tube in range(3)])
        assert ((shares > 0) & (shares < 1)).sum() <= 1


def test_energy_has_mean_one():
    motion = torch.rand(3, 20)
    assert_close(motion_energy(motion, 5).mean(1), torch.ones(3))
    assert_close(motion_energy(torch.zeros(1, 20), 5), torch.ones(1, 20))
    moved = torch.zeros(1, 20)
    moved[0, 7] = 1  # joint 2 in the second of four steps
    energy = motion_energy(moved, 5, (1, 3)).view(4, 5)
    assert energy[1, 2] == energy.max()
    assert energy[0, 2] > 0
    assert not energy[:, [0, 1, 3, 4]].any()


def test_only_hidden_tokens_count():
    prediction, target = torch.randn(2, 6, 4, requires_grad=True), torch.randn(2, 6, 4)
    hidden = torch.rand(2, 6) < 0.5
    hidden[0, 0] = True
    masked_prediction(prediction, target, hidden).backward()
    assert torch.equal(prediction.grad.abs().sum(2) > 0, hidden)
    weights = torch.rand(2, 6)
    weighted = masked_prediction(prediction, target, hidden, weights)
    errors = (prediction - target).square().mean(2)
    assert_close(weighted, (errors * weights)[hidden].sum() / hidden.sum())
    assert masked_prediction(prediction, target, torch.zeros(2, 6)) == 0


def test_precision_and_compile(same_under_autocast, compiles):
    x, hidden = torch.randn(2, 6, 4), torch.ones(2, 6, dtype=torch.bool)
    same_under_autocast(lambda a: masked_prediction(a, 0 * a, hidden), x)
    compiles(lambda a: masked_prediction(a, 0 * a, hidden), x)
    compiles(lambda a: token_target(a, 4), bodies().float())
    uniforms = torch.rand(2, 6)
    compiles(lambda u: token_mask(u, 2, motion=uniforms), uniforms)
