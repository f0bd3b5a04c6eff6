"""How every method looks at clips."""

from collections.abc import Sequence
from functools import partial

import torch
from attrs import define, evolve
from torch import Tensor

from skel_augment import Params, View, sample_views
from skel_data import ClipShape, SkeletonLayout, stream
from skel_recipes._world import World


@define(frozen=True)
class Sight:
    """What an encoder sees, and so what the views of a method are made of.

    Attributes:
        shape: Layout, frames and bodies of the clips.
        stream: joint, motion, bone, or several joined by +.
        clips: Number of clips in the training set, for memories that are scaled to it.
        world: The processes that share a batch.
    """

    shape: ClipShape
    stream: str
    clips: int
    world: World = World()

    @property
    def layout(self) -> SkeletonLayout:
        """The joints."""
        return self.shape.layout

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(self.stream.split("+"))

    def only(self, name: str) -> "Sight":
        """The same in one of the streams."""
        return evolve(self, stream=name)

    def sample(
        self, clips: Tensor, views: Sequence[View], generator: torch.Generator | None, *, same: bool = False
    ) -> list[tuple[Params, ...]]:
        """Parameters of independent draws of these views of the clips (N, C, T, V, M).

        They are those that one process would draw for these clips of the global batch.

        Args:
            clips: This process's part of the batch.
            views: The views.
            generator: Source of the numbers, in the same state in all processes.
            same: All clips of the batch share their parameters.
        """
        return sample_views(
            views,
            ClipShape.of(clips, self.layout),
            len(clips),
            generator=generator,
            device=clips.device,
            dtype=clips.dtype,
            shard=(self.world.rank, self.world.size),
            same=same,
        )

    def apply(self, clips: Tensor, view: View, params: Sequence[Params]) -> dict[str, Tensor]:
        """The view of the clips in every stream.

        Streams are taken after augmentation, as in the published programs, but before joints or
        frames are hidden: a hidden joint has no bone, and a hidden frame does not move.
        """
        shown = view.before_hiding
        first, rest = View(view.steps[:shown]), View(view.steps[shown:])
        seen = first.apply(clips, params[:shown])
        take = partial(stream, seen, layout=self.layout)
        return {name: rest.apply(take(name), params[shown:]) for name in self.streams}

    def views(
        self, clips: Tensor, views: Sequence[View], generator: torch.Generator | None, *, same: bool = False
    ) -> list[Tensor]:
        """Independent draws of these views of the clips (N, C, T, V, M), in the only stream."""
        return [seen[self.stream] for seen in self.views_by_stream(clips, views, generator, same=same)]

    def views_by_stream(
        self, clips: Tensor, views: Sequence[View], generator: torch.Generator | None, *, same: bool = False
    ) -> list[dict[str, Tensor]]:
        """Independent draws of these views of the clips, each in every stream."""
        drawn = self.sample(clips, views, generator, same=same)
        return [self.apply(clips, view, params) for view, params in zip(views, drawn, strict=True)]

    def queue_size(self, wanted: int) -> int:
        """The wanted size of a queue; for 0, four fifths of the training set, as 32,768 is of NTU-60."""
        return wanted or max(1, 4 * self.clips // 5)
