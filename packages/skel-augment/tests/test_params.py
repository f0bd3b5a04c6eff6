import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import (
    Affine,
    Chain,
    FrameMask,
    JointAffine,
    JointMap,
    Mix,
    Noise,
    PaddedCrop,
    PointMask,
    TimeFilter,
    TimeIndex,
    TimePosition,
    fold,
)

N, C, T, V, M = 3, 3, 5, 4, 2


def clips_of(seed):
    return torch.randn(N, C, T, V, M, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_step(kind, seed):
    g = torch.Generator().manual_seed(seed)
    match kind:
        case "affine":
            return Affine(torch.randn(N, 3, 3, generator=g, dtype=torch.float64))
        case "index":
            return TimeIndex(torch.randint(0, T, (N, T), generator=g))
        case "position":
            return TimePosition((T - 1) * torch.rand(N, T, generator=g, dtype=torch.float64))
        case "filter":
            return TimeFilter(0.1 + torch.rand(N, 3, generator=g, dtype=torch.float64), dims=3)
        case "swap":
            return JointMap(index=torch.randint(0, V, (N, V), generator=g))
        case "mask":
            return JointMap(keep=torch.randint(0, 2, (N, V), generator=g).double())
        case "frames":
            return FrameMask(torch.randint(0, 2, (N, T), generator=g).double())
        case "filled":
            ratio, lot = torch.rand(2, N, generator=g, dtype=torch.float64)
            return PaddedCrop(ratio, lot, ratio < 0.7, 1, T)
        case "points":
            return PointMask(torch.randint(0, 2, (N, T, V), generator=g).double())
        case "some":
            moved = torch.randint(0, 2, (N, V), generator=g).bool()
            return JointAffine(torch.randn(N, 3, 3, generator=g, dtype=torch.float64), moved)
        case "mix":
            partner = torch.randint(0, N, (N,), generator=g)
            return Mix(partner, torch.randint(0, 2, (N, T, V), generator=g).bool())
        case "blend":
            partner, frame = torch.randint(0, N, (N,), generator=g), torch.randint(0, T, (N, T), generator=g)
            return Mix(partner, torch.rand(N, T, V, generator=g, dtype=torch.float64), frame)
        case "noise":
            return Noise(torch.randn(N, 3, T, V, M, generator=g, dtype=torch.float64), torch.ones(N))
        case "chain":
            return Chain((random_step("swap", seed), random_step("affine", seed)))
        case "nested":
            return Chain((random_step("chain", seed), random_step("index", seed)))


KINDS = [
    "filled",
    "affine",
    "index",
    "position",
    "filter",
    "swap",
    "mask",
    "frames",
    "points",
    "some",
    "mix",
    "blend",
    "noise",
]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*KINDS, "chain", "nested"]), max_size=6), st.integers(0, 1000))
def test_folded_steps_do_the_same(kinds, seed):
    steps = [random_step(kind, seed + i) for i, kind in enumerate(kinds)]
    one_by_one = folded = clips_of(seed)
    for step in steps:
        one_by_one = step.apply(one_by_one)
    for step in fold(steps):
        folded = step.apply(folded)
    torch.testing.assert_close(folded, one_by_one, rtol=1e-12, atol=1e-12)


def test_fold_merges_across_other_axes():
    steps = [
        random_step(kind, i)
        for i, kind in enumerate(["affine", "index", "nested", "index", "mask", "affine"])
    ]
    assert sorted(type(step).__name__ for step in fold(steps)) == ["Affine", "JointMap", "TimeIndex"]


def test_fold_does_not_reach_across_noise():
    steps = [random_step(kind, 0) for kind in ("affine", "noise", "affine")]
    assert [type(step) for step in fold(steps)] == [Affine, Noise, Affine]


def test_affine_is_a_matrix_on_each_joint():
    clips, step = clips_of(0), random_step("affine", 1)
    torch.testing.assert_close(step.apply(clips), torch.einsum("nij,njtvm->nitvm", step.matrix, clips))


def test_affine_with_fewer_dims_keeps_the_other_channels():
    clips = clips_of(0)
    result = Affine(torch.full((N, 2, 2), 2.0, dtype=torch.float64)).apply(clips)
    assert torch.equal(result[:, 2], clips[:, 2])
    torch.testing.assert_close(result[:, 1], 2 * (clips[:, 0] + clips[:, 1]))


def test_time_maps_may_change_the_length():
    clips = clips_of(0)
    assert torch.equal(TimeIndex(torch.tensor([[3, 1]] * N)).apply(clips), clips[:, :, [3, 1]])
    halfway = TimePosition(torch.full((N, 1), 1.5, dtype=torch.float64)).apply(clips)
    torch.testing.assert_close(halfway, clips[:, :, 1:3].mean(2, keepdim=True))


def test_position_after_the_end_reads_the_last_frame():
    clips = clips_of(0)
    result = TimePosition(torch.tensor([[T - 1.0, T + 3.0]] * N, dtype=torch.float64)).apply(clips)
    assert torch.equal(result, clips[:, :, [-1, -1]])


@pytest.mark.parametrize("normalised", [False, True])
def test_filter_weights(normalised):
    taps = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    weights = TimeFilter(taps, 3, normalised).weights(3)[0]
    expected = torch.tensor([[2, 1, 0], [1, 2, 1], [0, 1, 2]], dtype=torch.float64)
    assert torch.equal(weights, expected / expected.sum(1, keepdim=True) if normalised else expected)


def test_filter_wider_than_the_clip():
    weights = TimeFilter(torch.tensor([[3.0, 2.0, 1.0, 9.0]]), 3, normalised=False).weights(2)[0]
    assert torch.equal(weights, torch.tensor([[3.0, 2.0], [2.0, 3.0]]))


def test_some_joints_are_moved():
    clips, step = clips_of(0), random_step("some", 1)
    moved = torch.einsum("nij,njtvm->nitvm", step.matrix, clips)
    for i in range(N):
        for v in range(V):
            expected = moved if step.moved[i, v] else clips
            torch.testing.assert_close(step.apply(clips)[i, :, :, v], expected[i, :, :, v])


def test_points_are_zeroed():
    keep = torch.ones(N, T, V, dtype=torch.float64)
    keep[1, 2, 3] = 0
    clips = clips_of(0)
    result = PointMask(keep).apply(clips)
    assert result[1, :, 2, 3].count_nonzero() == 0
    assert (result != clips).sum() == 3 * M


def test_joint_map_moves_then_masks():
    clips = clips_of(0)
    index = torch.tensor([[0, 2, 1, 3]] * N)
    keep = torch.tensor([[1.0, 0.0, 1.0, 1.0]] * N, dtype=torch.float64)
    result = JointMap(index, keep).apply(clips)
    assert torch.equal(result[..., 2, :], clips[..., 1, :])
    assert result[..., 1, :].count_nonzero() == 0


@pytest.mark.parametrize("frames", [1, T])
@pytest.mark.parametrize("keep_zero", ["frames", "bodies", "joints", "nothing"])
def test_noise_keeps_zeros(keep_zero, frames):
    clips = clips_of(0)
    clips[0, ..., 1] = 0  # absent body
    clips[1, :, 2, 3, 0] = 0  # joint missing in one frame
    clips[1, :, 4, :, 1] = 0  # body missing in one frame
    clips[2, 1] = 0  # a coordinate that is zero by chance: not a missing joint
    result = Noise(torch.ones(N, 3, frames, V, M, dtype=torch.float64), torch.ones(N), keep_zero).apply(clips)
    assert torch.equal(result[0, ..., 1] == 0, torch.full((3, T, V), keep_zero != "nothing"))
    assert torch.equal(result[1, :, 2, 3, 0] == 0, torch.full((3,), keep_zero == "joints"))
    assert torch.equal(result[1, :, 4, :, 1] == 0, torch.full((3, V), keep_zero in ("joints", "frames")))
    assert torch.equal(result[1, :, :4, :, 1], clips[1, :, :4, :, 1] + 1)
    assert torch.equal(result[2], clips[2] + 1)


@pytest.mark.parametrize("keep_zero", ["frames", "bodies"])
def test_noise_sees_the_smallest_body(keep_zero):
    clips = torch.zeros(1, 3, 2, V, 2)
    clips[0, 1, 1, 2, 0] = 1e-44
    result = Noise(torch.ones(1, 3, 2, V, 2), torch.ones(1), keep_zero).apply(clips)
    assert result[..., 0].count_nonzero() == 3 * V * (2 if keep_zero == "bodies" else 1)
    assert result[..., 1].count_nonzero() == 0
