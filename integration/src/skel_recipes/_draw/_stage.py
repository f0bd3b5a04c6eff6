"""The stages of a clip as points of the plane: as recorded, after a pipeline, in a view."""

import numpy as np
import torch
from attrs import define, field
from numpy.typing import NDArray

from skel_augment import View
from skel_data import ClipShape, Pipeline, SkeletonLayout, apply_pipeline

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


_UP = {"agcn300": 2}
"""Axis that points up after a pipeline, where it is not y, in layouts that tell where a body faces."""


@define(frozen=True, eq=False)
class Stage:
    """What a clip looks like at one point of its way.

    Attributes:
        title: What was done to it.
        points: (T, M, V, 2); x to the right, y down, NaN where a joint is missing.
    """

    title: str
    points: Floats = field(repr=False)


def stages(
    raw: NDArray[np.float32],
    tracks: NDArray[np.int64],
    layout: SkeletonLayout,
    pipeline: Pipeline,
    views: dict[str, View],
    *,
    draws: int = 2,
    seed: int = 0,
) -> list[Stage]:
    """The stages of a clip: as recorded, after the pipeline, and each view drawn so many times.

    A joint at exactly zero is missing, unless it is the joint that the clip was centred on and its body is
    there. After a pipeline that is a joint at zero in every frame that the recording does have, or else
    the layout's centre.

    Args:
        raw: Coordinates as recorded (T, M, V, C).
        tracks: Body ids (T, M), 0 where there is none.
        layout: The joints.
        pipeline: The pipeline.
        views: Views by name, applied to what the pipeline gives.
        draws: How often each view is drawn.
        seed: Decides the views.
    """
    seen = _recorded(raw, layout)
    found = [Stage(f"as recorded, {len(raw)} frames", _plane(raw, seen, layout))]

    clip = apply_pipeline(pipeline, layout, [raw], [tracks])
    values = clip[0].transpose(1, 3, 2, 0)
    there = _nonzero(values, layout)
    known = np.asarray(seen.any((0, 1)))
    still = known & ~there.any(0)  # bodies, joints
    centre = known & (np.arange(layout.num_joints) == layout.center)
    there |= np.where(still.any(1, keepdims=True), still, centre) & there.any(2, keepdims=True)
    up = _UP.get(pipeline.name, 1) if layout.facing else 1
    found.append(Stage(f"pipeline {pipeline.name}, {len(values)} frames", _plane(values, there, layout, up)))

    # The same draw, of the clip moved off the origin, tells a joint at the origin from one that is hidden:
    # only the hidden one is zero in both.
    away = values.copy()
    away[..., : layout.dims] += there[..., None] * np.array((1.0, 1.3, 1.7)[: layout.dims], np.float32)
    pair = [torch.from_numpy(clip), torch.from_numpy(away.transpose(3, 0, 2, 1)[None])]
    generator = torch.Generator().manual_seed(seed)
    for name, view in views.items():
        for draw in range(1, draws + 1):
            params = view.sample(ClipShape.of(pair[0], layout), 1, generator=generator)
            drawn, moved = (view.apply(each, params)[0].numpy().transpose(1, 3, 2, 0) for each in pair)
            there = _nonzero(drawn, layout)
            there |= _nonzero(moved, layout) & there.any(2, keepdims=True)
            found.append(Stage(f"{name}, draw {draw}", _plane(drawn, there, layout, up)))
    return found


def _nonzero(values: NDArray[np.float32], layout: SkeletonLayout) -> Mask:
    """Which joints of (T, M, V, C) are not at zero."""
    some: Mask = (values[..., : layout.dims] != 0).any(-1)
    return some


def _recorded(raw: NDArray[np.float32], layout: SkeletonLayout) -> Mask:
    """Which joints of a recording are there, (T, M, V)."""
    known: Mask = np.asarray(np.isfinite(raw).all(-1))
    if layout.confidence:
        known &= raw[..., layout.dims] > 0
    seen = known & _nonzero(raw, layout)
    never = np.flatnonzero(~seen.any((0, 1)))
    if never.tolist() == [layout.center]:  # the recording was centred on it
        seen[..., layout.center] = known[..., layout.center] & seen.any(2)
    return seen


def _plane(values: NDArray[np.float32], seen: Mask, layout: SkeletonLayout, up: int = 1) -> Floats:
    """Points (T, M, V, 2) as a picture has them; in two dimensions y is down already."""
    if layout.dims == 3:
        points: Floats = values[..., [0, up]] * np.array([1.0, -1.0])
    else:
        points = values[..., :2].astype(np.float64)
    points[~seen] = np.nan
    return points
