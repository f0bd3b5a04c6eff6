"""Output of commands: text for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skel_data import SkeletonLayout


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")


def say_json(data: Any) -> None:
    """Data on standard output as JSON."""
    say(json.dumps(data, indent=1))


def note(text: str) -> None:
    """A line on standard error, beside the output proper."""
    sys.stderr.write(text + "\n")


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
