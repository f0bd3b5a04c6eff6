"""Encoders on disk: weights in a safetensors file, and in JSON all that is needed to build the encoder.

Nothing in either file can run code. An encoder can be saved if it keeps each argument of its constructor
as an attribute of the same name.
"""

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

import skel_encoders
from skel_data import SkeletonLayout

_VERSION = 1


def save_pretrained(encoder: nn.Module, folder: str | Path) -> None:
    """Write an encoder to ``encoder.safetensors`` and ``encoder.json`` in a folder, made if need be.

    A reader sees each file as it was or as it is now, never a part of it; the JSON holds the hash of the
    weights it belongs to.

    Raises:
        ValueError: If the encoder is of no class of this package.
    """
    kind, folder = type(encoder), Path(folder)
    if kind.__name__ not in _known() or getattr(skel_encoders, kind.__name__) is not kind:
        raise ValueError(f"cannot save a {kind.__name__}; known encoders are {_known()}")
    arguments: dict[str, Any] = {name: getattr(encoder, name) for name in inspect.signature(kind).parameters}
    arguments["layout"] = arguments["layout"].to_dict()
    state = encoder.state_dict()
    weights = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    facts = {
        "format": "skel-encoder",
        "version": _VERSION,
        "package": skel_encoders.__version__,
        "architecture": kind.__name__,
        "arguments": arguments,
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(facts, indent=1, default=int).encode()  # numpy's whole numbers are no int
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "encoder.safetensors", weights)
    _write(folder / "encoder.json", text)


def from_pretrained(folder: str | Path) -> nn.Module:
    """The encoder that `save_pretrained` wrote to a folder, in float32, on the CPU and in eval mode.

    Raises:
        FileNotFoundError: If one of the two files is not there.
        ValueError: If they are no encoder, are of a newer format, do not belong together, or name an
            architecture, arguments or tensors that this version of the package does not have.
    """
    path = Path(folder) / "encoder.json"
    try:
        facts = json.loads(path.read_bytes())
        version, package, name = int(facts["version"]), facts["package"], facts["architecture"]
        arguments, digest = dict(facts["arguments"]), facts["sha256"]
        known = facts["format"] == "skel-encoder"
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not describe an encoder: {error!r}") from error
    if not known:
        raise ValueError(f"{path} has the format {facts['format']!r}, expected 'skel-encoder'")
    if version > _VERSION:
        raise ValueError(
            f"{path} has format version {version}, from skel-encoders {package}; "
            f"this is skel-encoders {skel_encoders.__version__}, which reads up to version {_VERSION}"
        )
    if name not in _known():
        raise ValueError(f"{path}: no encoder {name!r}; known are {_known()}")
    weights = path.with_name("encoder.safetensors").read_bytes()
    if (found := hashlib.sha256(weights).hexdigest()) != digest:
        raise ValueError(
            f"{path.with_name('encoder.safetensors')} is damaged or of another encoder: "
            f"its sha256 is {found}, {path.name} says {digest}"
        )
    try:
        arguments = {key: _tuples(value) for key, value in arguments.items()}
        arguments["layout"] = SkeletonLayout.from_dict(arguments["layout"])
        encoder: nn.Module = getattr(skel_encoders, name)(**arguments)
        state = load(weights)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot build a {name}: {error}") from error
    load_strictly(encoder, state, path)
    return encoder.eval()


def load_strictly(encoder: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Load weights, or leave the encoder alone and say which of them do not fit."""
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


def _known() -> list[str]:
    """The encoders of this package: all classes that it exports."""
    return [name for name in skel_encoders.__all__ if name[0].isupper()]


def _tuples(value: Any) -> Any:
    """JSON has lists where constructors take tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
