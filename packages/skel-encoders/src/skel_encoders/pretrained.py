"""Encoders on disk: weights in a safetensors file, and in JSON all that is needed to build the encoder.

Nothing in either file can run code. An encoder can be saved if `create_encoder` finds its class by a name,
and it keeps each argument of its constructor as an attribute of the same name.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

import skel_encoders
from skel_data import SkeletonLayout
from skel_data.files import write_atomically
from skel_encoders.registry import BUILT_IN, ENCODERS, create_encoder

_VERSION = 1
# Files of earlier versions have the names of classes.
_CLASS_NAMES = {part.partition(":")[2]: name for name, part in BUILT_IN.items()}


def save_pretrained(encoder: nn.Module, folder: str | Path) -> None:
    """Write an encoder to ``encoder.safetensors`` and ``encoder.json`` in a folder, made if need be.

    A reader sees each file as it was or as it is now, never a part of it; the JSON holds the hash of the
    weights it belongs to.

    Raises:
        ValueError: If `create_encoder` does not know the class of the encoder under any name, or the encoder
            does not keep an argument of its constructor, or keeps one that JSON does not have.
    """
    kind, folder = type(encoder), Path(folder)
    name = ENCODERS.name_of(kind)
    try:
        found = ENCODERS.lookup(name)
    except ValueError as error:
        raise ValueError(f"cannot save a {kind.__name__}: {error}") from None
    if found is not kind:
        raise ValueError(f"cannot save a {kind.__name__}: {name!r} is another class")
    parameters = inspect.signature(kind).parameters
    if lost := [key for key in parameters if not hasattr(encoder, key)]:
        raise ValueError(
            f"cannot save a {kind.__name__}: it does not keep {', '.join(lost)} as attributes of these names"
        )
    arguments: dict[str, Any] = {key: getattr(encoder, key) for key in parameters}
    try:
        arguments["layout"] = arguments["layout"].to_dict()
        json.dumps(arguments, default=int)  # numpy's whole numbers are no int
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"cannot save a {kind.__name__}: its arguments do not fit into JSON: {error}"
        ) from error
    state = encoder.state_dict()
    weights = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    facts = {
        "format": "skel-encoder",
        "version": _VERSION,
        "package": skel_encoders.__version__,
        "architecture": name,
        "arguments": arguments,
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(facts, indent=1, default=int)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("encoder.safetensors", weights), ("encoder.json", text)):
        write_atomically(folder / name, content)


def from_pretrained(folder: str | Path) -> nn.Module:
    """The encoder that `save_pretrained` wrote to a folder, in the default dtype, on the CPU, in eval mode.

    Raises:
        FileNotFoundError: If one of the two files is not there.
        ValueError: If they are no encoder, are of a newer format, do not belong together, or name arguments,
            tensors or an architecture that this version of the package does not have; an architecture of
            your own, ``module:Name``, is found once its module is imported.
    """
    path = Path(folder) / "encoder.json"
    try:
        facts = json.loads(path.read_bytes())
        version, package, name = int(facts["version"]), facts["package"], facts["architecture"]
        arguments, digest = dict(facts["arguments"]), facts["sha256"]
        known = facts["format"] == "skel-encoder"
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path} does not describe an encoder: {error!r}") from error
    if not known:
        raise ValueError(f"{path} has the format {facts['format']!r}, expected 'skel-encoder'")
    if version > _VERSION:
        raise ValueError(
            f"{path} has format version {version}, from skel-encoders {package}; "
            f"this is skel-encoders {skel_encoders.__version__}, which reads up to version {_VERSION}"
        )
    try:
        name = _CLASS_NAMES.get(name, name)
        ENCODERS.lookup(name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    weights = path.with_name("encoder.safetensors").read_bytes()
    if (found := hashlib.sha256(weights).hexdigest()) != digest:
        raise ValueError(
            f"{path.with_name('encoder.safetensors')} is damaged or of another encoder: "
            f"its sha256 is {found}, {path.name} says {digest}"
        )
    try:
        layout = SkeletonLayout.from_dict(arguments.pop("layout"))
        encoder = create_encoder(name, layout, **arguments)
        state = load(weights)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot build the encoder {name!r}: {error}") from error
    load_strictly(encoder, state, path)
    return encoder.eval()


def load_strictly(encoder: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Load weights from a file.

    Raises:
        ValueError: If names or shapes differ; the message lists them, and the encoder stays as it was.
    """
    wanted = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in weights.items()}
    if wanted != given:
        shapes = [
            f"{name} {given[name]} instead of {wanted[name]}"
            for name in wanted
            if name in given and given[name] != wanted[name]
        ]
        raise ValueError(
            f"{source} does not fit this {type(encoder).__name__}: missing {sorted(wanted.keys() - given)}, "
            f"unexpected {sorted(given.keys() - wanted)}, of another shape {shapes}"
        )
    encoder.load_state_dict(weights)
