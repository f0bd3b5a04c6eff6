"""Checkpoints: the last one and the one before, with a digest of what they hold."""

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skel_data.files import sync, write_file
from skel_recipes.run.run import Run

LAST = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
_LOGGER = logging.getLogger("skel_recipes")


def save_checkpoint(folder: Path, state: dict[str, Any], *, keep: bool = True) -> None:
    """Write a checkpoint; the one before is kept, so that a damaged one loses epochs only.

    Args:
        folder: The run.
        state: Tensors, numbers and texts, nested.
        keep: Whether the last one is good, and takes the place of the one before.

    Raises:
        OSError: If it cannot be written; the last two stay.
    """
    buffer = io.BytesIO()
    torch.save({**state, "digest": _digest(state)}, buffer)
    file = folder / LAST
    with write_file(file) as target:
        target.write(buffer.getbuffer())
        sync(target)
        if keep and file.exists():
            file.replace(folder / PREVIOUS)


def load_checkpoint(file: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is run.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is damaged.
    """
    data = file.read_bytes()
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
        digest = state.pop("digest", None)  # earlier versions wrote none
        sound = (
            isinstance(state["epochs"], int)
            and isinstance(state["method"], dict)
            and isinstance(state["optimizer"], dict)
            and (digest is None or digest == _digest(state))
        )
    except Exception as error:  # whatever the bytes lead torch to; its words advise to run them
        raise ValueError(f"{file} is damaged: it cannot be read as a checkpoint") from error
    if not sound:
        raise ValueError(f"{file} is damaged: it does not hold what was written")
    return state


def good_checkpoint(run: Run) -> tuple[str | None, bool]:
    """Name of the newest checkpoint that is sound, and whether it is the last one; None if there is none.

    Raises:
        ValueError: If there are some but none can be used; the message says what to do.
    """
    logged = _logged_epochs(run)
    faults = []
    for name in (LAST, PREVIOUS):
        file = run.path / name
        if not file.exists():
            continue
        try:
            epochs = load_checkpoint(file, torch.device("cpu"))["epochs"]
            if epochs > logged:
                raise ValueError(f"{file} is of epoch {epochs}, but metrics.jsonl has only {logged} epochs")
        except ValueError as error:
            faults.append(str(error))
            continue
        if faults:
            _LOGGER.warning("%s; going on from %s, after epoch %d", faults[0], name, epochs)
        return name, not faults
    if faults:
        raise ValueError(
            f"{'; '.join(faults)}: the run cannot go on; bring a checkpoint back from a "
            "copy, or remove both and resume to train from the start"
        )
    return None, True


def _logged_epochs(run: Run) -> int:
    """Complete lines of the metrics; the last may have been cut off."""
    file = run.path / "metrics.jsonl"
    if not file.exists():
        return 0
    count = 0
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            break
        count += 1
    return count


def _digest(state: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in _parts(state):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[Any]:
    """Bytes that tell nested values from others."""
    if isinstance(value, Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield flat.view(torch.uint8).numpy().data
    elif isinstance(value, Mapping):
        yield f"{len(value)} keys".encode()
        for key, item in value.items():
            yield repr(key).encode()
            yield from _parts(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield f"{len(value)} items".encode()
        for item in value:
            yield from _parts(item)
    else:
        yield repr(value).encode()
