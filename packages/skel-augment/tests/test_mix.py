import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import Mix, PartMix, View, preset, sample_views
from skel_data import ClipShape, get_layout

COUNT = 5_000
PARTS = dict(get_layout("ntu-25").parts)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_region_is_the_partners(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, n=8, frames=64)
    params = sample(PartMix(), shape, 8)
    result = params.apply(clips)
    for i in range(8):
        for t in range(64):
            for v in range(25):
                source = params.partner[i] if params.region[i, t, v] else i
                assert torch.equal(result[i, :, t, v], clips[source, :, t, v])


def test_parts_and_frames_are_whole(ntu, sample, assert_share):
    region = sample(PartMix(), ClipShape(ntu, 64), COUNT).region
    frames, joints = region.any(2), region.any(1)
    assert torch.equal(region, frames[:, :, None] & joints[:, None])
    # as SkeleMixCLR's program: 2 or 3 of 5 parts, 7 to 11 of 16 times 4 frames in a row
    mixed = torch.stack([joints[:, list(part)].all(1) for part in PARTS.values()], 1)
    assert torch.equal(mixed, torch.stack([joints[:, list(part)].any(1) for part in PARTS.values()], 1))
    for count in (2, 3):
        assert_share(mixed.sum(1) == count, 1 / 2)
    for part in range(5):
        assert_share(mixed[:, part], 1 / 2)
    assert torch.equal(frames.view(-1, 16, 4).any(2), frames.view(-1, 16, 4).all(2))
    segments = frames[:, ::4].int()
    assert (torch.nn.functional.pad(segments, (1, 1)).diff(dim=1) == 1).sum(1).max() == 1
    for length in range(7, 12):
        assert_share(segments.sum(1) == length, 1 / 5)
        starts = segments[segments.sum(1) == length].argmax(1)
        for start in range(17 - length):
            assert_share(starts == start, 1 / (17 - length))


def test_share(ntu, sample):
    params = sample(PartMix(parts=(5, 5), window=(4, 4), p=0.5), ClipShape(ntu, 64), 100)
    assert set(params.share.tolist()) == {0.0, 0.25}
    assert Mix(torch.tensor([0]), torch.ones(1, 3, 4, dtype=torch.bool)).share.tolist() == [1.0]


@pytest.mark.vectors("pcm3_mix")
def test_published_numbers_of_pcm3(vector, ntu):
    """The three things that PCM3's program does, from its draws."""
    config, x = vector.config, torch.from_numpy(vector["in.x"])
    n, _, frames = x.shape[:3]
    shape = ClipShape.of(x, ntu)
    segments = frames // 4
    length, joints = config["frames"] // 4, set(config["joints"])
    parts = [set(part) <= joints for _, part in ntu.parts]
    step = PartMix((1, 5), segments, (1, segments), squeezed=0.25, blended=0.25)
    # the parts at those places of the order of their numbers that hold the first ones
    places = np.argsort(np.argsort([not part for part in parts], kind="stable"))
    lots = (np.argsort(places) + 0.5) / len(parts)
    mode = {"swap": 0.2, "squeezed": 0.6, "mixup": 0.8}[config["mode"]]
    share = float(vector["out.region"].mean())
    drawn = [
        0.0,  # the clip is augmented
        (vector["in.partner"][0] - 0.5) / (n - 1),
        (sum(parts) - 0.5) / 5,
        (length - 0.5) / segments,
        (config["first_frame"] // 4 + 0.5) / (segments - length + 1),
        *lots,
        mode,
        share,
    ]
    params = step.params(torch.tensor([drawn] * n, dtype=torch.float32), shape)
    assert params.partner.tolist() == vector["in.partner"].tolist()
    region = torch.from_numpy(vector["out.region"]).repeat_interleave(4, 0)
    torch.testing.assert_close(params.region, region.expand_as(params.region))
    torch.testing.assert_close(params.share, torch.full((n,), share))
    torch.testing.assert_close(params.apply(x), torch.from_numpy(vector["out.y"]), rtol=0, atol=1e-6)


def test_modes_are_drawn_clip_by_clip(ntu, sample, assert_share):
    params = sample(PartMix(squeezed=0.25, blended=0.5), ClipShape(ntu, 64), COUNT)
    blended = (params.region == params.region[:, :1, :1]).all(2).all(1)
    squeezed = (params.frame != torch.arange(64)).any(1)
    assert_share(blended, 1 / 2)
    assert_share(squeezed, 1 / 4)
    assert not (blended & squeezed).any()
    assert_share(params.share[blended] < 0.3, 0.3)
    assert (params.frame < 64).all()


def test_a_squeezed_window_never_leaves_the_partner(ntu, make_clips, sample):
    """22 frames of 32 have no 44 to be squeezed of: all 32 are taken."""
    step = PartMix(parts=(5, 5), segments=16, window=(11, 11), squeezed=1.0)
    params = sample(step, ClipShape(ntu, 32), 3)
    frames = params.region.any(2)
    expected = torch.arange(22) * 32 // 22
    assert all(torch.equal(params.frame[i][frames[i]], expected) for i in range(3))


@settings(max_examples=30)
@given(st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_everyone_has_another_partner(n, seed):
    step, shape = PartMix(), ClipShape(get_layout("ntu-25"), 20)
    partner = step.params(
        torch.rand(n, step.num_uniforms(shape), generator=seeded(seed)), shape
    ).partner.tolist()
    assert sorted(partner) == list(range(n))
    assert n < 2 or all(i != other for i, other in enumerate(partner))


def test_all_partners_are_equally_likely(ntu, assert_share):
    step, shape = PartMix(), ClipShape(ntu, 20)
    draws = torch.rand(900, 4, step.num_uniforms(shape), generator=seeded())
    first = torch.stack([step.params(uniforms, shape).partner[0] for uniforms in draws])
    for other in (1, 2, 3):
        assert_share(first == other, 1 / 3)


def test_extreme_uniforms(ntu):
    step, shape = PartMix(), ClipShape(ntu, 64)
    for value, shift, length in ((0.0, 1, 7), (1 - 2**-24, 4, 11)):
        params = step.params(torch.full((5, step.num_uniforms(shape)), value), shape)
        assert params.partner[0] == shift
        assert (params.region.any(2).sum(1) == 4 * length).all()


def test_regions_do_not_depend_on_the_batch(ntu):
    shape, view = ClipShape(ntu, 20), View((PartMix(),))
    whole = view.sample(shape, 7, generator=seeded())[0].region
    generator = seeded()
    parts = [view.sample(shape, n, generator=generator)[0].region for n in (3, 4)]
    assert torch.equal(torch.cat(parts), whole)


def test_one_region_for_the_batch(ntu, make_clips):
    clips, shape = make_clips(ntu, n=5)
    params = sample_views([View((PartMix(),))], shape, 5, generator=seeded(), same=True)[0][0]
    assert torch.equal(params.region, params.region[:1].expand_as(params.region))
    assert sorted(params.partner.tolist()) == [0, 1, 2, 3, 4]
    mixed, other = params.region[0], clips[params.partner]
    expected = torch.where(mixed[:, :, None], other, clips)
    assert torch.equal(params.apply(clips), expected)


def test_the_same_mix_of_another_stream(ntu, make_clips, sample):
    joints, shape = make_clips(ntu)
    bones, _ = make_clips(ntu, seed=1)
    params = sample(PartMix(), shape, len(joints))
    together = params.apply(torch.cat((joints, bones), 1))
    assert torch.equal(together, torch.cat((params.apply(joints), params.apply(bones)), 1))


def test_the_query_of_skelemix_is_drawn_once(ntu, make_clips):
    clips, shape = make_clips(ntu, frames=64)
    view = preset("skelemix.mixed")
    params = view.sample(shape, len(clips), generator=seeded(), dtype=clips.dtype)
    shown = view.before_hiding
    query = view.apply(clips, params, stop=shown)
    assert torch.equal(view.apply(clips, params), params[-1].apply(query))
    assert torch.equal(query, preset("skelemix.view").apply(clips, params[:shown]))


def test_layout_with_too_few_parts(small):
    with pytest.raises(ValueError, match=r"'small' has 3 body parts, not 4"):
        PartMix(parts=(1, 4)).num_uniforms(ClipShape(small, 5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PartMix(parts=(3, 2)), r"parts must be \(low, high\)"),
        (lambda: PartMix(parts=(-1, 2)), "parts"),
        (lambda: PartMix(parts=(1,)), "parts"),
        (lambda: PartMix(window=(1.5, 2)), "window"),
        (lambda: PartMix(window=(1, 17)), "window must not exceed segments = 16"),
        (lambda: PartMix(segments=0), "segments"),
        (lambda: PartMix(squeezed=0.6, blended=0.5), "must not exceed 1 together, got 0.6 and 0.5"),
        (lambda: PartMix(blended=-0.1), "blended"),
    ],
)
def test_settings_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()
