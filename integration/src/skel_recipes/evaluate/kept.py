"""What an evaluation keeps for the next one: features and results of baselines, with digests."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from attrs import asdict

from skel_data.files import hold, open_checked, write_atomically, write_checked
from skel_eval import Result
from skel_recipes.run.clips import WINDOW, Floats, takes_windows
from skel_recipes.run.run import Run

_LOGGER = logging.getLogger("skel_recipes")


def pipeline_key(run: Run) -> list[Any]:
    """What clips depend on beside the recordings."""
    data: Any = run.recipe.data
    pipeline = data.pipeline
    key = [pipeline.name, pipeline.version, asdict(pipeline), run.shape.frames, run.shape.bodies, data.crop]
    return [*key, WINDOW] if takes_windows(pipeline.frames, run.shape.frames, data.crop) else key


def features_key(run: Run) -> list[Any]:
    """What features depend on beside clips and weights."""
    return [run.features] if run.features else []


def key_digest(value: Any, *, size: int) -> str:
    """Short digest of a key."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=size).hexdigest()


def kept_features(file: Path, key: str, shape: tuple[int, int], compute: Callable[[], Floats]) -> Floats:
    """Features from a file, every block of which is checked, or computed and kept there.

    A damaged file is written again, with a warning. One process computes them, others wait. A folder that
    cannot be written to is said, and costs nothing but time.

    Args:
        file: The ``.npy`` file.
        key: What the features depend on.
        shape: Clips, and features of each.
        compute: Computes them.
    """

    def opened() -> Floats:
        features: Floats = np.array(open_checked(file, key, shape, np.float32, every=True))
        return features

    try:
        return opened()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        _LOGGER.warning("%s; it is made again", error)
    features: Floats | None = None
    try:
        file.parent.mkdir(exist_ok=True)
        with hold(file.with_name(f".{file.name}.lock"), file, wait=True):
            try:
                return opened()
            except (OSError, ValueError):
                features = compute()
            write_checked(file, key, features.shape, np.float32, [features])
    except OSError as error:
        _LOGGER.warning("the features are not kept: %s", error)
    return compute() if features is None else features


def kept_result(file: Path, compute: Callable[[], Result]) -> Result:
    """A baseline's result from a file with a digest, or computed and kept there.

    Args:
        file: The ``.json`` file; its predictions lie beside it.
        compute: Computes it.
    """
    note = file.with_suffix(".digest")
    try:
        if note.read_text(encoding="ascii") == _digest(file):
            return Result.load(file)
        _LOGGER.warning("%s is damaged: it is not what was written; it is measured again", file)
    except (OSError, ValueError):  # there is none yet, or an earlier version wrote it
        pass
    result = compute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        result.save(file)
        write_atomically(note, _digest(file))
    except OSError:  # read-only: it is measured again the next time
        pass
    return result


def _digest(file: Path) -> str:
    digest = hashlib.blake2b(file.read_bytes(), digest_size=16)
    arrays = file.with_suffix(".npz")
    if arrays.exists():
        digest.update(arrays.read_bytes())
    return digest.hexdigest()
