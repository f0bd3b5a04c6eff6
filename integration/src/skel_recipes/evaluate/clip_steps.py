"""The steps of a clip's way to the encoder, to draw them: as recorded, after the pipeline, in each view."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skel_augment import View
from skel_data import ClipShape, Pipeline, SkeletonLayout, apply_pipeline, get_layout
from skel_eval import Skeleton, clip_points, present_joints

Points = NDArray[np.float64]


def skeleton_of(layout: SkeletonLayout | str) -> Skeleton:
    """Bones and sides of a layout, or of one by its name."""
    layout = get_layout(layout)
    return Skeleton(layout.bones, layout.sides)


def plane(layout: SkeletonLayout | str, pipeline: Pipeline | None = None) -> dict[str, Any]:
    """Settings of `skel_eval.clip_points` for clips as recorded, or of a pipeline.

    Drawn are x and y, but after ``agcn300``, which stands bodies along z, x and z. In two dimensions y points
    down.
    """
    layout = get_layout(layout)
    standing = pipeline is not None and pipeline.name == "agcn300" and layout.dims == 3 and layout.facing
    return {"axes": (0, 2) if standing else (0, 1), "up": layout.dims == 3}


def clip_steps(
    raw: NDArray[np.float32],
    tracks: NDArray[np.int64],
    layout: SkeletonLayout | str,
    pipeline: Pipeline,
    views: Mapping[str, View],
    *,
    draws: int = 2,
    seed: int = 0,
) -> dict[str, Points]:
    """The steps of a clip as points in the plane, by title.

    Args:
        raw: Coordinates as recorded, (T, M, V, C).
        tracks: Body ids, (T, M), 0 where there is none.
        layout: The joints, or the name of a layout.
        pipeline: The pipeline.
        views: Views by name, applied to what the pipeline gives.
        draws: How often each view is drawn.
        seed: Seed of the views.

    Returns:
        (T, M, V, 2) by title, as from `skel_eval.clip_points`.
    """
    layout = get_layout(layout)
    recorded = raw.transpose(3, 0, 2, 1)[: layout.dims].copy()
    if layout.confidence:
        recorded[:, ~(raw[..., layout.dims] > 0).transpose(0, 2, 1)] = np.nan
    known = _known(recorded, layout)
    steps = {f"as recorded, {len(raw)} frames": clip_points(recorded, **plane(layout), known=known)}

    clip = apply_pipeline(pipeline, layout, [raw], [tracks])
    axes = plane(layout, pipeline)
    there = present_joints(clip[0, : layout.dims], known)
    title = f"pipeline {pipeline.name}, {clip.shape[2]} frames"
    steps[title] = clip_points(clip[0], **axes, present=there)

    # The same draw, of the clip moved off the origin, tells a joint at the origin from one that is hidden:
    # only the hidden one is zero in both.
    away = clip.copy()
    away[0, : layout.dims] += there * np.array([1.0, 1.3, 1.7], np.float32)[: layout.dims, None, None, None]
    pair = [torch.from_numpy(clip), torch.from_numpy(away)]
    generator = torch.Generator().manual_seed(seed)
    for name, view in views.items():
        for draw in range(1, draws + 1):
            params = view.sample(ClipShape.of(pair[0], layout), 1, generator=generator)
            drawn, moved = (view.apply(each, params)[0].numpy() for each in pair)
            some, other = ((each[: layout.dims] != 0).any(0) for each in (drawn, moved))
            present = some | (other & some.any(1, keepdims=True))
            steps[f"{name}, draw {draw}"] = clip_points(drawn, **axes, present=present)
    return steps


def _known(recorded: NDArray[np.float32], layout: SkeletonLayout) -> NDArray[np.bool_]:
    """Joints that a recording (C, T, V, M) has at all; the centre, too, if it is the only one at zero."""
    seen: NDArray[np.bool_] = ((recorded != 0).any(0) & np.isfinite(recorded).all(0)).any((0, 2))
    if (~seen).sum() == 1:
        seen[layout.center] = True
    return seen
