"""Output of commands: text for people, JSON for programs."""

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skel_data import SkeletonLayout


def printable(text: str, *, keep: str = "") -> str:
    """A text with control characters escaped, so that a name in it moves no cursor and begins no line."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in text
    )


def say(text: str) -> None:
    """Text on standard output.

    Raises:
        OSError: If it cannot be written.
    """
    with standard_output():
        sys.stdout.write(printable(text, keep="\n\t") + "\n")


@contextmanager
def standard_output() -> Iterator[None]:
    """Name standard output where it cannot be written; nothing is then left to fail at exit."""
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OSError(f"standard output cannot be written: {error.strerror}") from error


def say_json(data: Any) -> None:
    """Data on standard output as JSON."""
    say(json.dumps(data, indent=1))


def note(text: str) -> None:
    """Text on standard error, beside the output proper."""
    if sys.stderr is not None:
        sys.stderr.write(printable(text, keep="\n\t") + "\n")


class NoteHandler(logging.Handler):
    """Warnings of the packages, as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        note(record.getMessage())


def sentence(error: BaseException) -> str:
    """What went wrong, with the name of the file and what to do."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror}{_ADVICE.get(error.errno or 0, '')}"


_ADVICE = {
    errno.ENOSPC: "; make room, then run the same command again",
    errno.EDQUOT: "; make room, then run the same command again",
    errno.EFBIG: "; raise the limit on the size of files, then run the same command again",
    errno.EROFS: "; name another folder",
    errno.EACCES: "; name another folder, or ask for the right",
}


def note_conversion(source: "SkeletonLayout", target: "SkeletonLayout") -> None:
    """Say of each joint which rule of the conversion gives it, if the joints of two layouts differ."""
    from skel_data import explain_conversion

    if source.joints == target.joints and source.channels == target.channels:
        return
    for joint, (rule, sources) in explain_conversion(source, target).items():
        note(f"{joint}: {rule}, {' and '.join(sources)}")


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] | None = None) -> str:
    """Rows as aligned columns.

    Args:
        rows: Cells, of equal number.
        right: Columns that are right-aligned; all but the first if None.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    chosen = range(1, len(widths)) if right is None else right
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in chosen else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
