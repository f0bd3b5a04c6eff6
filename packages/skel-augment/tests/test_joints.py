import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import Affine, JointDistortion, LimbSwap, Shear, SpatialFlip, View, Yaw, limb_swaps
from skel_data import ClipShape, get_layout

COUNT = 5_000


@pytest.mark.parametrize("mirror_axis", [False, True])
def test_flip_twice_is_the_identity(mirror_axis, ntu, coco, make_clips, sample):
    for layout in (ntu, coco):
        clips, shape = make_clips(layout)
        params = sample(SpatialFlip(mirror_axis), shape, len(clips))
        once = params.apply(clips)
        assert not torch.equal(once, clips)
        assert torch.equal(params.apply(once), clips)


def test_flip_exchanges_joints_only(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    result = sample(SpatialFlip(), shape, len(clips)).apply(clips)
    left, right = ntu.joints.index("left hand"), ntu.joints.index("right hand")
    assert torch.equal(result[:, :, :, left], clips[:, :, :, right])
    assert torch.equal(result[:, :, :, ntu.center], clips[:, :, :, ntu.center])


def test_mirror_image(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    result = sample(SpatialFlip(mirror_axis=True), shape, len(clips)).apply(clips)
    expected = clips[:, :, :, list(ntu.mirror)] * torch.tensor([-1.0, 1, 1], dtype=clips.dtype).view(
        3, 1, 1, 1
    )
    assert torch.equal(result, expected)


def test_flip_of_flat_clips_only(ntu, coco, make_clips, sample):
    flip = SpatialFlip(mirror_axis=True, flat_only=True)
    clips, shape = make_clips(ntu)
    assert flip.num_uniforms(shape) == 0
    assert torch.equal(sample(flip, shape, len(clips)).apply(clips), clips)
    view, without = View((Yaw(), flip, Shear())), View((Yaw(), Shear()))
    drawn = (v(clips, ntu, generator=torch.Generator().manual_seed(0)) for v in (view, without))
    assert torch.equal(*drawn)
    clips, shape = make_clips(coco)
    mirrored = sample(flip, shape, len(clips)).apply(clips)
    assert torch.equal(mirrored[:, 0], -clips[:, 0, :, list(coco.mirror)])


def test_flip_probability(ntu, sample, assert_share):
    index = sample(SpatialFlip(p=0.3), ClipShape(ntu, 5), COUNT).index
    assert_share(index[:, 4] == 8, 0.3)


@pytest.mark.parametrize("name", ["ntu-25", "coco-17", "coco-wholebody-133"])
def test_swaps_exchange_one_pair_of_parts(name):
    layout = get_layout(name)
    parts = {part: set(joints) for part, joints in layout.parts}
    still, *swaps = limb_swaps(layout).tolist()
    assert still == list(range(layout.num_joints))
    moved = [{joint for joint, source in enumerate(swap) if joint != source} for swap in swaps]
    named = [name.removeprefix("left_") for name in parts if name.startswith("left_")]
    assert moved == [parts[f"left_{part}"] | parts[f"right_{part}"] for part in named]
    assert all(swap[swap[joint]] == joint for swap in swaps for joint in still)


def test_swap_tells_its_label(ntu, make_clips, sample, assert_share):
    clips, shape = make_clips(ntu, n=3000, frames=1)
    params = sample(LimbSwap(), shape, len(clips))
    for label, share in enumerate((0.33, 0.335, 0.335)):
        assert_share(params.label == label, share)
    arm, leg, head = (ntu.joints.index(name) for name in ("left hand", "left knee", "head"))
    result = params.apply(clips)
    for label, joint in ((1, arm), (2, leg)):
        swapped = params.label == label
        assert torch.equal(result[swapped, :, :, joint], clips[swapped][:, :, :, ntu.mirror[joint]])
        assert torch.equal(result[~swapped, :, :, joint], clips[~swapped][:, :, :, joint])
    assert torch.equal(result[:, :, :, head], clips[:, :, :, head])
    assert torch.equal(params.apply(result), clips)


def test_swap_of_a_clip_that_is_left_alone(ntu, sample):
    params = sample(LimbSwap(0, p=0.5), ClipShape(ntu, 2), 100)
    still = params.label == 0
    assert 20 < still.sum() < 80
    assert torch.equal((params.index == torch.arange(25)).all(1), still)


def test_layout_without_two_sides():
    with pytest.raises(ValueError, match="layout 'hand-21' has no two parts that are mirror images"):
        limb_swaps(get_layout("hand-21"))


def test_settings():
    with pytest.raises(TypeError, match="mirror_axis"):
        SpatialFlip(mirror_axis=1)
    with pytest.raises(ValueError, match="ratio"):
        JointDistortion(1.1)
    with pytest.raises(ValueError, match="amplitude"):
        JointDistortion(amplitude=-1)


def test_some_joints_are_distorted(ntu, make_clips, sample, assert_uniform, assert_share):
    clips, shape = make_clips(ntu)
    params = sample(JointDistortion(0.6, amplitude=0.7), shape, COUNT)
    assert (params.moved.sum(1) == 15).all()
    for joint in range(25):
        assert_share(params.moved[:, joint], 15 / 25)
    assert_uniform(params.matrix, -0.7, 0.7)
    params = sample(JointDistortion(), shape, len(clips))
    result = params.apply(clips)
    for i in range(len(clips)):
        stay = ~params.moved[i]
        assert torch.equal(result[i][:, :, stay], clips[i][:, :, stay])
        expected = torch.tensordot(params.matrix[i], clips[i][:, :, ~stay], 1)
        torch.testing.assert_close(result[i][:, :, ~stay], expected)


def test_distortion_of_none_and_of_all(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    assert torch.equal(sample(JointDistortion(0), shape, len(clips)).apply(clips), clips)
    everything = sample(JointDistortion(1), shape, len(clips))
    assert everything.moved.all()
    torch.testing.assert_close(everything.apply(clips), Affine(everything.matrix).apply(clips))


@settings(max_examples=20)
@given(st.sampled_from(["ntu-25", "coco-17", "hand-21"]), st.booleans(), st.integers(0, 2**32 - 1))
def test_flip_twice_is_the_identity_on_any_layout(name, mirror_axis, seed):
    layout = get_layout(name)
    generator = torch.Generator().manual_seed(seed)
    clips = torch.randn(4, layout.channels, 3, layout.num_joints, 2, generator=generator)
    step = SpatialFlip(mirror_axis, p=0.5)
    shape = ClipShape.of(clips, layout)
    params = step.params(torch.rand(4, step.num_uniforms(shape), generator=generator), shape)
    assert torch.equal(params.apply(params.apply(clips)), clips)
