"""Clip batches: their shape, and their streams: the joint, motion, bone and distance modality."""

from dataclasses import dataclass
from typing import Any, TypeVar

from skel_data._layout import SkeletonLayout, get_layout


@dataclass(frozen=True, slots=True)  # no attrs class, for torch.compile to build it
class ClipShape:
    """Shape of the clips of a batch ``(N, C, T, V, M)``; the layout fixes C and V.

    Attributes:
        layout: Joint layout, or its name: left-right pairs, coordinates, confidence channel.
        frames: Frames of a clip, T.
        bodies: Bodies of a clip, M.

    Raises:
        ValueError: If frames or bodies are below 1.
        TypeError: If a part is of another type.
    """

    layout: SkeletonLayout
    frames: int
    bodies: int = 1

    def __post_init__(self) -> None:
        given: Any = self.layout
        if isinstance(given, str):
            object.__setattr__(self, "layout", get_layout(given))
        if not isinstance(self.layout, SkeletonLayout):
            raise TypeError(f"layout must be a SkeletonLayout, as of get_layout, got {self.layout!r}")
        for name, number in (("frames", self.frames), ("bodies", self.bodies)):
            if not isinstance(number, int):
                raise TypeError(f"{name} must be a whole number, got {number!r}")
            if number < 1:
                raise ValueError(f"{name} must be 1 or more, got {number}")

    @property
    def channels(self) -> int:
        """Channels, C: coordinates, and confidence where the layout has it."""
        return self.layout.channels

    @property
    def dims(self) -> int:
        """Channels that are coordinates, 2 or 3; they come first."""
        return self.layout.dims

    @property
    def joints(self) -> int:
        """Joints, V."""
        return self.layout.num_joints

    @classmethod
    def of(cls, clips: Any, layout: SkeletonLayout | str) -> "ClipShape":
        """Shape of a batch.

        Args:
            clips: Tensor or array (N, C, T, V, M), floating point.
            layout: Layout of its joints, or its name.

        Raises:
            ValueError: If the batch has another number of axes, channels or joints than the layout asks for.
            TypeError: If the clips are no floating point tensor or array, or the layout is no layout.
        """
        if not hasattr(clips, "ndim") or not hasattr(clips, "dtype"):
            raise TypeError(f"clips must be a tensor or an array, got {type(clips).__name__}")
        if isinstance(layout, str):
            layout = get_layout(layout)
        if not isinstance(layout, SkeletonLayout):
            raise TypeError(f"layout must be a SkeletonLayout, as of get_layout, got {layout!r}")
        if clips.ndim != 5:
            raise ValueError(f"clips must have 5 axes (N, C, T, V, M), got shape {tuple(clips.shape)}")
        floating = (
            clips.is_floating_point() if hasattr(clips, "is_floating_point") else clips.dtype.kind == "f"
        )
        if not floating:
            raise TypeError(f"clips must be floating point, got {clips.dtype}")
        _, channels, frames, joints, bodies = clips.shape
        if (channels, joints) != (layout.channels, layout.num_joints):
            raise ValueError(
                f"layout {layout.name!r} asks for {layout.channels} channels and {layout.num_joints} joints, "
                f"got clips of shape {tuple(clips.shape)}"
            )
        return cls(layout, frames, bodies)


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
