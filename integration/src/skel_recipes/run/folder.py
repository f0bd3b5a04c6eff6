"""Encoder folder: what `skel_encoders.save_pretrained` writes, with the clips that the encoder takes."""

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from torch import nn

from skel_data import STREAMS, Default
from skel_data.files import write_atomically
from skel_encoders import ENCODERS, from_pretrained, save_pretrained
from skel_recipes.config.recipe import DataSettings, EncoderConfig, Recipe, dump_data, read_data

CLIPS = "clips.json"
"""Beside the encoder: pipeline, stream, frames and bodies of its clips."""
_VERSION = 1


def is_encoder_folder(path: Path) -> bool:
    """Whether a folder holds an encoder and no run."""
    return (path / "encoder.json").is_file() and not (path / "run.json").exists()


def save_folder(
    encoder: nn.Module,
    folder: str | Path,
    data: DataSettings,
    *,
    name: str,
    bodies: int,
    store: Mapping[str, Any] | None = None,
    split: str = "",
    classes: Sequence[str] = (),
    init: Mapping[str, Any] | None = None,
) -> None:
    """Write an encoder with the settings of its clips, for `Run.open`, or `skel_encoders.from_pretrained`.

    Args:
        encoder: The encoder.
        folder: The folder, made if need be.
        data: Pipeline and stream (one) of its clips.
        name: What results call the model.
        bodies: Bodies of a clip.
        store: Path, name and hash of the recordings that it was pretrained on, where they are all that it
            has seen.
        split: Whose training part that was.
        classes: Names of the classes that it was tuned to tell apart.
        init: Its initial weights, as ``run.json`` describes them; None if it had none.

    Raises:
        FileExistsError: If the folder is that of a run.
        ValueError: If the encoder cannot be saved.
    """
    folder = Path(folder)
    if (folder / "run.json").exists():
        raise FileExistsError(f"{folder} is the folder of a run; name another folder")
    save_pretrained(encoder, folder)
    facts = {
        "format": "skel-clips",
        "version": _VERSION,
        "name": name,
        "data": dump_data(data),
        "bodies": bodies,
        "store": dict(store or {}),
        "split": split,
        "classes": list(classes),
        "init": init,
    }
    write_atomically(folder / CLIPS, json.dumps(facts, indent=1))


def read_folder(folder: Path) -> tuple[Recipe, dict[str, Any]]:
    """The settings of an encoder folder, as those of a run.

    A folder without ``clips.json`` gets the pipeline `Default` and the stream joint.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged, or of a newer version.
    """
    encoder = from_pretrained(folder)
    kind = type(encoder)
    arguments = {key: getattr(encoder, key) for key in inspect.signature(kind).parameters}
    layout = arguments.pop("layout")
    frames, bodies = (int(arguments.pop(key, None) or 0) for key in ("frames", "bodies"))
    facts = _read(folder / CLIPS)
    if facts is None:
        data = DataSettings(pipeline=Default(frames=frames) if frames else Default())
        facts = {}
    else:
        plain = facts["data"]
        if missing := earlier_settings(plain):
            plain = {**plain, "pipeline": {**plain["pipeline"], **missing}}
        data = read_data(plain, folder / CLIPS)
    seen = data.frames or data.pipeline.frames
    if frames and frames != seen:
        raise ValueError(f"{folder}: the encoder takes {frames} frames, {CLIPS} says {seen}")
    if data.stream not in STREAMS:
        raise ValueError(f"{folder / CLIPS}: expected one stream, got {data.stream!r}")
    name = str(facts.get("name") or folder.resolve().name)
    config = EncoderConfig(ENCODERS.name_of(kind), arguments)
    untold: Any = None  # how it was trained
    recipe = Recipe(name=name, method=untold, encoder=config, data=data)
    settings: Any = data.pipeline
    bodies = bodies or int(facts.get("bodies") or 0) or settings.bodies or 2
    recipe = evolve(recipe, data=evolve(data, pipeline=evolve(settings, bodies=bodies)))
    info = {
        "format": "skel-encoder",
        "version": _VERSION,
        "store": {"path": "", "dataset": "", "hash": "", **facts.get("store", {})},
        "split": facts.get("split", ""),
        "layout": layout.to_dict(),
        "frames": seen,
        "bodies": bodies,
        "versions": {},
        "classes": facts.get("classes", []),
        "described": bool(facts),
        **({"init": facts["init"]} if facts.get("init") else {}),
    }
    return recipe, info


def earlier_settings(data: Any) -> dict[str, Any]:
    """Settings of a pipeline that files of earlier releases lack, with what those releases did."""
    pipeline = data.get("pipeline") if isinstance(data, dict) else None
    if isinstance(pipeline, dict) and pipeline.get("name") == "crossclr50" and "keep" not in pipeline:
        return {"keep": "first"}
    return {}


def _read(file: Path) -> dict[str, Any] | None:
    """The content of ``clips.json``; None where there is none, as beside what `save_pretrained` writes."""
    if not file.exists():
        return None
    try:
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        known = facts["format"] == "skel-clips" and "data" in facts
        version = int(facts["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} does not describe the clips of an encoder: {error!r}") from error
    if not known or version > _VERSION:
        raise ValueError(f"{file}: format {facts['format']} {version}, expected skel-clips {_VERSION}")
    return facts
