"""Recipes: everything a pretraining run depends on, as one TOML file.

A recipe file may name another as its ``base`` and say only what differs. Whatever it says is checked
against the settings classes below; a key that nobody reads is an error that names its path.
"""

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import cattrs
import tomli_w
from attrs import define, field, validators
from cattrs.strategies import configure_tagged_union
from cattrs.v import format_exception

from skel_augment import View, build_view, describe_view, preset
from skel_data import AGCN300, CTRGCN, KEEP, PIPELINES, STREAMS, CrosSCLR50, Default
from skel_recipes._encoders import ENCODERS, EncoderSettings
from skel_recipes._kinds import kind_named, name_of
from skel_recipes.methods import METHODS, MethodSettings

Pipeline = Default | CrosSCLR50 | AGCN300 | CTRGCN


def _known_streams(_: object, __: object, value: str) -> None:
    names = value.split("+")
    if not set(names) <= set(STREAMS) or len(set(names)) < len(names):
        raise ValueError(f"stream must be of {', '.join(STREAMS)}, or several joined by +, got {value!r}")


@define(frozen=True)
class DataSettings:
    """What the encoder sees.

    Attributes:
        pipeline: How recordings become clips of equal length.
        stream: joint, motion or bone, taken after augmentation; or several joined by +, such as
            joint+motion+bone, with an encoder for each.
        split: Whose training part is pretrained on; the store's default if empty.
        keep: Where clips are kept: device, stream (read batch by batch, for sets that do not fit), or
            auto: on the device if they take at most half of its free memory.
        dtype: float32, or float16 for half the memory; batches are float32 either way.
        frames: Frames that the encoder sees, where the pipeline keeps recordings at their own length, filled
            up with zeros: the method's views must end in so many, and evaluation takes a window from the
            middle of each recording. 0: the pipeline's.
        crop: Length of that window, as a share of the recording.
    """

    pipeline: Pipeline = Default()
    stream: str = field(default="joint", validator=_known_streams)
    split: str = ""
    keep: str = field(default="auto", validator=validators.in_(KEEP))
    dtype: str = field(default="float32", validator=validators.in_(("float32", "float16")))
    frames: int = field(default=0, validator=validators.ge(0))
    crop: float = field(default=1.0, validator=[validators.gt(0), validators.le(1)])

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
        schedule: constant, cosine (to zero), or step (a tenth after each milestone).
        milestones: For step: epochs after which the rate falls.
        warmup_epochs: Epochs over which the rate grows linearly from zero.
    """

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = field(default=0.1, validator=validators.gt(0))
    weight_decay: float = field(default=1e-4, validator=validators.ge(0))
    schedule: Literal["constant", "cosine", "step"] = "constant"
    milestones: tuple[int, ...] = ()
    warmup_epochs: int = field(default=0, validator=validators.ge(0))


@define(frozen=True)
class TrainSettings:
    """How long and in what portions.

    Attributes:
        epochs: Passes over the training clips.
        min_steps: More epochs are added until there are so many steps: small sets need them.
        batch_size: Clips per step, of all processes together; a last smaller batch of an epoch is left out.
        seed: Decides weights, order and views; the same seed on the same machine gives the same run.
        precision: float32, float64, bfloat16 (autocast; losses stay in float32), or auto: bfloat16 where
            the device computes in it.
        monitor_every: Epochs between looks at the features, without labels; 0 for never.
        checkpoint_every: Epochs between checkpoints.
        tensorboard: Write TensorBoard events too (needs the extra ``skel-recipes[tensorboard]``).
    """

    epochs: int = field(default=100, validator=validators.ge(1))
    min_steps: int = field(default=0, validator=validators.ge(0))
    batch_size: int = field(default=128, validator=validators.ge(2))
    seed: int = field(default=0, validator=validators.ge(0))
    precision: Literal["float32", "float64", "bfloat16", "auto"] = "float32"
    monitor_every: int = field(default=10, validator=validators.ge(0))
    checkpoint_every: int = field(default=5, validator=validators.ge(1))
    tensorboard: bool = False

    def batches(self, clips: int, processes: int = 1) -> tuple[int, int]:
        """Size of a batch and number of steps in an epoch, for a training set of so many clips.

        Raises:
            ValueError: If not every process would get two clips.
        """
        size = min(self.batch_size, clips) // processes * processes
        if size < 2 * processes:
            raise ValueError(
                f"{processes} processes need batches of {2 * processes} clips or more: "
                f"train.batch_size is {self.batch_size} and there are {clips} clips"
            )
        return size, clips // size

    def length(self, clips: int, processes: int = 1) -> int:
        """Number of epochs for a training set of so many clips."""
        return max(self.epochs, math.ceil(self.min_steps / self.batches(clips, processes)[1]))


@define(frozen=True)
class Published:
    """A number that a recipe is to be held against.

    Attributes:
        dataset: Such as ntu60.
        split: Such as xsub.
        protocol: linear or knn.
        accuracy: In percent.
        source: Where it stands.
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
        published: What others report for it.
    """

    name: str
    method: MethodSettings
    encoder: EncoderSettings
    summary: str = ""
    data: DataSettings = DataSettings()
    optim: OptimSettings = OptimSettings()
    train: TrainSettings = TrainSettings()
    published: tuple[Published, ...] = ()

    def __attrs_post_init__(self) -> None:
        if getattr(self.method, "cross_stream", False) and len(self.data.streams) < 2:
            raise ValueError(
                f"method {name_of(type(self.method), METHODS)} learns across streams: data.stream must join "
                f"two or more by +, got {self.data.stream!r}"
            )


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with the package.

    Those of one word are for small sets; those below ``paper/`` are cells of published tables.
    """
    return tuple(sorted(_names(files("skel_recipes") / "recipes", "")))


def _names(folder: Traversable, prefix: str) -> Iterable[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _names(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".toml"):
            yield prefix + entry.name.removesuffix(".toml")


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
    recipe = _structure(_read(str(name), ()), str(name))
    if not overrides:
        return recipe
    # Laid over the resolved recipe, where also what stood as a preset's name has become a table.
    data = _converter().unstructure(recipe)
    for key, value in sorted(overrides.items(), key=lambda item: not item[0].endswith(".name")):
        _put(data, key, value)
    return _structure(data, str(name))


def _structure(data: Mapping[str, Any], source: str) -> Recipe:
    """A recipe from plain data; `source` names it in errors."""
    try:
        return _converter().structure(data, Recipe)
    except (cattrs.BaseValidationError, ValueError, TypeError) as error:
        problems = "\n  ".join(_problems(error))
        raise ValueError(f"recipe {source}:\n  {problems}") from error


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as TOML that `load_recipe` reads back."""
    return tomli_w.dumps(_converter().unstructure(recipe))


def parse_value(text: str) -> Any:
    """A value as TOML would read it; text that is no TOML value stays a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read(name: str, chain: tuple[str, ...]) -> dict[str, Any]:
    """The file's data, laid over that of its base."""
    if name in chain:
        raise ValueError(f"recipe {name!r} is its own base: {' -> '.join((*chain, name))}")
    if name in recipe_names():
        text = (files("skel_recipes") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml"):
        text = Path(name).read_text(encoding="utf-8")
    else:
        short = ", ".join(known for known in recipe_names() if "/" not in known)
        raise ValueError(
            f"no recipe {name!r}; there are {short} and those of papers, which skel recipe lists, "
            "or give a .toml file"
        )
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"recipe {name!r}: not a TOML file: {error}") from error
    data.setdefault("name", name.removesuffix(".toml") if name in recipe_names() else Path(name).stem)
    if "base" not in data:
        return data
    base = str(data.pop("base"))
    if base.endswith(".toml"):
        base = str(Path(name).parent / base)
    return _over(_read(base, (*chain, name)), data)


def _over(base: dict[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """`top` laid over `base`: tables are merged, unless they are of different kinds (``name``)."""
    merged = dict(base)
    for key, value in top.items():
        under = merged.get(key)
        same_kind = (
            isinstance(under, dict)
            and isinstance(value, dict)
            and ("name" not in value or value["name"] == under.get("name"))
        )
        merged[key] = _over(under, value) if isinstance(under, dict) and same_kind else value
    return merged


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    """Set a value by its dotted key; another ``name`` empties its table, whose keys were of the old kind."""
    *path, last = key.split(".")
    place: Any = data
    for step in path:
        place = place[_index(place, step, key)] if isinstance(place, list) else place.setdefault(step, {})
        if not isinstance(place, dict | list):
            raise ValueError(f"{key}: {step!r} holds {place!r}, not a table")
    if isinstance(place, list):
        place[_index(place, last, key)] = value
        return
    if last == "name" and path and place.get("name") != value:
        place.clear()
    place[last] = value


def _index(items: list[Any], step: str, key: str) -> int:
    if not step.isdecimal() or int(step) >= len(items):
        raise ValueError(f"{key}: {step!r} is not an index into a list of {len(items)}")
    return int(step)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(bool, _structure_bool)
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(View, _structure_view)
    converter.register_unstructure_hook(View, describe_view)
    pipelines = {kind: name for name, kind in PIPELINES.items()}
    configure_tagged_union(Pipeline, converter, tag_generator=pipelines.__getitem__, tag_name="name")
    tagged = converter.get_structure_hook(Pipeline)
    converter.register_structure_hook(Pipeline, partial(_structure_pipeline, tagged))
    _by_name(converter, EncoderSettings, ENCODERS, "encoder")
    _by_name(converter, MethodSettings, METHODS, "method")
    return converter


def _by_name(converter: cattrs.Converter, declared: type, known: Mapping[str, type], what: str) -> None:
    """Read and write settings whose class is told by a key ``name``."""

    def structure(data: Any, _: type) -> Any:
        if not isinstance(data, Mapping) or "name" not in data:
            raise ValueError(f"expected a table with the name of the {what}, got {data!r}")
        settings = dict(data)
        return converter.structure(settings, kind_named(str(settings.pop("name")), known, what))

    def unstructure(value: Any) -> dict[str, Any]:
        return {"name": name_of(type(value), known), **converter.unstructure(value, type(value))}

    converter.register_structure_hook_func(lambda kind: kind is declared, structure)
    converter.register_unstructure_hook_func(lambda kind: kind is declared, unstructure)


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


def _structure_pipeline(structure: Callable[[Any, Any], Pipeline], data: Any, kind: Any) -> Pipeline:
    if not isinstance(data, Mapping) or "name" not in data:
        raise ValueError(f"expected a table with the name of the pipeline, got {data!r}")
    if data["name"] not in PIPELINES:
        raise ValueError(f"no pipeline {data['name']!r}; there are {', '.join(PIPELINES)}")
    return structure(data, kind)


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
        return f"unknown key {', '.join(sorted(error.extra_fields))}"
    if isinstance(error, ValueError | TypeError) and error.args:
        return str(error.args[0])
    return format_exception(error, kind)
