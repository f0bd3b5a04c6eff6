"""Atomic writing: a file or a folder appears under its name only when it is complete."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def write_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a hidden file beside `path` for bytes; at the end it is brought to the disk and renamed to `path`.

    On an exception it is removed.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
            sync(file)
        partial.replace(path)
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

    On an exception it is removed. What a killed process left behind for the same target is removed first,
    and what a call with `keep` left, once there is a folder at `path`.

    Args:
        path: The folder to be.
        overwrite: Whether a folder at `path` is replaced.
        keep: Whether it stays on an exception or a kill; the next call with `keep` gives it again.

    Raises:
        FileExistsError: If `path` has come to be meanwhile, or with `keep` another process writes to it.
    """
    path = path.parent.resolve() / path.name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    partial = unfinished if keep else path.with_name(f".{path.name}.partial-{os.getpid()}")
    replaced = path.with_name(f".{path.name}.replaced-{os.getpid()}")
    _clean_up(path)
    partial.mkdir(exist_ok=keep)
    owner = partial / "owner"
    if keep:
        _own(owner)
    try:
        yield partial
        owner.unlink(missing_ok=True)
        _sync_folder(partial)
        if path.exists():
            if not overwrite:
                raise FileExistsError(f"{path} exists already")
            path.rename(replaced)
        partial.rename(path)
        _sync_folder(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
        if not keep and not _owner(unfinished / "owner"):
            shutil.rmtree(unfinished, ignore_errors=True)
    except BaseException:
        owner.unlink(missing_ok=True)
        if not keep:
            shutil.rmtree(partial, ignore_errors=True)
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        raise


def _own(file: Path) -> None:
    """Write this process's id to `file`, unless another that lives has done so."""
    if pid := _owner(file):
        raise FileExistsError(f"process {pid} writes to {file.parent}")
    file.write_text(str(os.getpid()))


def _owner(file: Path) -> int:
    """Id of the living process that has written it to `file`, or 0."""
    try:
        pid = int(file.read_text())
    except (OSError, ValueError):
        return 0
    return pid if pid > 0 and _alive(pid) else 0


def _clean_up(path: Path) -> None:
    """Remove what dead processes left; bring back a folder whose replacement did not arrive."""
    for kind in ("replaced", "partial"):
        prefix = f".{path.name}.{kind}-"
        for left in path.parent.iterdir():
            pid = left.name.removeprefix(prefix)
            if left.name.startswith(prefix) and pid.isdigit() and not _alive(int(pid)):
                if kind == "replaced" and not path.exists():
                    left.rename(path)
                else:
                    shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # left by an earlier process of the same number
    if os.name == "nt":
        return True  # no way to ask that does no harm there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _sync_folder(path: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
