"""Models on disk: a folder of JSON and safetensors that runs no code.

``model.json`` has all but the weights; ``head.safetensors`` the classifier; ``encoder-STREAM`` the encoder of
each stream, as `skel_encoders.save_pretrained` writes it.
"""

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cattrs
import torch
from attrs import fields
from safetensors.torch import load, save
from torch import nn

from skel_data import PIPELINES, ClipShape, Pipeline, SkeletonLayout
from skel_data.files import write_atomically
from skel_encoders import IntermediateFeatures, from_pretrained, save_pretrained
from skel_recipes.common.device import pick_device
from skel_recipes.common.files import new_folder
from skel_recipes.model.calibration import Calibration
from skel_recipes.model.embedder import Embedder
from skel_recipes.model.heads import HEADS
from skel_recipes.model.model import Model
from skel_recipes.run.clips import takes_windows
from skel_recipes.run.run import PACKAGES

FORMAT, VERSION = "skel-model", 3


def save_model(model: Model, path: Path) -> Path:
    """Write a model; see `Model.save`."""
    embedder = model.embedder
    arrays = {
        f"{number}.{name}": value.contiguous()
        for number, head in enumerate(model.heads)
        for name, value in head.arrays().items()
    }
    head = save(arrays)
    pipeline: Any = embedder.pipeline
    features = {}
    if isinstance(first := embedder.encoders[0], IntermediateFeatures):
        features = {"features": {"layers": first.layers, "bins": first.bins}}
    facts = {
        "format": FORMAT,
        "version": VERSION if features else 2,  # releases before them read it
        **features,
        "classes": model.classes,
        "layout": embedder.layout.to_dict(),
        "frames": embedder.shape.frames,
        "bodies": embedder.shape.bodies,
        "crop": embedder.crop,
        "min_score": embedder.min_score,
        "pipeline": {
            "name": PIPELINES.name_of(type(pipeline)),
            "version": pipeline.version,
            "settings": cattrs.unstructure(pipeline),
        },
        "streams": embedder.streams,
        "weights": embedder.weights,
        "head": {"name": model.head_name, "sha256": hashlib.sha256(head).hexdigest()},
        "calibration": model.calibration.to_dict(),
        "clip_frames": model.clip_frames,
        "fps": model.fps,
        "held_out": model.held_out,
        "origin": model.origin,
        "versions": {name: version(name) for name in (*PACKAGES, "torch", "numpy")},
        "python": platform.python_version(),
    }
    text = json.dumps(facts, indent=1)
    with new_folder(path) as folder:
        for stream, encoder in zip(embedder.streams, embedder.encoders, strict=True):
            own = encoder.encoder if isinstance(encoder, IntermediateFeatures) else encoder
            save_pretrained(own, folder / f"encoder-{stream}")
        write_atomically(folder / "head.safetensors", head)
        write_atomically(folder / "model.json", text)
    return path


def load_model(path: str | Path, *, device: str = "auto") -> Model:
    """Open the folder of a model, as `skel fit` or `Model.save` wrote it. Nothing in it is run.

    Args:
        path: The folder.
        device: Where to compute: cpu, cuda, cuda:1, ... or auto.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it is no model, is of a newer format, is damaged, or needs a part that is not there.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no model at {path}")
    facts = _facts(path)
    try:
        return _model(facts, path, device)
    except (KeyError, TypeError, AttributeError, OSError, cattrs.BaseValidationError) as error:
        raise ValueError(f"{path}: damaged model: {type(error).__name__}: {error}") from error


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((path / "model.json").read_text(encoding="utf-8"))
        known = facts["format"] == FORMAT
        written = int(facts["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "; it is a run: make a model of it with skel fit" if (path / "run.json").exists() else ""
        raise ValueError(f"{path} is not a model: it has no readable model.json{hint}") from error
    if not known:
        raise ValueError(f"{path} is not a model: its format is {facts['format']!r}, expected {FORMAT!r}")
    if not 1 <= written <= VERSION:
        raise ValueError(
            f"{path}: model of version {written}; this skel-recipes {version('skel-recipes')} reads up to "
            f"{VERSION}: install the release that wrote it, {facts.get('versions', {}).get('skel-recipes')}"
        )
    return facts


def _model(facts: dict[str, Any], path: Path, device: str) -> Model:
    layout = SkeletonLayout.from_dict(facts["layout"])
    shape = ClipShape(layout, facts["frames"], facts["bodies"])
    streams = tuple(facts["streams"])
    embedder = Embedder(
        shape,
        _pipeline(facts["pipeline"], path),
        facts["crop"],
        streams,
        tuple(facts["weights"]),
        tuple(_encoder(path / f"encoder-{stream}", facts.get("features")) for stream in streams),
        pick_device(device),
        facts["min_score"],
    )
    pipeline: Any = embedder.pipeline
    if facts["version"] == 1 and takes_windows(pipeline.frames, shape.frames, embedder.crop):
        raise ValueError(f"{path} takes windows of another length than this release: fit it again")
    name = facts["head"]["name"]
    if name not in HEADS:
        raise ValueError(f"{path}: head {name!r} is not known here; there are {', '.join(HEADS)}")
    kind = HEADS[name]
    calibration = {key: value for key, value in facts["calibration"].items() if key != "rule"}
    return Model(
        embedder,
        name,
        _heads(kind, path, facts["head"]["sha256"], len(streams) if kind.fuses == "logits" else 1),
        tuple(facts["classes"]),
        Calibration(**calibration),
        facts["clip_frames"],
        facts["fps"],
        facts["origin"],
        facts["held_out"],
    )


def _encoder(path: Path, features: dict[str, int] | None) -> nn.Module:
    encoder = from_pretrained(path)
    return IntermediateFeatures(encoder, **features).eval() if features else encoder


def _pipeline(facts: dict[str, Any], path: Path) -> Pipeline:
    kind: Any = PIPELINES.lookup(facts["name"])
    if facts["version"] != kind.version:
        raise ValueError(
            f"{path} needs version {facts['version']} of pipeline {facts['name']}, this skel-data has "
            f"version {kind.version}: other clips would come out. Install the skel-data that wrote it, or "
            "fit again"
        )
    pipeline: Pipeline = cattrs.Converter(forbid_extra_keys=True).structure(facts["settings"], kind)
    return pipeline


def _heads(kind: Any, path: Path, digest: str, count: int) -> tuple[Any, ...]:
    data = (path / "head.safetensors").read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path / 'head.safetensors'} is damaged, or of another model")
    arrays: dict[str, torch.Tensor] = load(data)
    names = [one.name for one in fields(kind)]
    return tuple(kind(*(arrays[f"{number}.{name}"] for name in names)) for number in range(count))
