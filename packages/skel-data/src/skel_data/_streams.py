"""Streams: the joint, motion, bone and distance modality of a clip, as numpy arrays or torch tensors."""

from typing import Any, TypeVar

from skel_data._layout import SkeletonLayout, get_layout

STREAMS = ("joint", "motion", "bone", "distance")
"""Names of the streams."""

Array = TypeVar("Array")


def stream(clips: Array, name: str, layout: SkeletonLayout | str) -> Array:
    """One stream of clips.

    ``joint`` is the clips themselves. ``motion`` is the step to the next frame, x[t+1] - x[t], zero
    in the last. ``bone`` is the vector from the parent to the joint, zero for the root. A
    confidence channel is kept as it is. (Shi et al., "Two-stream adaptive graph convolutional
    networks", CVPR 2019.) ``distance`` is the distance of each joint to every joint of its body, one
    channel each, without the confidence; it is the same from every side.

    Args:
        clips: Clips (..., C, T, V, M), a numpy array or a torch tensor.
        name: One of `STREAMS`.
        layout: The joints: a layout or its name.

    Returns:
        An array of the same kind and shape; of ``distance`` (..., V, T, V, M).

    Raises:
        ValueError: If there is no such stream, or the clips do not fit the layout.
    """
    x: Any = clips
    layout = get_layout(layout)
    if name not in STREAMS:
        raise ValueError(f"no stream {name!r}; there are {', '.join(STREAMS)}")
    if x.ndim < 4 or x.shape[-4] != layout.channels or x.shape[-2] != layout.num_joints:
        raise ValueError(
            f"clips of shape {tuple(x.shape)} do not fit layout {layout.name}: "
            f"expected (..., {layout.channels}, T, {layout.num_joints}, M)"
        )
    if name == "joint":
        return clips
    if name == "distance":
        squared: Any = 0
        for axis in range(layout.dims):
            places = x[..., axis, :, :, :]  # (..., T, V, M)
            squared = squared + (places[..., None, :, :, :] - places.swapaxes(-2, -3)[..., None, :]) ** 2
        apart = squared > 0
        distances: Array = (squared + ~apart) ** 0.5 * apart  # the slope of a root at 0 is not finite
        return distances
    # One gather and one difference: indexing with a list is the same for both libraries
    if name == "motion":
        last = x.shape[-3] - 1
        out = x[..., [*range(1, last + 1), last], :, :] - x
    else:
        out = x - x[..., list(layout.parents), :]
    if layout.confidence:
        out[..., layout.dims :, :, :, :] = x[..., layout.dims :, :, :, :]
    result: Array = out
    return result


def stream_channels(name: str, layout: SkeletonLayout | str) -> int:
    """Number of channels of a stream: V of ``distance``, else the layout's.

    Raises:
        ValueError: If there is no such stream.
    """
    layout = get_layout(layout)
    if name not in STREAMS:
        raise ValueError(f"no stream {name!r}; there are {', '.join(STREAMS)}")
    return layout.num_joints if name == "distance" else layout.channels
