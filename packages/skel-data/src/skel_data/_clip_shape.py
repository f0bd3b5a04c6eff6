"""Shape of a clip batch: the layout of its joints, its frames and bodies."""

from dataclasses import dataclass
from typing import Any

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
