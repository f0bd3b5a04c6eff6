from dataclasses import fields

import pytest
import torch

from skel_augment import Params
from skel_data import ClipShape, SkeletonLayout, get_layout


@pytest.fixture
def ntu():
    return get_layout("ntu-25")


@pytest.fixture
def coco():
    return get_layout("coco-17")


@pytest.fixture
def small():
    """Six joints, so that numerical gradients are quick."""
    joints = ["head", "neck", "left hand", "right hand", "left foot", "right foot"]
    bones = [[0, 1], [2, 1], [3, 1], [4, 1], [5, 1]]
    parts = {"left": ["left hand", "left foot"], "right": ["right hand", "right foot"], "top": ["head"]}
    return SkeletonLayout.from_dict({"name": "small", "joints": joints, "bones": bones, "parts": parts})


@pytest.fixture
def make_clips():
    """Random clips; every clip but the last has an absent last body where there is more than one."""

    def make(layout, n=6, frames=7, bodies=2, dtype=torch.float64, seed=0):
        generator = torch.Generator().manual_seed(seed)
        size = (n, layout.channels, frames, layout.num_joints, bodies)
        clips = torch.randn(size, generator=generator, dtype=dtype)
        if bodies > 1:
            clips[:-1, ..., -1] = 0
        return clips, ClipShape.of(clips, layout)

    return make


@pytest.fixture
def sample():
    """Parameters of one augmentation for N clips."""

    def draw(step, shape, n, seed=0, dtype=torch.float64):
        uniforms = torch.rand(
            n, step.num_uniforms(shape), generator=torch.Generator().manual_seed(seed), dtype=dtype
        )
        return step.params(uniforms, shape)

    return draw


@pytest.fixture
def rows():
    """Some rows of parameters, whatever their kind."""

    def pick(params, index):
        if isinstance(params, torch.Tensor):
            return params[index]
        if isinstance(params, tuple):
            return tuple(pick(part, index) for part in params)
        if isinstance(params, Params):
            return type(params)(**{f.name: pick(getattr(params, f.name), index) for f in fields(params)})
        return params

    return pick


@pytest.fixture
def assert_uniform():
    """The values look like independent uniform numbers between two limits and fill the range."""

    def check(values, low, high):
        values = values.flatten().double().sort().values
        assert low <= values[0]
        assert values[-1] <= high
        share = (values - low) / (high - low)
        steps = torch.arange(1, len(share) + 1) / len(share)
        # Kolmogorov-Smirnov: a uniform sample exceeds this once in 10,000 seeds
        assert (share - steps).abs().max() < 2.23 / len(share) ** 0.5

    return check


@pytest.fixture
def assert_share():
    """The share of true values is that of independent draws with probability p (4.5 standard deviations)."""

    def check(hits, p):
        hits = hits.double()
        assert abs(hits.mean().item() - p) < 4.5 * (p * (1 - p) / hits.numel()) ** 0.5

    return check


@pytest.fixture(scope="session")
def tensors():
    """All tensors in the parameters, whatever their kind, but partners: those depend on the batch."""

    def find(params):
        if isinstance(params, torch.Tensor):
            return [params]
        if isinstance(params, (tuple, list)):
            return [tensor for part in params for tensor in find(part)]
        if isinstance(params, Params):
            return [t for f in fields(params) if f.name != "partner" for t in find(getattr(params, f.name))]
        return []

    return find
