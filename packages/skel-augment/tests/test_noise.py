import pytest
import torch

from skel_augment import GaussianNoise, JointDrift, JointJitter
from skel_data import ClipShape


def test_noise_is_normal(ntu, sample):
    values = sample(GaussianNoise(0.01), ClipShape(ntu, 50, 2), 100).values
    assert values.shape == (100, 3, 50, 25, 2)
    flat = values.flatten().sort().values
    place = torch.arange(1, len(flat) + 1) / len(flat)
    assert (torch.special.ndtr(flat) - place).abs().max() < 2.23 / len(flat) ** 0.5


@pytest.mark.parametrize("frames", [1, 4])
def test_odd_and_even_counts(ntu, sample, frames):
    params = sample(GaussianNoise(), ClipShape(ntu, frames), 4000)
    values = params.values.flatten(1)
    correlation = values.T @ values / len(values)
    off = correlation - torch.eye(values.shape[1], dtype=values.dtype)
    assert off.abs().max() < 6 * 2**0.5 / len(values) ** 0.5


def test_standard_deviation(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, n=40, frames=50)
    step = GaussianNoise(0.2, p=0.5)
    change = (sample(step, shape, len(clips)).apply(clips) - clips)[..., 0].flatten(1).std(1)
    assert ((change == 0) | ((change - 0.2).abs() < 0.02)).all()
    assert 0 < (change == 0).sum() < 40


def test_extreme_uniforms_stay_finite(ntu):
    shape = ClipShape(ntu, 2)
    for value in (0.0, 1 - 2**-24):
        uniforms = torch.full((1, GaussianNoise().num_uniforms(shape)), value)
        assert GaussianNoise().params(uniforms, shape).values.isfinite().all()


def test_coordinates_only(coco, make_clips, sample):
    clips, shape = make_clips(coco)
    assert sample(GaussianNoise(), shape, len(clips)).values.shape[1] == 2


def test_published_noise_falls_on_absent_bodies(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    step = GaussianNoise(keep_zero="nothing")
    result = sample(step, shape, len(clips)).apply(clips)
    assert result.count_nonzero() == result.numel()


def test_settings():
    with pytest.raises(ValueError, match="std"):
        GaussianNoise(-1)
    with pytest.raises(ValueError, match="std"):
        JointJitter(-1)
    with pytest.raises(ValueError, match="keep_zero"):
        GaussianNoise(keep_zero="none")
    with pytest.raises(ValueError, match="share"):
        JointDrift(share=1.1)
    with pytest.raises(ValueError, match="knots"):
        JointDrift(knots=1)


def test_drift_is_normal_at_its_knots_and_linear_between(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, n=1000, frames=5)
    off = sample(JointDrift(0.2, share=1, knots=3), shape, 1000).apply(clips) - clips
    off = off[..., 0] / 0.2
    torch.testing.assert_close(off[:, :, 1::2], (off[:, :, :-2:2] + off[:, :, 2::2]) / 2, atol=1e-4, rtol=0)
    for knot in (0, 2, 4):
        flat = off[:, :, knot].flatten().sort().values
        place = torch.arange(1, len(flat) + 1) / len(flat)
        assert (torch.special.ndtr(flat) - place).abs().max() < 2.23 / len(flat) ** 0.5
    assert abs(float((off[:, :, 0] * off[:, :, 4]).mean())) < 5 / off[:, :, 0].numel() ** 0.5


def test_drift_takes_a_share_of_the_joints(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, n=400, frames=4)
    off = sample(JointDrift(share=0.3), shape, 400).apply(clips) - clips
    moved = (off[..., 0] != 0).flatten(1, 2)
    assert torch.equal(moved.any(1), moved.all(1))
    share, count = moved.any(1).float().mean(), moved.any(1).numel()
    assert abs(float(share) - 0.3) < 5 * (0.3 * 0.7 / count) ** 0.5


def test_jitter_is_normal_and_stays(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, n=1000, frames=3)
    step = JointJitter(0.2)
    off = sample(step, shape, 1000).apply(clips) - clips
    torch.testing.assert_close(off, off[:, :, :1].expand_as(off))
    flat = (off[:, :, 0, :, 0] / 0.2).flatten().sort().values
    place = torch.arange(1, len(flat) + 1) / len(flat)
    assert (torch.special.ndtr(flat) - place).abs().max() < 2.23 / len(flat) ** 0.5


def test_padding_stays_empty(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    clips[:, :, 5:] = 0
    for step in (GaussianNoise(), JointJitter(), JointDrift(share=1)):
        result = sample(step, shape, len(clips)).apply(clips)
        assert result[:, :, 5:].count_nonzero() == 0
        assert (result[:, :, :5, :, 0] != clips[:, :, :5, :, 0]).all()
    step = GaussianNoise(keep_zero="bodies")
    assert sample(step, shape, len(clips)).apply(clips)[:, :, 5:, :, 0].all()
