"""Files that appear whole or not at all, and their names."""

import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from skel_data.files import write_file

_LONGEST = 48
"""Bytes of a name: some of them go into one file name, of at most 255 bytes."""


def check_folder(path: Path) -> None:
    """Refuse a file for which there is no folder, before the work that it is to hold."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")


def write_atomically(path: Path, write: Callable[[Any], object]) -> None:
    """Write a file through a temporary one beside it, which is gone if anything fails.

    Raises:
        FileNotFoundError: If there is no folder for it.
    """
    check_folder(path)
    with write_file(path) as file:
        write(file)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))


def file_name(text: str) -> str:
    """A name as part of a file's name: letters, digits and . + - _, so that it is never a path.

    A long one is cut, and a digest takes the place of its end.
    """
    name = re.sub(r"[^\w.+-]+", "_", text).lstrip(".") or "_"
    if len(name.encode()) <= _LONGEST:
        return name
    cut = name.encode()[: _LONGEST - 9].decode(errors="ignore")
    return f"{cut}-{blake2b(text.encode(errors='surrogatepass'), digest_size=4).hexdigest()}"
