"""Atomic writing: a file or a folder appears under its name only when it is complete."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from skel_data.files._lock import InUseError, alive, hold, partial_path, remove_partials


def check_folder(path: Path) -> None:
    """Refuse a file for which there is no folder, before the work that it is to hold."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file as `write_file` does; text in UTF-8."""
    with write_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def write_file(path: Path, *, inside: bool = False) -> Iterator[BinaryIO]:
    """Open a hidden file beside `path` for bytes; at the end it is brought to the disk and renamed to `path`.

    On an exception it is removed, and what killed processes left in the folder, too. A link is followed.

    Args:
        path: The file to be.
        inside: Whether it lies in a `partial_folder`, which is brought to the disk and renamed as a whole:
            it has its own name from the start.

    Raises:
        OSError: If it cannot be written; the file's name is in the message.
    """
    if path.is_symlink():
        path = path.resolve()
    check_folder(path)
    partial = path if inside else partial_path(path)
    try:
        with partial.open("wb") as file:
            yield file
            sync(file)
        if not inside:
            partial.replace(path)
            sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno is not None and (error.filename is None or str(error.filename) == str(partial)):
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sync(file: Any) -> None:
    """Bring what was written to the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def partial_folder(path: Path, *, overwrite: bool = False, keep: bool = False) -> Iterator[Path]:
    """Make a hidden folder beside `path` to write to, and rename it to `path` at the end.

    A lock beside `path` is held meanwhile. On an exception the folder is removed. What a killed process left
    behind for the same target is removed first, and what a call with `keep` left, once there is a folder at
    `path`. A link at `path` is followed.

    Args:
        path: The folder to be.
        overwrite: Whether a folder at `path` is replaced.
        keep: Whether it stays on an exception or a kill; the next call with `keep` gives it again.

    Raises:
        InUseError: If another process writes to `path`.
        FileExistsError: If `path` has come to be meanwhile.
    """
    path = path.resolve() if path.is_symlink() else path.parent.resolve() / path.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with hold(path.with_name(f".{path.name}.lock"), path) as lock:
        unfinished = path.with_name(f".{path.name}.unfinished")
        partial = unfinished if keep else path.with_name(f".{path.name}.partial-{os.getpid()}")
        replaced = path.with_name(f".{path.name}.replaced-{os.getpid()}")
        _clean_up(path)
        partial.mkdir(exist_ok=keep)
        (partial / "owner").unlink(missing_ok=True)  # earlier versions wrote their process id there
        try:
            yield partial
            sync_folder(partial)
            lock.check()
            if path.exists():
                if not overwrite:
                    raise FileExistsError(f"{path} exists already")
                path.rename(replaced)
            partial.rename(path)
            sync_folder(path.parent)
            shutil.rmtree(replaced, ignore_errors=True)
            if not keep:
                shutil.rmtree(unfinished, ignore_errors=True)
        except BaseException:
            if not keep:
                shutil.rmtree(partial, ignore_errors=True)
            if replaced.exists() and not path.exists():
                replaced.rename(path)
            raise


def settle(path: Path) -> None:
    """Remove what killed processes left beside a folder that is complete, where that can be written.

    Raises:
        InUseError: If another process writes to `path`.
    """
    path = path.resolve()
    try:
        with hold(path.with_name(f".{path.name}.lock"), path):
            _clean_up(path)
            shutil.rmtree(path.with_name(f".{path.name}.unfinished"), ignore_errors=True)
            remove_partials(path.parent)
    except InUseError:
        raise
    except OSError:
        return  # nothing can be removed there


def _clean_up(path: Path) -> None:
    """Remove what dead processes left; bring back a folder whose replacement did not arrive.

    Whoever holds the lock is the only one that writes.
    """
    names = [entry.name for entry in os.scandir(path.parent) if entry.name.startswith(f".{path.name}.")]
    for kind in ("replaced", "partial"):
        prefix = f".{path.name}.{kind}-"
        for name in names:
            pid = name.removeprefix(prefix)
            if pid.isdigit() and not _others(int(pid)):
                left = path.with_name(name)
                if kind == "replaced" and not path.exists():
                    left.rename(path)
                else:
                    shutil.rmtree(left, ignore_errors=True)


def _others(pid: int) -> bool:
    return pid != os.getpid() and alive(pid)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # a file system that cannot do this for folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        os.close(descriptor)
