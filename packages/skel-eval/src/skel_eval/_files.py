"""Files that appear whole or not at all."""

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Call `write` with an open file that takes the place of `path` once it is whole and on the disk.

    A link is followed. The partial file is named as skel-data does it, which removes those of dead processes.

    Raises:
        OSError: If it cannot be written; the file's name is in the message.
    """
    if path.is_symlink():
        path = path.resolve()
    partial = path.with_name(f".{path.name}.partial-{platform.node()}-{os.getpid()}.{uuid4().hex[:8]}")
    if len(os.fsencode(partial.name)) > 255 >= len(os.fsencode(path.name)):
        partial = path.with_name(f".{uuid4().hex[:8]}.partial-{platform.node()[:64]}-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno is not None and str(error.filename or partial) == str(partial):
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, where the file system can."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
