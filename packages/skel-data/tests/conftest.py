"""Made-up clips and stores that the tests share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skel_data import Clip, DatasetInfo, SkeletonLayout, Store, get_layout, write_store


@pytest.fixture
def chain() -> SkeletonLayout:
    """Five joints in 3-D: a root, a left and a right joint beside it, and one joint further on each."""
    return SkeletonLayout.from_dict(
        {
            "name": "chain-5",
            "joints": ["root", "left hip", "right hip", "left knee", "right knee"],
            "bones": [
                ["left hip", "root"],
                ["right hip", "root"],
                ["left knee", "left hip"],
                ["right knee", "right hip"],
            ],
        }
    )


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    """Random clip (T, M, V, C) by seed, nowhere zero."""

    def make(seed: int = 0, shape: tuple[int, ...] = (7, 1, 5, 3), **facts) -> Clip:
        positions = np.random.default_rng(seed).uniform(0.5, 2, shape)
        return Clip(positions, **{"name": f"clip {seed}", "label": seed % 2, **facts})

    return make


@pytest.fixture
def make_store(tmp_path: Path, chain: SkeletonLayout) -> Callable[..., Store]:
    """Store of given clips."""

    def make(clips, name="some.store", *, source="nowhere", overwrite=False, strict=False, **info) -> Store:
        usual = {"layout": chain, "classes": ("a", "b"), "dataset": "made-up", "units": "metres"}
        about = DatasetInfo(**{**usual, **info})
        return write_store(tmp_path / name, clips, about, source=source, overwrite=overwrite, strict=strict)

    return make


@pytest.fixture
def ntu() -> SkeletonLayout:
    return get_layout("ntu-25")
