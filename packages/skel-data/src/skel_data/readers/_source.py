"""Sources of files: a folder, an archive or one file, read in place and never unpacked to disk."""

import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self, cast

from skel_data._clip import BadFile
from skel_data._words import counted

MAX_BYTES = 256 * 2**20
"""Largest member that is read: a recording is far smaller, an archive bomb is not."""

_PIECE = 1 << 20

Member = tuple[str, Callable[[], bytes]]

_TAR_SUFFIXES = (".tar", ".tar.xz", ".tar.gz", ".txz", ".tgz")
_SUFFIXES = (".zip", *_TAR_SUFFIXES)
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError)
"""What reading a damaged archive raises."""


def memory() -> int:
    """Memory of the machine in bytes; where that is not known, more than anything needs."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**62


def is_archive(path: Path) -> bool:
    """Whether a path has the name of an archive that a `Source` reads."""
    return path.name.lower().endswith(_SUFFIXES)


class Source:
    """Source of files: a folder, a ``.zip``, ``.tar``, ``.tar.xz`` or ``.tar.gz`` archive, or one file.

    Iterating gives `(name, read)` for each file, with `name` relative to the source and `read()` its
    bytes; `read` must be called before the next step, unless `in_any_order`, and raises ValueError with the
    reason when the file cannot be had. Folders and zip archives come sorted by name, tar archives in their
    own order. Hidden files and ``__MACOSX`` are passed over. When an archive is damaged, what lies before the
    damage is given, then one `BadFile` for the rest.

    Args:
        path: The folder or file.
        max_bytes: Largest member that is read; None: `MAX_BYTES`.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
    """

    def __init__(self, path: str | Path, max_bytes: int | None = None) -> None:
        self.path = Path(path)
        self.max_bytes = MAX_BYTES if max_bytes is None else max_bytes
        if not self.path.exists():
            raise FileNotFoundError(f"no such file or folder: {self.path}")
        self.name = self.path.name or self.path.resolve().name
        self._entries: list[Member | BadFile] | None = None
        self._paths: list[str] | None = None

    @property
    def in_any_order(self) -> bool:
        """Whether `read` may be called later, and in another process: not for a tar archive."""
        return not self.path.is_file() or not self.path.name.lower().endswith(_TAR_SUFFIXES)

    def __iter__(self) -> Iterator[Member | BadFile]:
        """The files, one after another.

        Raises:
            ValueError: If the source has the suffix of an archive but nothing can be read from it.
        """
        if self.path.is_dir():
            return iter(self._entries) if self._entries is not None else self._walk()
        suffix = self.path.name.lower()
        if suffix.endswith(".zip"):
            return self._zip()
        if suffix.endswith(_TAR_SUFFIXES):
            return self._tar()
        return iter([(self.path.name, partial(_read_file, self.path, self.max_bytes))])

    def paths(self) -> list[str]:
        """The files, by name; they are looked for once."""
        if self._paths is None:
            self._paths = [entry[0] for entry in self if not isinstance(entry, BadFile)]
        return self._paths

    def _walk(self) -> Iterator[Member | BadFile]:
        """The files of a folder, which are kept once the walk has come to its end."""
        entries = []
        for entry in self._folder():
            entries.append(entry)
            yield entry
        self._entries = entries

    def _folder(self) -> Iterator[Member | BadFile]:
        root = self.path.resolve()
        closed: list[OSError] = []
        for folder, subfolders, files in os.walk(root, onerror=closed.append):
            subfolders[:] = sorted(name for name in subfolders if _wanted(name))
            for file in sorted(files):
                path = Path(folder, file)
                if _wanted(file) and path.is_file():
                    yield path.relative_to(root).as_posix(), partial(_read_file, path, self.max_bytes, root)
        for error in closed:
            yield BadFile(Path(error.filename).name, f"folder cannot be read: {error.strerror}")

    def _zip(self) -> Iterator[Member]:
        path, changed = self.path.resolve(), self.path.stat().st_mtime_ns
        try:
            archive = _zip_file(path, changed)
        except DAMAGE as error:
            raise ValueError(f"{self.name}: not a zip archive, or cut off: {reason_of(error)}") from error
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if not info.is_dir() and _wanted(info.filename):
                yield info.filename, partial(_read_zipped, path, changed, info, self.max_bytes)

    def _tar(self) -> Iterator[Member | BadFile]:
        count = 0
        try:
            with _open_stream(self.path) as file:
                stream = _BeforeDamage(file)
                archive = _TarFile.open(fileobj=cast("IO[bytes]", stream), mode="r|")
                while (info := archive.next()) is not None:
                    if (info.isfile() or info.islnk() or info.issym()) and _wanted(info.name):
                        name = info.name.removeprefix("./")
                        yield name, partial(_read_tarred, archive, info, self.max_bytes)
                        count += 1
                    cast("Any", archive).members.clear()  # else every header stays in memory
                while stream.read(1 << 20):  # to the end, where the checksum is
                    pass
        except DAMAGE as error:
            if count == 0:
                raise ValueError(
                    f"{self.name}: not a tar archive, or damaged from the start: {error}"
                ) from error
            yield BadFile(
                self.name,
                f"archive damaged or cut off after {counted(count, 'file')}, the rest is lost: {error}",
            )


class _TarHeader(tarfile.TarInfo):
    """A header that is strict: tarfile takes a damaged one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise tarfile.ReadError(str(error)) from error


class _TarFile(tarfile.TarFile):
    tarinfo = _TarHeader


class _BeforeDamage:
    """Gives all that lies before the damage in a stream, and raises only then."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._damage: Exception | None = None

    def read(self, size: int) -> bytes:
        parts = []
        try:
            while self._damage is None and size > 0 and (part := self._stream.read1(size)):
                parts.append(part)
                size -= len(part)
        except DAMAGE as error:
            self._damage = error
        if self._damage is not None and not parts:
            raise self._damage
        return b"".join(parts)


def _wanted(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts)


def _open_stream(path: Path) -> IO[bytes]:
    name = path.name.lower()
    if name.endswith("xz"):
        return lzma.open(path)
    if name.endswith("gz"):
        return cast("IO[bytes]", gzip.open(path))
    return path.open("rb")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(f"file of {size} bytes, more than the limit of {limit}")


def _read_file(path: Path, limit: int, root: Path | None = None) -> bytes:
    if root is not None and path.is_symlink() and not path.resolve().is_relative_to(root):
        raise ValueError("a link that leads out of the source folder")
    try:
        _check_size(path.stat().st_size, limit)
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error


@lru_cache(maxsize=1)
def _zip_file(path: Path, changed: int) -> zipfile.ZipFile:  # noqa: ARG001 (a file that changed is another)
    """An open archive: a process that reads its files opens it once."""
    return zipfile.ZipFile(path)


def _read_zipped(path: Path, changed: int, info: zipfile.ZipInfo, limit: int) -> bytes:
    _check_size(info.file_size, limit)
    try:
        with _zip_file(path, changed).open(info) as member:
            return _read_exactly(member, info.file_size)
    except (*DAMAGE, RuntimeError) as error:  # encrypted; unknown compression is one, too
        raise ValueError(f"cannot be read from the archive: {reason_of(error)}") from error


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    """All that a stream of this many bytes holds; one that says less than it holds is not unpacked further.

    Raises:
        EOFError: If it holds more or fewer.
    """
    data = read_up_to(stream, size)
    if len(data) != size:
        held = "more" if len(data) > size else len(data)
        raise EOFError(f"it says that it holds {counted(size, 'byte')}, and holds {held}")
    return data


def read_up_to(stream: IO[bytes], size: int) -> bytes:
    """What a stream holds, up to one byte more than a size; memory is taken only for what there is."""
    parts: list[bytes] = []
    held = 0
    while part := stream.read(min(_PIECE, size + 1 - held)):
        parts.append(part)
        held += len(part)
    return b"".join(parts)


def reason_of(error: Exception) -> str:
    """The message of an error of reading on one line, cut: that of a damaged archive holds bytes of it."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]} ..."


def _read_tarred(archive: tarfile.TarFile, info: tarfile.TarInfo, limit: int) -> bytes:
    if not info.isfile():
        raise ValueError("a link inside the archive")
    _check_size(info.size, limit)
    try:
        data: Any = archive.extractfile(info)
        content: bytes = data.read()
    except DAMAGE as error:
        raise ValueError(f"the archive is damaged or cut off within this file: {error}") from error
    if len(content) != info.size:
        raise ValueError("the archive is cut off within this file")
    return content
