"""Text files of numbers: one row a line, as many fields in each."""

import io

import numpy as np
from numpy.typing import NDArray

from skel_data._words import counted

_PLAIN = b"0123456789+-.eEnNaAiIfFtTyY, \t\r\n"


def read_table(
    data: bytes, columns: int, delimiter: str | None = None, damaged: list[str] | None = None
) -> NDArray[np.float64]:
    """The numbers (rows, columns) of a text; NaN is a number here.

    Args:
        data: Content of the file. Empty lines at the end do not count.
        columns: Fields of each line.
        delimiter: What stands between fields; None: any white space.
        damaged: Takes what is wrong with a line, whose row is NaN then, if most are good. None: an error.

    Raises:
        ValueError: With the line, if one has another number of fields or a field is not a number.
    """
    data = data.rstrip()
    lines = data.splitlines()
    if not lines:
        raise ValueError("no row")
    reason = "other characters than those of numbers"
    if not data.translate(None, _PLAIN):
        try:
            table: NDArray[np.float64] = np.loadtxt(
                io.BytesIO(data), comments=None, delimiter=delimiter, ndmin=2, encoding="latin-1"
            )
        except ValueError as error:
            reason = str(error)
        else:
            if table.shape == (len(lines), columns):  # numpy passes over an empty line between others
                return table
            rows, numbers = (counted(*one) for one in zip(table.shape, ("row", "number"), strict=True))
            reason = f"{rows} of {numbers} in {counted(len(lines), 'line')}"
    # Slow, but only for files that are refused or damaged
    separator = delimiter if delimiter is None else delimiter.encode()
    table = np.full((len(lines), columns), np.nan)
    found: list[str] = []
    for number, line in enumerate(lines):
        try:
            table[number] = _row(line.split(separator), columns)
        except ValueError as error:
            found.append(f"line {number + 1}: {error}")
            if damaged is None or 2 * len(found) > len(lines):
                raise ValueError(found[0]) from None
    if damaged is None or not found:
        raise ValueError(f"not a table of {counted(columns, 'column')}: {reason}")
    damaged += found
    return table


def _row(fields: list[bytes], columns: int) -> list[float]:
    if len(fields) != columns:
        raise ValueError(f"{counted(len(fields), 'field')}, expected {columns}")
    values = []
    for field in fields:
        try:
            values.append(float(field))
        except ValueError:
            raise ValueError(f"not a number: {field[:40]!r}") from None
    return values


def frame_numbers(column: NDArray[np.float64]) -> NDArray[np.int64]:
    """A column of frame numbers (rows) as whole numbers; NaN, of a damaged row, counts on from its neighbour.

    Raises:
        ValueError: With the line, if one is negative, not whole or not credible.
    """
    lost = np.isnan(column)
    if lost.any() and not lost.all():
        rows = np.arange(len(column))
        known = np.maximum.accumulate(np.where(lost, -1, rows))
        known = np.where(known < 0, int((~lost).argmax()), known)
        column = np.where(lost, np.maximum(column[known] + rows - known, 0), column)
    bad = ~((column >= 0) & (column < 1e9) & (column == np.floor(column)))
    if bad.any():
        line = int(np.flatnonzero(bad)[0])
        raise ValueError(f"line {line + 1}: frame number {column[line]:g}, expected a whole number")
    return column.astype(np.int64)
