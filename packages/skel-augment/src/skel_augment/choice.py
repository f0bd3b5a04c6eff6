"""Exclusive choices between augmentations."""

from itertools import accumulate

from attrs import define, field
from attrs.validators import deep_iterable, gt, min_len
from torch import Tensor

from skel_augment.augmentation import Augmentation, Chain, Params, as_augmentations, as_floats, finite
from skel_data import ClipShape


@define(frozen=True)
class OneOf(Augmentation):
    """Random choice: one of several augmentations, each clip its own (ISC, 2108.03656).

    All are computed for all clips and act on those that drew them, so that nothing depends on the numbers;
    what is linear merges with the other steps of the view.

    Attributes:
        steps: The augmentations to choose from. None may change the length of the clips.
        weights: How likely each of them is, up to a common factor; equally if empty.
    """

    steps: tuple[Augmentation, ...] = field(converter=as_augmentations, validator=min_len(1))
    weights: tuple[float, ...] = field(
        default=(), converter=as_floats, validator=[deep_iterable(gt(0)), deep_iterable(finite)]
    )

    def __attrs_post_init__(self) -> None:
        if self.weights and len(self.weights) != len(self.steps):
            raise ValueError(f"weights must be as many as steps = {len(self.steps)}, got {self.weights}")

    @property
    def alternatives(self) -> tuple[Augmentation, ...]:
        """All augmentations to choose from."""
        return tuple(each for step in self.steps for each in step.alternatives)

    def output_shape(self, shape: ClipShape) -> ClipShape:
        for step in self.steps:
            if step.output_shape(shape) != shape:
                raise ValueError(
                    f"no step of OneOf may change the length of clips, but {type(step).__name__} makes "
                    f"{step.output_shape(shape).frames} frames of {shape.frames}"
                )
        return shape

    def _param_uniforms(self, shape: ClipShape) -> int:
        return 1 + sum(step.num_uniforms(shape) for step in self.steps)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Chain:
        self.output_shape(shape)
        weights = self.weights or (1.0,) * len(self.steps)
        stops = [stop / sum(weights) for stop in accumulate(weights)]
        choice = uniforms[:, 0]
        parts: list[Params] = []
        start, begin = 0.0, 1
        for step, stop in zip(self.steps, [*stops[:-1], 1.0], strict=True):
            end = begin + step.num_uniforms(shape)
            params = step.params(uniforms[:, begin:end], shape)
            parts.append(params.where((start <= choice) & (choice < stop)))
            start, begin = stop, end
        return Chain(tuple(parts))
