"""Files that appear whole or not at all."""

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Call `write` with an open file that takes the place of `path` once it is whole and on the disk.

    A link is followed. What killed processes of this machine left of the same file is removed. The partial
    file is named as skel-data does it.

    Raises:
        OSError: If it cannot be written; the file's name is in the message.
    """
    if path.is_symlink():
        path = path.resolve()
    prefix = f".{path.name}.partial-{platform.node()}-"
    if len(os.fsencode(prefix)) > 230 >= len(os.fsencode(path.name)) - 25:
        short = blake2b(os.fsencode(path.name), digest_size=4).hexdigest()
        prefix = f".{short}.partial-{platform.node()[:64]}-"
    _remove_left(path.parent, prefix)
    partial = path.with_name(f"{prefix}{os.getpid()}.{uuid4().hex[:8]}")
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


def _remove_left(folder: Path, prefix: str) -> None:
    """Remove the partial files of processes that have ended."""
    if os.name == "nt":
        return  # no way to ask for a process that does no harm there
    with suppress(OSError):
        for entry in os.scandir(folder):
            pid = entry.name.removeprefix(prefix).partition(".")[0]
            if entry.name.startswith(prefix) and pid.isdecimal():
                try:
                    os.kill(int(pid), 0)
                except (ProcessLookupError, OverflowError):
                    Path(entry.path).unlink(missing_ok=True)
                except PermissionError:
                    pass  # it lives


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
