"""Files that appear whole or not at all, and their names."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def check_folder(path: Path) -> None:
    """Refuse a file for which there is no folder, before the work that it is to hold."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file through a temporary one beside it, which is gone if anything fails.

    Raises:
        FileNotFoundError: If there is no folder for it.
    """
    check_folder(path)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))


def file_name(text: str) -> str:
    """A name as part of a file's name: letters, digits and . + - _, so that it is never a path."""
    return re.sub(r"[^\w.+-]+", "_", text).lstrip(".") or "_"
