"""Several views of the same clips, several processes, one draw for all clips."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import preset, preset_names, sample_views
from skel_data import ClipShape, get_layout

VIEWS = [preset(name) for name in preset_names()]
SHAPE = ClipShape(get_layout("ntu-25"), 9, 2)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.integers(0, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_processes_see_what_one_would(tensors, n, size, seed):
    whole, generators = seeded(seed), [seeded(seed) for _ in range(size)]
    for _ in range(2):
        expected = tensors(sample_views(VIEWS, SHAPE, size * n, generator=whole))
        shards = [
            tensors(sample_views(VIEWS, SHAPE, n, generator=generator, shard=(rank, size)))
            for rank, generator in enumerate(generators)
        ]
        for i, tensor in enumerate(expected):
            assert torch.equal(torch.cat([shard[i] for shard in shards]), tensor)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_one_draw_for_all_clips(n, tensors):
    one = tensors(sample_views(VIEWS, SHAPE, 1, generator=seeded(0)))
    for shard in ((0, 1), (2, 3)):
        same = tensors(sample_views(VIEWS, SHAPE, n, generator=seeded(0), same=True, shard=shard))
        for alone, together in zip(one, same, strict=True):
            assert torch.equal(together, alone.expand(n, *alone.shape[1:]))


def test_one_draw_applies_to_all_clips(make_clips):
    clips, shape = make_clips(SHAPE.layout)
    clips = clips[:1].expand(4, -1, -1, -1, -1)
    for view, params in zip(
        VIEWS, sample_views(VIEWS, shape, 4, generator=seeded(0), dtype=clips.dtype, same=True), strict=True
    ):
        result = view.apply(clips, params)
        assert torch.equal(result, result[:1].expand_as(result))


@pytest.mark.parametrize("shard", [(1, 1), (-1, 2), (0, 0)])
def test_no_such_shard(shard):
    with pytest.raises(ValueError, match=r"shard must be \(rank, size\)"):
        sample_views(VIEWS, SHAPE, 2, shard=shard)
