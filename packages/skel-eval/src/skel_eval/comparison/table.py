"""Tables as text: Markdown, LaTeX and CSV, each with its own escaping."""

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import Literal, get_args

from attrs import define

from skel_eval._result import UNTRAINED
from skel_eval.comparison.methods import Row, Summary
from skel_eval.comparison.paired import BestSimple, difference_text

TableFormat = Literal["markdown", "latex", "csv"]
"""Formats of a table of results."""


@define(frozen=True)
class Code:
    """A cell that is typed or read by a machine, such as a command.

    Attributes:
        text: What it says.
    """

    text: str


Cell = str | Code


def results_table(rows: Sequence[Row], style: TableFormat = "markdown") -> str:
    """Results in percent next to published ones.

    Results without copies of training clips are lines of their own. The best simple baseline is named with
    the paired difference to it and its 95 % interval. In CSV each number has a column of its own.

    Args:
        rows: What stands in the table, in this order.
        style: markdown, latex or csv.

    Raises:
        ValueError: If `style` is none of these.
    """
    commands = any(row.command for row in rows)
    std = ["std"] * (style == "csv")
    head = ["method", "data set", "split", "protocol", "stream", "ours", *std, "seeds", "untrained"]
    head += ["best simple", *["its result"] * len(std), "against it", *["low", "high"] * len(std)]
    head += ["published", "source", *["command"] * commands]
    lines: list[list[Cell]] = [list(head)]

    def add(
        row: Row,
        split: str,
        ours: Summary | None,
        untrained: Summary | None,
        simple: BestSimple | None,
        more: list[Cell],
    ) -> None:
        cells: list[Cell] = [row.method, row.dataset, split, row.protocol, row.stream]
        if std:
            cells += ["", ""] if ours is None else [_percent(ours.mean), _percent(ours.std)]
        else:
            cells.append(spread(ours))
        cells += ["" if ours is None else str(ours.n), "" if untrained is None else _percent(untrained.mean)]
        lines.append([*cells, *_simple(simple, apart=bool(std)), *more])

    for row in rows:
        published: list[Cell] = ["; ".join(_digits(value) for value, _ in row.published)]
        published.append("; ".join(source for _, source in row.published))
        command: list[Cell] = [Code(row.command) if row.command else ""] * commands
        add(row, row.split, row.result, row.baselines.get(UNTRAINED), row.simple, published + command)
        if row.distinct is not None:
            untrained = row.distinct_baselines.get(UNTRAINED)
            split, more = f"{row.split} without copies", ["", "", *[""] * commands]
            add(row, split, row.distinct, untrained, row.distinct_simple, list(more))
    return table_text(lines, style, numbers=range(5, len(head) - 1 - commands))


def _no_formula(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def table_text(
    rows: Sequence[Sequence[Cell]], style: TableFormat = "markdown", *, numbers: Sequence[int] = ()
) -> str:
    r"""A table as text that ends with a newline.

    LaTeX is a ``tabular`` with the rules of booktabs; CSV is that of RFC 4180, its lines ended by ``\n``.
    There an apostrophe precedes what a spreadsheet would compute: what begins with = + - or @ and is not a
    number.

    Args:
        rows: Cells, the head first; all rows are equally long.
        style: markdown, latex or csv.
        numbers: Columns that are aligned to the right.

    Raises:
        ValueError: If there is no head, rows differ in length, or `style` is none of these.
    """
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(
            f"rows must be a head and rows of its length, got lengths {sorted({len(row) for row in rows})}"
        )
    if style not in get_args(TableFormat):
        raise ValueError(f"style must be one of {', '.join(get_args(TableFormat))}, got {style!r}")
    plain = [[cell.text if isinstance(cell, Code) else cell for cell in row] for row in rows]
    right = [column in numbers for column in range(len(rows[0]))]
    if style == "csv":
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(
            [[_no_formula(cell) for cell in row] for row in plain]
        )
        return stream.getvalue()
    if style == "markdown":
        lines = ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("---:" if flag else "---" for flag in right) + "|")
    else:
        # after \\ a bracket or a star would be read as its argument
        lines = [" & ".join(latex(cell) for cell in row) + r" \\" for row in rows]
        head, *body = ["{}" + line if line[:1] in ("[", "*") else line for line in lines]
        columns = "".join("r" if flag else "l" for flag in right)
        lines = [r"% needs \usepackage{booktabs}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head]
        lines += [r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def markdown(cell: Cell) -> str:
    """A cell of a Markdown table (CommonMark with the tables of GitHub)."""
    text = " ".join((cell.text if isinstance(cell, Code) else cell).split())
    if not isinstance(cell, Code):
        return re.sub(r"([\\`*_\[\]<>|&~])", r"\\\1", text)
    # a span is closed by as many backticks as opened it; a bar ends a cell even inside of one
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", r"\|")


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    **{letter: f"\\{letter}" for letter in "#$%&_{}"},
}


def latex(cell: Cell) -> str:
    """A cell of a LaTeX table."""
    text = " ".join((cell.text if isinstance(cell, Code) else cell).split())
    if not isinstance(cell, Code):
        return "".join(_LATEX.get(letter, letter) for letter in text)
    letters = "".join(_LATEX.get(letter, letter) for letter in text)
    # two hyphens in a row would be joined to a dash
    letters = re.sub("-(?=-)", "-{}", letters)
    return f"\\texttt{{{letters}}}"


def spread(value: Summary | None) -> str:
    """Mean and standard deviation in percent, such as 95.3 ± 0.4; empty for None."""
    if value is None or not math.isfinite(value.mean):
        return ""
    return _percent(value.mean) + (f" ± {100 * value.std:.1f}" if math.isfinite(value.std) else "")


def _simple(best: BestSimple | None, *, apart: bool) -> list[Cell]:
    """The best simple baseline and the difference to it, in two cells, or each number in one of its own."""
    if best is None:
        return [""] * (5 if apart else 2)
    if not apart:
        return [f"{best.name} {_percent(best.value)}", difference_text(best.difference)]
    interval = best.difference.interval
    ends = ["", ""] if interval is None else [_percent(interval.low), _percent(interval.high)]
    return [best.name, _percent(best.value), _percent(best.difference.mean), *ends]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if math.isfinite(value) else ""


def _digits(value: float) -> str:
    """A published percentage with the digits it was published with, at least one."""
    return f"{value:.2f}".removesuffix("0")
