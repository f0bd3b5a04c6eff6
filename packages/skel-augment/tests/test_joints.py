import pytest
import torch

from skel_augment import ClipShape, Shear, SpatialFlip, View, Yaw

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
    assert flip.draws(shape) == 0
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


def test_settings():
    with pytest.raises(TypeError, match="mirror_axis"):
        SpatialFlip(mirror_axis=1)
