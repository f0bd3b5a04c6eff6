"""Folders that appear whole or not at all, names of files, and which files can be written."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from skel_data.files import check_folder, partial_path

_LONGEST = 48
"""Bytes of a name: some of them go into one file name, of at most 255 bytes."""


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name only when it is complete, and is gone if anything fails.

    What killed processes left beside it is removed.

    Raises:
        FileExistsError: If there is something at the path, other than an empty folder.
        FileNotFoundError: If there is no folder for it.
    """
    check_new_folder(path)
    partial = partial_path(path)
    try:
        partial.mkdir()
        yield partial
        if path.is_dir():
            path.rmdir()  # an empty one
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_new_folder(path: Path) -> None:
    """Refuse a folder that `new_folder` could not make, before the work that it is to hold."""
    check_folder(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} exists already; name another folder")


def file_name(text: str) -> str:
    """A name as part of a file's name: letters, digits and . + - _, so that it is never a path.

    A long one is cut, and a digest takes the place of its end.
    """
    name = re.sub(r"[^\w.+-]+", "_", text).lstrip(".") or "_"
    if len(name.encode()) <= _LONGEST:
        return name
    cut = name.encode()[: _LONGEST - 9].decode(errors="ignore")
    return f"{cut}-{blake2b(text.encode(errors='surrogatepass'), digest_size=4).hexdigest()}"


def check_output(path: Path, kinds: Sequence[str]) -> None:
    """Refuse a file that could not be written, before what it is to hold is computed.

    Raises:
        ValueError: If its suffix is none of these kinds.
        FileNotFoundError: If there is no folder for it.
        ImportError: If it is .parquet and the extra is not installed.
    """
    if path.suffix not in kinds:
        raise ValueError(f"expected a {' or '.join(kinds)} file, got {path}")
    check_folder(path)
    if path.suffix == ".parquet":
        pyarrow_modules()


def pyarrow_modules() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet, which an extra installs."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError("a .parquet file needs the extra skel-recipes[parquet]") from error
    return pyarrow, parquet
