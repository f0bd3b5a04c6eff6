"""Context of a method: the clips that it is trained on, and the views that are drawn of them."""

from collections.abc import Sequence
from typing import Any

import torch
from attrs import define, evolve, field, fields
from torch import Tensor, nn

from skel_augment import Params, PartMix, View, sample_views
from skel_data import ClipShape, SkeletonLayout, stream, stream_channels
from skel_encoders import create_encoder, encoder_settings
from skel_recipes.common.device import World


@define(eq=False)
class SecondClips:
    """Clips of which the second views of a batch are drawn; the trainer sets them before each step.

    Attributes:
        clips: (N, C, T, V, M), one for each clip of the batch; None: the batch itself.
        ids: (N,) their numbers in the training set.
        used: Whether a second view was drawn of them.
    """

    clips: Tensor | None = None
    ids: Tensor | None = None
    used: bool = False


@define(eq=False)
class CurrentBatch:
    """What a method may know of the clips of a batch beside what is recorded in them.

    Attributes:
        ids: (N,) number of each clip of this process in the training set; the trainer sets them before each
            step. None: not known, so that all clips count as new.
    """

    ids: Tensor | None = None


@define(eq=False)
class Progress:
    """Where a training is, for what changes with it; the trainer sets it before each step.

    Attributes:
        step: Steps done, over all epochs.
        steps_per_epoch: Steps of an epoch.
        epochs: Epochs of the training.
        stretch: How many times those of the recipe they are, as ``train.min_steps`` may ask for more.
    """

    step: int = 0
    steps_per_epoch: int = 1
    epochs: int = 1
    stretch: float = 1.0


@define(frozen=True)
class MethodContext:
    """Context of a method: what its encoders see, how many clips there are, and who shares a batch.

    Attributes:
        shape: Layout, frames and bodies of the clips.
        stream: joint, motion, bone, or several joined by +.
        num_train_clips: Number of clips in the training set, for queues that are scaled to it.
        world: The processes that share a batch.
        second: What second views are drawn of, if not of the clips themselves.
        batch: Which clips the batch has.
        progress: Where the training is.
    """

    shape: ClipShape
    stream: str
    num_train_clips: int
    world: World = World()
    second: SecondClips = field(factory=SecondClips, eq=False, repr=False)
    batch: CurrentBatch = field(factory=CurrentBatch, eq=False, repr=False)
    progress: Progress = field(factory=Progress, eq=False, repr=False)

    @property
    def layout(self) -> SkeletonLayout:
        """The joints."""
        return self.shape.layout

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(self.stream.split("+"))

    def for_stream(self, name: str) -> "MethodContext":
        """The context of one of the streams."""
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
            ClipShape(self.layout, clips.shape[2], clips.shape[4]),  # the channels are those of a stream
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
        frames are hidden: a hidden joint has no bone, and a hidden frame does not move. Distances are
        taken after that, as each joint is in all of them.
        """
        hiding = view.before_hiding
        shown = view.apply(clips, params, stop=hiding)

        def take(name: str) -> Tensor:
            if name == "distance":
                return stream(view.apply(shown, params, start=hiding), name, self.layout)
            return view.apply(stream(shown, name, self.layout), params, start=hiding)

        return {name: take(name) for name in self.streams}

    def views(
        self, clips: Tensor, views: Sequence[View], generator: torch.Generator | None, *, same: bool = False
    ) -> list[Tensor]:
        """Independent draws of these views of the clips (N, C, T, V, M), in the only stream."""
        return [seen[self.stream] for seen in self.views_by_stream(clips, views, generator, same=same)]

    def views_by_stream(
        self, clips: Tensor, views: Sequence[View], generator: torch.Generator | None, *, same: bool = False
    ) -> list[dict[str, Tensor]]:
        """Independent draws of these views of the clips, each in every stream.

        The second view is drawn of other recordings where the run has them (``data.positives``).
        """
        drawn = self.sample(clips, views, generator, same=same)
        seen = [clips] * len(views)
        if self.second.clips is not None and len(views) > 1:
            seen[1] = self.second.clips
            self.second.used = True
        return [self.apply(*each) for each in zip(seen, views, drawn, strict=True)]

    def masked_view(
        self, clips: Tensor, view: View, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """A draw of a view that `ends_in_masks`, in the only stream, before it hides anything; and its mask.

        Returns:
            The view (N, C, T, V, M), and as many booleans: true where it is seen, which absent bodies are.
        """
        (params,) = self.sample(clips, [view], generator)
        shown = stream(view.apply(clips, params, stop=view.before_hiding), self.stream, self.layout)
        visible = view.apply(torch.ones_like(shown), params, start=view.before_hiding).bool()
        return shown, visible | ~shown.ne(0).flatten(1, 3).any(1)[:, None, None, None]

    def uniforms(
        self, clips: Tensor, count: int, generator: torch.Generator | None, *, whole: bool = False
    ) -> Tensor:
        """Uniform numbers in [0, 1) for each of these clips, (N, count), on their device and of their type.

        They are those that one process would draw for these clips of the global batch, or with ``whole``
        those of all clips of the global batch.
        """
        rank, size, n = self.world.rank, self.world.size, len(clips)
        source = clips.device if generator is None else generator.device
        # Always float32, so that a run in double precision draws the same.
        drawn = torch.rand(size * n, count, generator=generator, device=source, dtype=torch.float32)
        dtype = torch.promote_types(clips.dtype, torch.float32)
        return (drawn if whole else drawn[rank * n : (rank + 1) * n]).to(clips.device, dtype)

    def ids_by_view(self, views: int) -> list[Tensor | None]:
        """For each of the views, the numbers (N,) of the clips that it shows; None where not known."""
        ids = [self.batch.ids] * views
        if self.second.clips is not None and views > 1:
            ids[1] = self.second.ids
        return ids

    def queue_size(self, wanted: int) -> int:
        """The wanted size of a queue; for 0, four fifths of the training set, as 32,768 is of NTU-60."""
        return wanted or max(1, 4 * self.num_train_clips // 5)


def ends_in_masks(settings: Any, attribute: Any, view: View) -> None:  # noqa: ARG001 (as attrs calls it)
    """Validator of a setting: a view whose last steps are masks, and only they.

    Raises:
        ValueError: If it has none, or another step behind or between them.
    """
    last = [kind for step in view.steps[view.before_hiding :] for kind in step.alternatives]
    if not last or any(isinstance(kind, PartMix) or not kind.hides for kind in last):
        raise ValueError(f"{attribute.name} must end with masks: one or more, and no other step behind them")


def build_encoder(name: str, shape: ClipShape, stream: str, **settings: Any) -> nn.Module:
    """An encoder with fresh weights, of clips in one of their streams.

    Args:
        name: Name of the encoder, as `skel_encoders.create_encoder` takes it.
        shape: Shape of the clips.
        stream: The stream.
        settings: Arguments of the encoder's constructor.

    Raises:
        ValueError: If the stream has other channels than the layout, and the encoder takes no other.
    """
    channels = stream_channels(stream, shape.layout)
    if channels != shape.layout.channels and settings.get("in_channels") is None:
        if "in_channels" not in encoder_settings(name, **settings):
            raise ValueError(f"encoder {name!r} has no setting in_channels: it takes no stream {stream!r}")
        settings["in_channels"] = channels
    return create_encoder(name, layout=shape.layout, frames=shape.frames, bodies=shape.bodies, **settings)


def encoders_of(method: Any, streams: Sequence[str]) -> dict[str, nn.Module]:
    """The encoder of each stream, from a method of one stream or of several."""
    encoder: nn.Module = method.encoder
    if len(streams) == 1:
        return {streams[0]: encoder}
    return {name: encoder.get_submodule(name) for name in streams}


def views_of(settings: Any) -> dict[str, View]:
    """The views among the settings of a method, by the name of the setting."""
    values = {one.name: getattr(settings, one.name) for one in fields(type(settings))}
    return {name: value for name, value in values.items() if isinstance(value, View)}
