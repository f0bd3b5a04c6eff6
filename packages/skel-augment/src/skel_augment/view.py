"""Views: lists of augmentations that are sampled together and applied in as few steps as possible.

`build_view` makes one of plain data, so that a view can stand in a TOML file.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from attrs import define, field, fields
from torch import Tensor

from skel_augment.augmentation import Augmentation, Chain, Params, as_augmentations, fold
from skel_augment.choice import OneOf
from skel_augment.registry import AUGMENTATIONS
from skel_data import ClipShape, SkeletonLayout


@define(frozen=True)
class View:
    """View: augmentations applied one after the other. It keeps no state.

    Attributes:
        steps: The augmentations, first to last.

    Raises:
        TypeError: If a step is no augmentation.
    """

    steps: tuple[Augmentation, ...] = field(converter=as_augmentations)

    @property
    def before_hiding(self) -> int:
        """Number of leading steps that hide no joint or frame.

        Compute bone and motion streams there: a hidden joint has neither.
        """
        for number, step in enumerate(self.steps):
            if any(each.hides for each in step.alternatives):
                return number
        return len(self.steps)

    def output_shape(self, shape: ClipShape) -> ClipShape:
        """Shape of the clips after all steps; only the number of frames may differ.

        Raises:
            ValueError: If a step does not fit the clips that it gets.
        """
        return self._shapes(shape)[-1]

    def num_uniforms(self, shape: ClipShape) -> int:
        """Uniform numbers needed per clip."""
        return sum(self._counts(self._shapes(shape)))

    def params(self, uniforms: Tensor, shape: ClipShape) -> tuple[Params, ...]:
        """Parameters of each step from uniforms (N, `num_uniforms`) in [0, 1)."""
        shapes = self._shapes(shape)
        blocks = _columns(uniforms, self._counts(shapes))
        steps = zip(self.steps, blocks, shapes[:-1], strict=True)
        return tuple(step.params(block, before) for step, block, before in steps)

    def _shapes(self, shape: ClipShape) -> list[ClipShape]:
        """Shape of the clips before each step, and after the last."""
        shapes = [shape]
        for step in self.steps:
            shapes.append(step.output_shape(shapes[-1]))
        return shapes

    def _counts(self, shapes: list[ClipShape]) -> list[int]:
        return [step.num_uniforms(before) for step, before in zip(self.steps, shapes[:-1], strict=True)]

    def sample(
        self,
        shape: ClipShape,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Params, ...]:
        """Draw the parameters of ``n`` clips, to be looked at, applied, or applied again to other clips.

        On the CPU the numbers are drawn clip by clip: the same generator gives the same views however the
        clips are split into consecutive batches. The arguments are those of `sample_views`.

        Returns:
            One entry per step, each with ``n`` rows.
        """
        return sample_views([self], shape, n, generator=generator, device=device, dtype=dtype)[0]

    def apply(
        self, clips: Tensor, params: Sequence[Params], *, start: int = 0, stop: int | None = None
    ) -> Tensor:
        """Apply parameters that were drawn for these clips, or for others of the same shape.

        Steps on the same axis are merged before any clip is touched: all matrices of a view cost one.

        Args:
            clips: (N, C, T, V, M).
            params: Parameters of all steps, with N rows.
            start: First step to apply.
            stop: The step to stop before; None: go on to the last. At `before_hiding` bone and motion streams
                can be taken in between.

        Returns:
            Clips of the same dtype; only the number of frames may differ, see `output_shape`. They are the
            clips that were given where no step applies to them, else new ones.

        Raises:
            ValueError: If there are not as many parameters as steps.
        """
        if len(params) != len(self.steps):
            raise ValueError(f"the view has {len(self.steps)} steps, got parameters for {len(params)}")
        for step in fold(params[start:stop]):
            clips = step.apply(clips)
        return clips

    def resolve(self, clips: Tensor, params: Sequence[Params]) -> tuple[Params, ...]:
        """Parameters that do to any clips what ``params`` do to these clips (N, C, T, V, M).

        Three steps look at the clips: `TemporalCropResize` and `TemporalCropSample` of padded clips for where
        a clip ends, and `MotionAttentionMask` for where it moves. Resolved they are the frames that were
        found, so that a second stream, or a mask, stays in step with the clips.
        """
        return Chain(tuple(params)).resolve(clips).parts

    def __call__(
        self, clips: Tensor, layout: SkeletonLayout | str, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw parameters for the clips (N, C, T, V, M) and apply them.

        Raises:
            ValueError: If the clips do not fit the layout.
            TypeError: If the clips are no floating point tensor.
        """
        given: Any = clips
        if not isinstance(given, Tensor):
            kind = type(given)
            raise TypeError(
                f"a view takes clips as a tensor, got {kind.__module__}.{kind.__name__}; "
                "torch.from_numpy makes one of an array"
            )
        shape = ClipShape.of(clips, layout)
        dtype = torch.promote_types(clips.dtype, torch.float32)
        params = self.sample(shape, len(clips), generator=generator, device=clips.device, dtype=dtype)
        return self.apply(clips, params)


def sample_views(
    views: Sequence[View],
    shape: ClipShape,
    n: int,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    shard: tuple[int, int] = (0, 1),
    same: bool = False,
) -> list[tuple[Params, ...]]:
    """Draw the parameters of several views of the same ``n`` clips, with what `View.sample` promises.

    Args:
        views: The views; the same view may occur twice and is drawn twice.
        shape: Shape of the clips.
        n: Number of clips.
        generator: Source of the numbers; PyTorch's own for the device if None.
        device: Device of the parameters; by default that of the generator.
        dtype: Type of the parameters, float32 or float64; the same views are drawn for both, and clips may
            be of any.
        shard: (rank, size) of a process whose ``n`` clips are rows ``rank * n`` and on of a batch of
            ``size * n``. All processes draw for the whole batch from equal generators, so that each clip
            gets what it would get in a single process.
        same: One draw for all clips, so that they share their parameters.

    Returns:
        The parameters of each view, as `View.sample` returns them.

    Raises:
        ValueError: If the rank is not one of 0 to size - 1, or the dtype is another.
    """
    if dtype not in (torch.float32, torch.float64):  # others round uniform numbers up to one
        raise ValueError(f"dtype must be float32 or float64, got {dtype}")
    rank, size = shard
    if not 0 <= rank < size:
        raise ValueError(f"shard must be (rank, size) with 0 <= rank < size, got {shard}")
    source = generator.device if generator is not None else torch.device("cpu" if device is None else device)
    counts = [view.num_uniforms(shape) for view in views]
    # Always float32, so that a run in double precision sees the same views.
    rows = 1 if same else size * n
    uniforms = torch.rand(rows, sum(counts), generator=generator, device=source, dtype=torch.float32)
    uniforms = uniforms.expand(n, -1) if same else uniforms[rank * n : (rank + 1) * n]
    uniforms = uniforms.to(source if device is None else device, dtype)
    blocks = _columns(uniforms, counts)
    return [view.params(block, shape) for view, block in zip(views, blocks, strict=True)]


def _columns(uniforms: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """The uniforms cut into blocks of these numbers of columns."""
    stops = accumulate(counts)
    return [uniforms[:, stop - count : stop] for count, stop in zip(counts, stops, strict=True)]


_RENAMED = {("gaussian_noise", "spare"): "keep_zero", ("joint_jitter", "spare"): "keep_zero"}
"""Settings that files of earlier versions call otherwise."""


def build_view(steps: Iterable[Mapping[str, Any] | Augmentation]) -> View:
    """A view from plain data, such as a list of tables in a TOML file.

    Args:
        steps: Augmentations, or for each a mapping with its ``name`` and settings; lists among those are
            read as tuples. The name is one of `AUGMENTATIONS`, or ``module:Name`` of a class of your own in a
            module that is imported already. The ``steps`` of "one_of" are such a list again.

    Raises:
        ValueError: If there is no augmentation of that name, or a setting is unknown or out of range.
        TypeError: If a setting is of the wrong type.

    >>> build_view([{"name": "shear", "amplitude": 0.5, "p": 0.5}]).steps
    (Shear(p=0.5, amplitude=0.5),)
    """
    if isinstance(steps, str | Mapping):
        raise TypeError(f"a view is a list of steps, got {steps!r}")
    built: list[Augmentation] = []
    for number, step in enumerate(steps):
        if not isinstance(step, Mapping | Augmentation):
            raise TypeError(f"step {number} must be a table with its name and settings, got {step!r}")
        built.append(step if isinstance(step, Augmentation) else _build(number, step))
    return View(tuple(built))


def _build(number: int, step: Mapping[str, Any]) -> Augmentation:
    name = step.get("name")
    if not isinstance(name, str):
        raise ValueError(f"step {number} must have the name of an augmentation, got {dict(step)}")
    try:
        kind = AUGMENTATIONS.lookup(name)
    except ValueError as error:
        raise ValueError(f"step {number}: {error}") from error
    settings = {_RENAMED.get((name, key), key): _frozen(step[key]) for key in step if key != "name"}
    known = [field.alias for field in fields(kind) if field.init]
    unknown = sorted(settings.keys() - set(known))
    if unknown:
        raise ValueError(f"step {number}, {name!r}: unknown settings {unknown}; known are {known}")
    try:
        if issubclass(kind, OneOf) and "steps" in settings:
            settings["steps"] = build_view(settings["steps"]).steps
        return kind(**settings)
    except (TypeError, ValueError) as error:
        # attrs puts the attribute and its definition behind the message; the message is all a reader needs.
        raise type(error)(f"step {number}, {name!r}: {error.args[0] if error.args else error}") from error


def _frozen(value: Any) -> Any:
    """The value with tuples for lists, so that settings can be compared and hashed."""
    return tuple(_frozen(each) for each in value) if isinstance(value, list | tuple) else value


def describe_view(view: View) -> list[dict[str, Any]]:
    """The view as plain data that `build_view` and a TOML file can take.

    A step is called by its name in `AUGMENTATIONS`; one that has none there is called ``module:Name``.

    Raises:
        ValueError: If the class of a step is defined within a function, where no name reaches it.
    """
    steps = []
    for step in view.steps:
        name = AUGMENTATIONS.name_of(type(step))
        if "<locals>" in name:
            raise ValueError(
                f"{type(step).__name__} is defined in a function, where plain data cannot name it"
            )
        settings = {field.alias: getattr(step, field.name) for field in fields(type(step)) if field.init}
        if isinstance(step, OneOf):
            settings["steps"] = describe_view(View(step.steps))
        steps.append({"name": name, **settings})
    return steps
