"""Rows of tables with separated fields (CSV)."""

import csv
import io
from collections.abc import Iterator


def csv_rows(text: str, delimiter: str = ",") -> Iterator[list[str]]:
    """The fields of each row; any ends of lines are taken.

    Raises:
        ValueError: If it is no such table.
    """
    try:
        yield from csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    except csv.Error as error:
        raise ValueError(f"not a table of separated fields (CSV): {error}") from error
