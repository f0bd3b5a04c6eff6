"""Recipe: everything a pretraining run depends on, as one TOML file.

Base, file and flags are merged as plain data, which is then checked once against the classes below; a key
that nobody reads is an error that names its path.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cattrs
import tomli_w
from attrs import define, field, fields, validators
from cattrs.v import format_exception
from torch import nn

from skel_augment import View, build_view, describe_view, preset
from skel_data import KEEP, PIPELINES, STREAMS, ClipShape, Default, Pipeline, Registry
from skel_encoders import encoder_settings
from skel_recipes.common.words import count
from skel_recipes.config.library import check_numbers, flat_values, override, read_recipe
from skel_recipes.methods import METHODS, MethodSettings
from skel_recipes.methods.context import build_encoder


def _between(low: int, high: int) -> list[Any]:
    return [validators.ge(low), validators.le(high)]


def _known_streams(_: object, __: object, value: str) -> None:
    names = value.split("+")
    if not set(names) <= set(STREAMS) or len(set(names)) < len(names):
        raise ValueError(f"stream must be of {', '.join(STREAMS)}, or several joined by +, got {value!r}")


@define(frozen=True)
class EncoderConfig:
    """An encoder by name, with the arguments of its constructor.

    Attributes:
        name: Name of the encoder, as `skel_encoders.create_encoder` takes it.
        settings: Arguments of its constructor, without what the clips decide.
    """

    name: str
    settings: Mapping[str, Any] = field(factory=dict)

    def build(self, shape: ClipShape, stream: str = "joint") -> nn.Module:
        """An encoder of such clips, in one of their streams, with fresh weights.

        Raises:
            ValueError: If the stream has other channels than the layout, and the encoder takes no other.
        """
        return build_encoder(self.name, shape, stream, **self.settings)


@define(frozen=True)
class DataSettings:
    """What the encoder sees.

    Attributes:
        pipeline: How recordings become clips of equal length.
        stream: joint, motion, bone or distance, taken after augmentation; or several joined by +, such as
            joint+motion+bone, with an encoder for each.
        split: Whose training part is pretrained on; the store's default if empty.
        keep: Where clips are kept: device, stream (read batch by batch, for sets that do not fit), or
            auto: on the device if they take at most half of its free memory.
        dtype: float32, or float16 for half the memory; batches are float32 either way.
        frames: Frames that the encoder sees, if the pipeline keeps recordings at their own length, filled
            up with zeros: the method's views must end in this number, and evaluation takes a window from the
            middle of each recording. 0: the pipeline's.
        crop: Length of that window, as a share of the recording.
        positives: What the second view of a clip is drawn of. clip: of the clip itself. performance: of
            another camera's recording of the same performance. repetition: of another repetition by the same
            subject before the same camera. These two find recordings by their names, which in some sets
            contain the class; results say so.
        partner_probability: How often it is drawn of another recording, where there is one.
        batches_of: any: batches of any clips. setup: all clips of a batch, and so its negatives, are of one
            setup, such as one data set of a pool; every clip must have one.
        balance: For setup: 0 draws setups in proportion to their clips, 1 equally often.
    """

    pipeline: Pipeline = Default()
    stream: str = field(default="joint", validator=_known_streams)
    split: str = ""
    keep: str = field(default="auto", validator=validators.in_(KEEP))
    dtype: str = field(default="float32", validator=validators.in_(("float32", "float16")))
    frames: int = field(default=0, validator=_between(0, 10**5))
    crop: float = field(default=1.0, validator=[validators.gt(0), validators.le(1)])
    positives: Literal["clip", "performance", "repetition"] = "clip"
    partner_probability: float = field(default=0.5, validator=[validators.gt(0), validators.le(1)])
    batches_of: Literal["any", "setup"] = "any"
    balance: float = field(default=0.0, validator=[validators.ge(0), validators.le(1)])

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(self.stream.split("+"))


@define(frozen=True)
class OptimSettings:
    """How weights are updated.

    Attributes:
        optimizer: sgd (with momentum 0.9), adam or adamw.
        lr: Largest learning rate.
        weight_decay: L2 penalty of SGD and Adam, decoupled decay of AdamW.
        final_weight_decay: Weight decay at the end, reached along a cosine; below 0: it stays.
        schedule: constant, cosine (to min_lr), or step (gamma times the rate after each milestone).
        milestones: For step: epochs after which the rate falls.
        warmup_epochs: Epochs over which the rate grows linearly from zero.
        warmup_steps: Smallest number of warm-up steps, however many epochs they are.
        min_lr: For cosine: learning rate at the end.
        beta2: Adam and AdamW: decay rate of the mean of squared gradients.
        decay_vectors: Whether biases and other vectors decay too.
        layer_decay: Layer-wise learning-rate decay of the encoder: factor from a layer to the one before it.
            The last layer, and what a method adds to the encoder, has the whole rate.
        frozen_layers: Number of first layers that keep their weights; an embedding counts as one.
        clip_tensors: Largest norm of the gradient of each tensor; 0 for no limit.
        clip_norm: Largest norm of the gradient of all weights; 0 for no limit.
        gamma: For step: factor of the learning rate at each milestone.
    """

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = field(default=0.1, validator=validators.gt(0))
    weight_decay: float = field(default=1e-4, validator=validators.ge(0))
    schedule: Literal["constant", "cosine", "step"] = "constant"
    milestones: tuple[int, ...] = ()
    warmup_epochs: int = field(default=0, validator=_between(0, 10**7))
    warmup_steps: int = field(default=0, validator=_between(0, 10**10))
    min_lr: float = field(default=0.0, validator=validators.ge(0))
    beta2: float = field(default=0.999, validator=[validators.ge(0), validators.lt(1)])
    decay_vectors: bool = True
    layer_decay: float = field(default=1.0, validator=[validators.gt(0), validators.le(1)])
    frozen_layers: int = field(default=0, validator=_between(0, 10**4))
    clip_tensors: float = field(default=0.0, validator=validators.ge(0))
    clip_norm: float = field(default=0.0, validator=validators.ge(0))
    final_weight_decay: float = -1.0
    gamma: float = field(default=0.1, validator=[validators.gt(0), validators.le(1)])

    def __attrs_post_init__(self) -> None:
        if self.final_weight_decay > 0 and not self.weight_decay:
            raise ValueError("final_weight_decay needs a weight_decay above 0 to begin with")


@define(frozen=True)
class TrainSettings:
    """How long and in what portions.

    Attributes:
        epochs: Passes over the training clips.
        min_steps: Smallest number of steps: more epochs are added on small sets, unless you set the epochs
            yourself. Epochs in the method's settings, such as mining_epoch, are stretched with it.
        batch_size: Clips per step, of all processes together; a last smaller batch of an epoch is left out.
        seed: Decides weights, order and views; the same seed on the same machine gives the same run.
        precision: float32, float64, bfloat16 (autocast; losses stay in float32), or auto: bfloat16 where
            the device computes in it.
        monitor_every: Epochs between feature diagnostics, which need no labels; 0 for never.
        checkpoint_every: Epochs between checkpoints.
        checkpoint_blocks: Gradient (activation) checkpointing: compute what is inside the encoder's blocks
            again in the backward pass, for less memory and more time. The weights come out the same.
        tensorboard: Write TensorBoard events too (needs the extra ``skel-recipes[tensorboard]``).
    """

    epochs: int = field(default=100, validator=_between(1, 10**7))
    min_steps: int = field(default=0, validator=_between(0, 10**10))
    batch_size: int = field(default=128, validator=_between(2, 10**7))
    seed: int = field(default=0, validator=validators.ge(0))
    precision: Literal["float32", "float64", "bfloat16", "auto"] = "float32"
    monitor_every: int = field(default=10, validator=validators.ge(0))
    checkpoint_every: int = field(default=5, validator=validators.ge(1))
    checkpoint_blocks: bool = False
    tensorboard: bool = False

    def batches(self, clips: int, processes: int = 1) -> tuple[int, int]:
        """Size of a batch and number of steps in an epoch, for a training set of this size.

        Raises:
            ValueError: If not every process would get two clips.
        """
        size = min(self.batch_size, clips) // processes * processes
        if size < 2 * processes:
            raise ValueError(
                f"{processes} processes need batches of {2 * processes} clips or more: "
                f"train.batch_size is {self.batch_size} for {count(clips, 'clip')}"
            )
        return size, clips // size

    def length(self, clips: int, processes: int = 1) -> int:
        """Number of epochs for a training set of this size."""
        return max(self.epochs, math.ceil(self.min_steps / self.batches(clips, processes)[1]))


@define(frozen=True)
class Published:
    """A published result to compare with.

    Attributes:
        dataset: Such as ntu60.
        split: Such as xsub.
        protocol: Name of the protocol, such as linear or knn.
        accuracy: In percent.
        source: Where it is published.
        streams: What it was reached with, such as joint, or joint+motion+bone fused.
    """

    dataset: str
    split: str
    protocol: str
    accuracy: float
    source: str
    streams: str


@define(frozen=True)
class Recipe:
    """All settings of a pretraining run.

    Attributes:
        name: Name of the recipe.
        summary: What it is, in a sentence.
        method: The self-supervised method; ``method.name`` chooses it.
        encoder: The encoder; ``encoder.name`` chooses it.
        data: Pipeline and stream.
        optim: Optimiser and schedule.
        train: Length, batches, seed, precision.
        evaluation: Command that evaluates as the paper does, where that is not the linear probe of all
            streams in equal parts.
        published: What others report for it.
    """

    name: str
    method: MethodSettings
    encoder: EncoderConfig
    summary: str = ""
    data: DataSettings = DataSettings()
    optim: OptimSettings = OptimSettings()
    train: TrainSettings = TrainSettings()
    evaluation: str = ""
    published: tuple[Published, ...] = ()

    def __attrs_post_init__(self) -> None:
        if getattr(self.method, "cross_stream", False) and len(self.data.streams) < 2:
            raise ValueError(
                f"method {METHODS.name_of(type(self.method))} learns across streams: data.stream must join "
                f"two or more by +, got {self.data.stream!r}"
            )
        if getattr(self.method, "one_view", False) and self.data.positives != "clip":
            raise ValueError(
                f"method {METHODS.name_of(type(self.method))} draws one view of a clip, so there is no "
                f"second one to draw of another recording: data.positives must be clip, got "
                f"{self.data.positives}"
            )


def load_recipe(name: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe by name or from a TOML file.

    Args:
        name: One of `recipe_names`, or the path of a ``.toml`` file.
        overrides: Values by dotted key, such as ``{"optim.lr": 0.05}``; an index reaches into lists.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If there is no such recipe, a key is unknown or a value does not fit; the message
            names the path.
    """
    data = read_recipe(name)
    if overrides:
        method = data.get("method", {})

        def expand(key: str, value: Any) -> Any:
            """The steps of a view that a longer key reaches into."""
            if value is None and key.startswith("method."):
                kind: Any = METHODS.lookup(str(method.get("name")))
                value = {one.name: one.default for one in fields(kind)}.get(key.removeprefix("method."))
            if isinstance(value, str) and key.startswith("method."):
                value = preset(value)
            return describe_view(value) if isinstance(value, View) else value

        override(data, overrides, expand)
    try:
        check_numbers(data)
        return _converter().structure(data, Recipe)
    except (cattrs.BaseValidationError, ValueError, TypeError) as error:
        raise ValueError("\n  ".join([f"recipe {name}:", *_problems(error)])) from error


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as TOML that `load_recipe` reads back, every setting resolved."""
    return tomli_w.dumps(_converter().unstructure(recipe))


def flat_recipe(recipe: Recipe) -> dict[str, str]:
    """The recipe's values by dotted key, as flags have them."""
    return flat_values(tomllib.loads(dump_recipe(recipe)))


def settings_but_seed(recipe: Recipe) -> dict[str, str]:
    """All that a run of the recipe depends on but its seed, by dotted key."""
    left_out = ("name", "summary", "evaluation", "train.seed")
    return {
        key: value
        for key, value in flat_recipe(recipe).items()
        if key not in left_out and not key.startswith("published")
    }


def dump_data(data: DataSettings) -> Any:
    """Pipeline and stream as plain data that `read_data` reads back."""
    return _converter().unstructure(data)


def read_data(plain: Any, source: str | Path) -> DataSettings:
    """Pipeline and stream from plain data.

    Raises:
        ValueError: If a key is unknown or a value does not fit; the message names the source.
    """
    try:
        return _converter().structure(plain, DataSettings)
    except (cattrs.BaseValidationError, ValueError, TypeError) as error:
        raise ValueError(f"{source}: {'; '.join(_problems(error))}") from error


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(bool, _structure_bool)
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(View, _structure_view)
    converter.register_unstructure_hook(View, describe_view)
    converter.register_structure_hook(EncoderConfig, _structure_encoder)
    converter.register_unstructure_hook(EncoderConfig, _unstructure_encoder)
    _by_name(converter, Pipeline, PIPELINES)
    _by_name(converter, MethodSettings, METHODS)
    return converter


def _by_name(converter: cattrs.Converter, declared: Any, registry: Registry[Any]) -> None:
    """Read and write settings whose class is named by a key ``name``."""

    def structure(data: Any, _: type) -> Any:
        name, settings = _named(data, registry.kind)
        return converter.structure(settings, registry.lookup(name))

    def unstructure(value: Any) -> dict[str, Any]:
        if value is None:  # the method of an encoder that came from elsewhere
            return {}
        return {"name": registry.name_of(type(value)), **converter.unstructure(value, type(value))}

    converter.register_structure_hook_func(lambda kind: kind is declared, structure)
    converter.register_unstructure_hook_func(lambda kind: kind is declared, unstructure)


def _named(data: Any, kind: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(data, Mapping) or "name" not in data:
        raise ValueError(f"expected a table with the name of the {kind}, got {data!r}")
    settings = dict(data)
    return str(settings.pop("name")), settings


def _structure_encoder(data: Any, _: type) -> EncoderConfig:
    name, settings = _named(data, "encoder")
    return EncoderConfig(name, encoder_settings(name, **settings))


def _unstructure_encoder(encoder: EncoderConfig) -> dict[str, Any]:
    settings = encoder_settings(encoder.name, **encoder.settings)
    return {"name": encoder.name, **{key: value for key, value in settings.items() if value is not None}}


def _structure_bool(data: Any, _: type) -> bool:
    """Only true and false: Python would take the text "false" for true."""
    if not isinstance(data, bool):
        raise ValueError(f"expected true or false, got {data!r}")
    return data


def _structure_int(data: Any, _: type) -> int:
    """A whole number, which 1e3 is and 1.5 is not: nothing is rounded."""
    if isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
        raise ValueError(f"expected a whole number, got {data!r}")
    return int(data)


def _structure_view(data: Any, _: type) -> View:
    """A view from the name of a preset or from a list of tables."""
    return preset(data) if isinstance(data, str) else build_view(data)


def _problems(error: BaseException) -> Iterable[str]:
    if isinstance(error, cattrs.BaseValidationError):
        return cattrs.transform_error(error, path="recipe", format_exception=_sentence)
    return [str(error)]


def _sentence(error: BaseException, kind: type | None) -> str:
    """What was wrong, in words; validators put it before the attribute that they speak of."""
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = [one.name for one in fields(error.cl)]
        near = [
            f"{key} (did you mean {match[0]}?)" if (match := get_close_matches(key, known, 1)) else key
            for key in sorted(error.extra_fields)
        ]
        return f"unknown key {', '.join(near)}"
    if isinstance(error, ValueError | TypeError) and error.args:
        return str(error.args[0])
    return format_exception(error, kind)
