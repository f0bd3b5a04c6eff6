"""Output of commands: text for people, JSON for programs."""

import json
import sys
from typing import Any


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")


def say_json(data: Any) -> None:
    """Data on standard output as JSON."""
    say(json.dumps(data, indent=1))


def note(text: str) -> None:
    """A line on standard error, beside the output proper."""
    sys.stderr.write(text + "\n")


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as aligned columns; the first is left-aligned, the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
