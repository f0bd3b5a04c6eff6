"""Files of a source as streams, for those that are larger than memory."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from skel_data.readers._source import DAMAGE, Source, reason_of


def paths_in(source: Source) -> list[str]:
    """The files of a source."""
    return source.paths()


@contextmanager
def open_file(source: Source, name: str) -> Iterator[IO[bytes]]:
    """Open a file of a source that is a folder, a zip archive or the file itself.

    Raises:
        ValueError: If the source is a tar archive, the name leads out of it, or the file cannot be opened.
    """
    if not source.in_any_order:
        raise ValueError(f"{source.name}: unpack it first, as its arrays may be larger than memory")
    root = source.path.resolve()
    try:
        with ExitStack() as stack:
            if root.is_dir() or root.name == name:
                path = (root / name if root.is_dir() else root).resolve()
                if not path.is_relative_to(root):
                    raise ValueError(f"{name}: a link that leads out of the source folder")
                yield stack.enter_context(path.open("rb"))
            else:
                archive = stack.enter_context(zipfile.ZipFile(root))
                yield stack.enter_context(archive.open(name))
    except (*DAMAGE, KeyError, RuntimeError) as error:
        raise ValueError(f"{name}: cannot be read: {reason_of(error)}") from error
