from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import CentralSpatialMask, JointMap, JointMask, PartMask, StructuralSpatialMask
from skel_data import ClipShape, SkeletonLayout, get_layout

COUNT = 5_000
# as PSTL's program lists them for NTU RGB+D
DEGREES = [3, 2, 2, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 1, 4, 1, 2, 1, 2]


def walks(layout):
    """Walks of two steps between joints, by counting: a step goes along a bone or stays."""
    joints = range(layout.num_joints)
    near = [{joint} | {a for bone in layout.bones for a in bone if joint in bone} for joint in joints]
    return [[len(near[a] & near[b]) for b in joints] for a in joints]


def lots(drawn, count):
    """Numbers (1, ...) with which the drawn ones (S, K) of so many are masked in each of S segments."""
    low = torch.full((len(drawn), count), 0.9).scatter(1, torch.from_numpy(drawn), 0.1)
    return torch.cat([torch.zeros(1), low.flatten()])[None]  # the zero says that the clip is augmented


@pytest.mark.vectors("hiclr_mask")
def test_published_numbers_of_hiclr(vector, ntu):
    x = torch.from_numpy(vector["in.x"])
    mask = JointMask(ratio=vector.config["ratio"], segments=0)
    params = mask.params(lots(vector["in.joints"], 25), ClipShape.of(x, ntu))
    visible = params.apply(torch.ones_like(x)).bool()  # one mask for all clips
    y = torch.where(visible, x, vector.config["value"])
    assert torch.equal(y, torch.from_numpy(vector["out.y"]))


@pytest.mark.vectors("pcm3_mask")
def test_published_numbers_of_pcm3(vector, ntu):
    """The program hides the parts of the first body alone."""
    config = vector.config
    shape = ClipShape(ntu, config["frames"], 2)
    parts = [set(joints) for _, joints in ntu.parts]
    order = np.array([parts.index(set(joints)) for joints in config["parts"]])
    mask = PartMask(config["hidden_parts"], config["chunks"])
    params = mask.params(lots(order[vector["in.hidden"]], len(parts)), shape)
    seen = params.apply(torch.ones(1, 3, shape.frames, 25, 2))[0]
    expected = torch.from_numpy(vector["out.mask"])[..., :1].expand(-1, -1, 2)
    assert torch.equal(seen, expected.to(seen).expand_as(seen))


def test_mask_takes_so_many_joints(ntu, make_clips, sample, assert_share):
    clips, shape = make_clips(ntu)
    keep = sample(JointMask(4), shape, COUNT).keep
    assert torch.equal(keep.sum(1), torch.full((COUNT,), 21.0, dtype=keep.dtype))
    for joint in range(25):
        assert_share(keep[:, joint] == 0, 4 / 25)
    result = sample(JointMask(4), shape, len(clips)).apply(clips)[..., 0]
    assert ((result == 0).all(1).all(1).sum(1) == 4).all()
    assert ((result == clips[..., 0]) | (result == 0)).all()


def test_mask_covers_the_confidence(coco, make_clips, sample):
    clips, shape = make_clips(coco)
    result = sample(JointMask(17), shape, len(clips)).apply(clips)
    assert result.count_nonzero() == 0


def test_mask_of_more_joints_than_there_are(coco):
    with pytest.raises(ValueError, match=r"18 joints.*coco-17.* 17"):
        JointMask(18).num_uniforms(ClipShape(coco, 5))


@pytest.mark.parametrize("kind", [StructuralSpatialMask, CentralSpatialMask])
def test_a_share_of_joints_is_hidden(kind, ntu, coco, small, make_clips, sample):
    for layout, count in ((ntu, 8), (coco, 5), (small, 2)):
        clips, shape = make_clips(layout)
        params = sample(kind(), shape, COUNT)
        assert kind().num_masked(shape) == count
        assert torch.equal((params.keep == 0).sum(1), torch.full((COUNT,), count))
        result = sample(kind(), shape, len(clips)).apply(clips)[..., 0]
        assert ((result == 0).all(1).all(1).sum(1) == count).all()
        assert ((result == clips[..., 0]) | (result == 0)).all()


@settings(max_examples=30)
@given(st.sampled_from(["ntu-25", "coco-17"]), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_structural_mask_takes_the_highest_scores(name, seeds, ratio, seed):
    layout = get_layout(name)
    shape, step = ClipShape(layout, 3), StructuralSpatialMask(seeds, ratio)
    uniforms = torch.rand(1, step.num_uniforms(shape), generator=torch.Generator().manual_seed(seed))
    drawn = [int(u * shape.joints) for u in uniforms[0, 1 : 1 + round(seeds * shape.joints)].tolist()]
    scores = [sum(walks(layout)[start][joint] for start in drawn) for joint in range(shape.joints)]
    hidden = (step.params(uniforms, shape).keep[0] == 0).tolist()
    best = sorted(scores, reverse=True)[: round(ratio * shape.joints)]
    taken = sorted((s for s, gone in zip(scores, hidden, strict=True) if gone), reverse=True)
    assert taken == best


def test_structural_seeds_and_ties_are_equally_likely(ntu, sample, assert_share):
    # one seed, one hidden joint: any of those that the seed reaches most often
    hidden = sample(StructuralSpatialMask(0.04, 0.04), ClipShape(ntu, 3), COUNT).keep == 0
    expected = torch.zeros(25, dtype=torch.float64)
    for row in torch.tensor(walks(ntu)):
        best = row == row.max()
        expected += best / best.sum() / 25
    for joint in range(25):
        assert_share(hidden[:, joint], expected[joint].item())


def test_central_mask_follows_the_bones(ntu, sample, assert_share):
    one = sample(CentralSpatialMask(0.04), ClipShape(ntu, 3), COUNT).keep == 0
    two = sample(CentralSpatialMask(0.08), ClipShape(ntu, 3), COUNT, seed=1).keep == 0
    for joint, degree in enumerate(DEGREES):
        assert_share(one[:, joint], degree / 48)
        second = sum(d / 48 * degree / (48 - d) for i, d in enumerate(DEGREES) if i != joint)
        assert_share(two[:, joint], degree / 48 + second)


def test_central_mask_with_duplicates(ntu, sample, assert_share):
    hidden = sample(CentralSpatialMask(duplicates=True), ClipShape(ntu, 3), COUNT).keep == 0
    for joint, degree in enumerate(DEGREES):
        assert_share(hidden[:, joint], 1 - comb(48 - degree, 8) / comb(48, 8))
    count = hidden.sum(1)
    assert count.max() == 8
    assert 0.1 < (count < 8).double().mean() < 0.9


@pytest.mark.parametrize("duplicates", [False, True])
def test_central_mask_takes_all(duplicates, ntu, sample):
    step = CentralSpatialMask(1, duplicates=duplicates)
    hidden = (sample(step, ClipShape(ntu, 3), 50).keep == 0).sum(1)
    assert (hidden < 25).all() if duplicates else (hidden == 25).all()


def test_extreme_uniforms(ntu):
    shape = ClipShape(ntu, 2)
    for step in (StructuralSpatialMask(), CentralSpatialMask()):
        for value in (0.0, 1 - 2**-24):
            keep = step.params(torch.full((1, step.num_uniforms(shape)), value), shape).keep
            assert keep.sum() == 17


@pytest.mark.parametrize(
    "step", [StructuralSpatialMask(1, 1), CentralSpatialMask(1), CentralSpatialMask(1, True)]
)
def test_a_single_joint(step, make_clips, sample):
    layout = SkeletonLayout.from_dict({"name": "point", "joints": ["all"], "bones": []})
    clips, shape = make_clips(layout)
    result = sample(step, shape, len(clips)).apply(clips)
    # a joint without bones has no end of a bone to draw
    assert torch.equal(result, clips if step.num_uniforms(shape) == 1 else torch.zeros_like(clips))


def test_kept_joints(ntu, sample):
    shape, step = ClipShape(ntu, 3), CentralSpatialMask()
    params = sample(step, shape, 100)
    kept = params.kept(25 - step.num_masked(shape))
    assert kept.shape == (100, 17)
    assert (kept.diff(dim=1) > 0).all()
    assert params.keep.gather(1, kept).all()


def test_kept_joints_need_a_mask():
    with pytest.raises(ValueError, match="zero no joints"):
        JointMap(index=torch.tensor([[1, 0]])).kept(2)
    with pytest.raises(ValueError, match="cannot keep 3 of 2 joints"):
        JointMap(keep=torch.ones(1, 2)).kept(3)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: JointMask(-1), "joints"),
        (lambda: JointMask(ratio=1.1), "ratio"),
        (lambda: JointMask(segments=-1), "segments"),
        (lambda: PartMask(-1), "parts"),
        (lambda: StructuralSpatialMask(seeds=-0.1), "seeds"),
        (lambda: StructuralSpatialMask(ratio=1.1), "ratio"),
        (lambda: CentralSpatialMask(ratio=-0.1), "ratio"),
    ],
)
def test_settings_out_of_range(make, key):
    with pytest.raises(ValueError, match=key):
        make()


def test_settings_of_the_wrong_type():
    with pytest.raises(TypeError, match="duplicates"):
        CentralSpatialMask(duplicates=1)


@settings(max_examples=30)
@given(st.integers(1, 20), st.integers(0, 9), st.integers(0, 25), st.integers(0, 2**32 - 1))
def test_other_joints_in_each_segment(frames, segments, joints, seed):
    shape, step = ClipShape(get_layout("ntu-25"), frames), JointMask(joints, segments=segments)
    count = segments or frames
    uniforms = torch.rand(1, step.num_uniforms(shape), generator=torch.Generator().manual_seed(seed))
    lots = uniforms[0, 1:].view(count, 25).tolist()
    keep = step.params(uniforms, shape).apply(torch.ones(1, 3, frames, 25, 1))[0, 0, :, :, 0]
    for t in range(frames):
        lot = lots[t * count // frames]
        hidden = sorted(range(25), key=lot.__getitem__)[:joints]
        assert keep[t].tolist() == [0.0 if joint in hidden else 1.0 for joint in range(25)]


def test_mask_of_a_share(ntu, coco, sample):
    assert JointMask(ratio=0.6).num_masked(ClipShape(ntu, 5)) == 15
    assert (sample(JointMask(ratio=0.6), ClipShape(coco, 5), 9).keep.sum(1) == 7).all()
    assert JointMask(99, ratio=0.2).num_uniforms(ClipShape(ntu, 5)) == 26


def test_frames_are_masked_independently(ntu, sample, assert_share):
    keep = sample(JointMask(ratio=0.1, segments=0), ClipShape(ntu, 40), 200).keep
    assert (keep.sum(2) == 23).all()
    assert_share(keep[:, :, 7] == 0, 2 / 25)
    gone = (keep[:, :, 7] == 0).double()
    together = (gone[:, 1:] * gone[:, :-1]).bool()
    assert_share(together, (2 / 25) ** 2)


@pytest.mark.parametrize(("segments", "frames"), [(1, 6), (3, 6), (0, 6)])
def test_whole_parts_are_masked(segments, frames, ntu, sample, assert_share):
    step = PartMask(2, segments)
    params = sample(step, ClipShape(ntu, frames), COUNT)
    keep = params.keep if segments != 1 else params.keep[:, None].expand(-1, frames, -1)
    hidden = torch.stack([(keep[:, :, list(joints)] == 0).all(2) for _, joints in ntu.parts], 2)
    some = torch.stack([(keep[:, :, list(joints)] == 0).any(2) for _, joints in ntu.parts], 2)
    assert torch.equal(hidden, some)
    assert (hidden.sum(2) == 2).all()
    for part in range(5):
        assert_share(hidden[:, 0, part], 2 / 5)
    if segments == 3:
        assert torch.equal(keep[:, 0::2], keep[:, 1::2])
        assert_share((hidden[:, 0] == hidden[:, 2]).all(1), 1 / 10)


def test_joints_without_a_part_stay(small, make_clips, sample):
    clips, shape = make_clips(small)
    result = sample(PartMask(3), shape, len(clips)).apply(clips)
    neck = small.joints.index("neck")
    assert torch.equal(result[:, :, :, neck], clips[:, :, :, neck])
    assert result.count_nonzero() == clips[:, :, :, neck].count_nonzero()


def test_a_joint_of_two_parts_goes_with_either(sample):
    parts = {"one": ["a", "b"], "two": ["b", "c"]}
    layout = SkeletonLayout.from_dict(
        {"name": "x", "joints": ["a", "b", "c"], "bones": [["a", "b"], ["c", "b"]], "parts": parts}
    )
    keep = sample(PartMask(1), ClipShape(layout, 2), 50).keep
    assert set(map(tuple, keep.tolist())) == {(0, 0, 1), (1, 0, 0)}


def test_layout_without_parts():
    layout = SkeletonLayout.from_dict({"name": "bare", "joints": ["a", "b"], "bones": [["a", "b"]]})
    with pytest.raises(ValueError, match=r"'bare' has 0 body parts, not 1"):
        PartMask().num_uniforms(ClipShape(layout, 5))
