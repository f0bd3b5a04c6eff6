"""Views: lists of augmentations that are sampled together and applied in as few steps as possible."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from attrs import define
from torch import Tensor

from skel_augment._augmentation import Augmentation
from skel_augment._params import Params, fold
from skel_augment._shape import ClipShape
from skel_data import SkeletonLayout


@define(frozen=True)
class View:
    """Augmentations applied one after the other. A view keeps no state.

    Attributes:
        steps: The augmentations, first to last.
    """

    steps: tuple[Augmentation, ...]

    def draws(self, shape: ClipShape) -> int:
        """Uniform numbers needed per clip."""
        return sum(step.draws(shape) for step in self.steps)

    def params(self, uniforms: Tensor, shape: ClipShape) -> tuple[Params, ...]:
        """Parameters of each step from uniforms (N, draws) in [0, 1)."""
        blocks = _columns(uniforms, [step.draws(shape) for step in self.steps])
        return tuple(step.params(block, shape) for step, block in zip(self.steps, blocks, strict=True))

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
        clips are split into consecutive batches.

        Args:
            shape: Shape of the clips.
            n: Number of clips.
            generator: Source of the numbers; PyTorch's own for the device if None.
            device: Where the parameters are wanted; by default where the generator is.
            dtype: Of the parameters. The same views are drawn for every dtype.

        Returns:
            One entry per step, each with ``n`` rows.
        """
        return sample_views([self], shape, n, generator=generator, device=device, dtype=dtype)[0]

    def apply(self, clips: Tensor, params: Sequence[Params]) -> Tensor:
        """Clips (N, C, T, V, M) changed by parameters with N rows; same shape and dtype.

        Steps on the same axis are merged before any clip is touched: all matrices of a view cost one.

        Raises:
            ValueError: If there are not as many parameters as steps.
        """
        if len(params) != len(self.steps):
            raise ValueError(f"the view has {len(self.steps)} steps, got parameters for {len(params)}")
        for step in fold(params):
            clips = step.apply(clips)
        return clips

    def __call__(
        self, clips: Tensor, layout: SkeletonLayout, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw parameters for the clips (N, C, T, V, M) and apply them.

        Raises:
            ValueError: If the clips do not fit the layout.
        """
        dtype = torch.promote_types(clips.dtype, torch.float32)
        shape = ClipShape.of(clips, layout)
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
) -> list[tuple[Params, ...]]:
    """Draw the parameters of several views of the same ``n`` clips, with what `View.sample` promises.

    Args:
        views: The views; the same view may occur twice and is drawn twice.
        shape: Shape of the clips.
        n: Number of clips.
        generator: Source of the numbers; PyTorch's own for the device if None.
        device: Where the parameters are wanted; by default where the generator is.
        dtype: Of the parameters.

    Returns:
        The parameters of each view, as `View.sample` returns them.
    """
    source = generator.device if generator is not None else torch.device("cpu" if device is None else device)
    counts = [view.draws(shape) for view in views]
    # Always float32, so that a run in double precision sees the same views.
    uniforms = torch.rand(n, sum(counts), generator=generator, device=source, dtype=torch.float32)
    uniforms = uniforms.to(source if device is None else device, dtype)
    blocks = _columns(uniforms, counts)
    return [view.params(block, shape) for view, block in zip(views, blocks, strict=True)]


def _columns(uniforms: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """The uniforms cut into blocks of so many columns."""
    stops = accumulate(counts)
    return [uniforms[:, stop - count : stop] for count, stop in zip(counts, stops, strict=True)]
