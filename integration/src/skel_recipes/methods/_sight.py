"""How every method looks at clips."""

import torch
from attrs import define
from torch import Tensor

from skel_augment import ClipShape, View, sample_views
from skel_data import SkeletonLayout, stream


@define(frozen=True)
class Sight:
    """Joints and stream that an encoder sees, and so what the views of a method are made of.

    Attributes:
        layout: The joints.
        stream: joint, motion or bone; taken after augmentation, as in the published programs.
        clips: Number of clips in the training set, for memories that are scaled to it.
    """

    layout: SkeletonLayout
    stream: str
    clips: int

    def views(self, clips: Tensor, views: list[View], generator: torch.Generator | None) -> list[Tensor]:
        """Independent draws of these views of the clips (N, C, T, V, M), in the stream."""
        shape = ClipShape.of(clips, self.layout)
        drawn = sample_views(
            views, shape, len(clips), generator=generator, device=clips.device, dtype=clips.dtype
        )
        return [
            stream(view.apply(clips, params), self.stream, self.layout)
            for view, params in zip(views, drawn, strict=True)
        ]

    def queue_size(self, wanted: int) -> int:
        """The wanted size of a queue; for 0, four fifths of the training set, as 32,768 is of NTU-60."""
        return wanted or max(1, 4 * self.clips // 5)
