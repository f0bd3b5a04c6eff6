"""Initial weights of a pretraining, taken from another encoder."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from attrs import define, field
from torch import Tensor, nn

from skel_augment import View, describe_view
from skel_eval import state_digest
from skel_recipes.config.recipe import Recipe, dump_data


@define(frozen=True, eq=False)
class InitialWeights:
    """Weights that the encoders of a run begin with.

    Attributes:
        source: Folder of the run or encoder that they are from.
        digest: Hash of all weights of that encoder, by stream.
        layers: Patterns of the layers that were chosen; empty for all.
        weights: Tensors by name; the name begins with the stream and a dot.
        fresh: Names of weights of the new encoders that were not loaded.
        unused: Names of weights of the source that were not taken.
        origin: Store and split that the source was trained on, its own initial weights, and its settings but
            the seed, as ``run.json`` has them.
    """

    source: Path
    digest: Mapping[str, str]
    layers: tuple[str, ...]
    weights: Mapping[str, Tensor]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
    origin: Mapping[str, Any] = field(factory=dict)

    def described(self) -> dict[str, Any]:
        """What ``run.json`` keeps."""
        return {
            "path": str(self.source),
            "digest": dict(self.digest),
            "layers": list(self.layers),
            "loaded": sorted(self.weights),
            "not_loaded": list(self.fresh),
            "unused": list(self.unused),
            **self.origin,
        }


def match_weights(
    encoders: Mapping[str, nn.Module],
    sources: Mapping[str, nn.Module],
    path: Path,
    layers: Sequence[str] = (),
    origin: Mapping[str, Any] | None = None,
) -> InitialWeights:
    """Weights of other encoders that fit new ones by stream, name and shape.

    Args:
        encoders: The new encoder of each stream.
        sources: The other encoder of each stream; a single one goes with a single new one of any stream.
        path: Where the others are from.
        layers: Patterns of names, such as ``blocks.0`` or ``blocks.*.temporal``; a layer brings all that is
            in it. Empty for all.
        origin: What the others were trained on, see `InitialWeights`.

    Raises:
        ValueError: If an encoder is of another class, a stream is missing, a pattern matches no weight, or
            nothing fits.
    """
    weights: dict[str, Tensor] = {}
    fresh: list[str] = []
    unused: list[str] = []
    matched: set[str] = set()
    pairs = {stream: sources.get(stream) for stream in encoders}
    if len(encoders) == len(sources) == 1:
        pairs = dict(zip(encoders, sources.values(), strict=True))
    for stream, encoder in encoders.items():
        source = pairs[stream]
        if source is None:
            raise ValueError(f"{path} has no encoder of the stream {stream}; it has {', '.join(sources)}")
        if type(source) is not type(encoder):
            kinds = type(source).__name__, type(encoder).__name__
            raise ValueError(f"{path} has an encoder {kinds[0]}, the recipe one of {kinds[1]}")
        given, wanted = source.state_dict(), encoder.state_dict()
        chosen = {name for name in given if not layers or any(_in(name, layer) for layer in layers)}
        matched |= {layer for layer in layers for name in given if _in(name, layer)}
        taken = {name for name in chosen if name in wanted and given[name].shape == wanted[name].shape}
        weights |= {f"{stream}.{name}": given[name].contiguous() for name in sorted(taken)}
        fresh += [f"{stream}.{name}" for name in wanted if name not in taken]
        unused += [f"{stream}.{name}" for name in given if name not in taken]
    if missing := [layer for layer in layers if layer not in matched]:
        tops = dict.fromkeys(name.split(".")[0] for one in sources.values() for name in one.state_dict())
        raise ValueError(f"{path} has no layer {', '.join(missing)}; its layers begin with {', '.join(tops)}")
    if not weights:
        raise ValueError(f"no weight of {path} has the name and shape of one of the recipe's encoder")
    digest = {stream: state_digest(source.state_dict()) for stream, source in sources.items()}
    return InitialWeights(path, digest, tuple(layers), weights, tuple(fresh), tuple(unused), origin or {})


def tuned_settings(recipe: Recipe, given: Mapping[str, Any], *, frames: int = 0) -> dict[str, Any]:
    """Settings that a recipe takes over from a run that it tunes: encoder, pipeline, stream, frames and crop.

    Where recordings keep their own length, views bring them to what the encoder sees. So the run's view is
    taken over too, unless those of the recipe end in as many frames.

    Args:
        recipe: That of the run.
        given: Settings by dotted key that the user gives; what they replace as a whole is left out.
        frames: Frames in which the views of the tuning recipe end, which is its ``data.frames``.

    Returns:
        Settings by dotted key, for `load_recipe`; lay those of the user over them.
    """
    data = dump_data(recipe.data)
    taken: dict[str, Any] = {"encoder": {"name": recipe.encoder.name, **recipe.encoder.settings}}
    taken |= {f"data.{key}": data[key] for key in ("pipeline", "stream", "frames", "crop") if key in data}
    view = getattr(recipe.method, "view", None)
    if recipe.data.frames not in (0, frames) and isinstance(view, View):
        taken["method.view"] = describe_view(view)
    return {key: value for key, value in taken.items() if not {key, f"{key}.name"} & given.keys()}


def load_initial(encoders: Mapping[str, nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Load weights whose names begin with the stream; all others stay as they are."""
    for stream, encoder in encoders.items():
        own = {
            name.removeprefix(f"{stream}."): value
            for name, value in weights.items()
            if name.startswith(f"{stream}.")
        }
        encoder.load_state_dict(encoder.state_dict() | own)


def _in(name: str, layer: str) -> bool:
    return fnmatchcase(name, layer) or fnmatchcase(name, f"{layer}.*")
