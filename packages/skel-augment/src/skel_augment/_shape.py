"""What an augmentation needs to know of a batch before it sees any number in it."""

from attrs import define, field
from attrs.validators import ge, instance_of
from torch import Tensor

from skel_data import SkeletonLayout


@define(frozen=True)
class ClipShape:
    """Shape of the clips of a batch ``(N, C, T, V, M)``; the layout fixes C and V.

    Attributes:
        layout: Joint layout: left-right pairs, coordinates, confidence channel.
        frames: Frames of a clip, T.
        bodies: Bodies of a clip, M.
    """

    layout: SkeletonLayout
    frames: int = field(validator=[instance_of(int), ge(1)])
    bodies: int = field(default=1, validator=[instance_of(int), ge(1)])

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
    def of(cls, clips: Tensor, layout: SkeletonLayout) -> "ClipShape":
        """Shape of a batch.

        Args:
            clips: (N, C, T, V, M), floating point.
            layout: Layout of its joints.

        Raises:
            ValueError: If the batch has another number of axes, channels or joints than the layout asks for.
            TypeError: If the clips are not floating point.
        """
        if clips.ndim != 5:
            raise ValueError(f"clips must have 5 axes (N, C, T, V, M), got shape {tuple(clips.shape)}")
        if not clips.is_floating_point():
            raise TypeError(f"clips must be floating point, got {clips.dtype}")
        _, channels, frames, joints, bodies = clips.shape
        if (channels, joints) != (layout.channels, layout.num_joints):
            raise ValueError(
                f"layout {layout.name!r} asks for {layout.channels} channels and {layout.num_joints} joints, "
                f"got clips of shape {tuple(clips.shape)}"
            )
        return cls(layout, frames, bodies)
