"""Tables as text: Markdown, LaTeX and CSV, each with its own rules of escaping."""

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import Literal

from attrs import define

from skel_eval._summary import Summary

TableFormat = Literal["markdown", "latex", "csv"]
FORMATS: tuple[TableFormat, ...] = ("markdown", "latex", "csv")


@define(frozen=True)
class Code:
    """A cell that is typed or read by a machine, such as a command.

    Attributes:
        text: What it says.
    """

    text: str


Cell = str | Code


@define(frozen=True)
class TableRow:
    """A method in one cell of the literature: data set, split, protocol, stream.

    Attributes:
        method: Such as the name of a recipe.
        dataset: Such as ntu60.
        split: Such as xsub.
        protocol: Such as linear.
        stream: Such as joint+motion+bone.
        ours: Accuracy, between 0 and 1; None where nothing was run.
        untrained: That of the same encoders before training.
        published: What others report, each in percent with its source.
        command: What would fill the cell.
    """

    method: str
    dataset: str
    split: str
    protocol: str
    stream: str
    ours: Summary | None = None
    untrained: Summary | None = None
    published: Sequence[tuple[float, str]] = ()
    command: str = ""


def results_table(rows: Sequence[TableRow], style: TableFormat = "markdown") -> str:
    """Our accuracies in percent beside those that were published.

    In CSV mean, standard deviation and number of seeds have columns of their own.

    Args:
        rows: What stands in the table, in this order.
        style: markdown, latex or csv.

    Raises:
        ValueError: If `style` is none of these.
    """
    commands = any(row.command for row in rows)
    split = style == "csv"
    head = [
        "method",
        "data set",
        "split",
        "protocol",
        "stream",
        "ours",
        *["std"] * split,
        "seeds",
        "untrained",
    ]
    head += ["published", "source", *["command"] * commands]
    lines: list[list[Cell]] = [list(head)]
    for row in rows:
        cells: list[Cell] = [row.method, row.dataset, row.split, row.protocol, row.stream]
        ours, untrained = row.ours, row.untrained
        if not split:
            cells.append(spread(ours))
        elif ours is None:
            cells += ["", ""]
        else:
            cells += [_percent(ours.mean), _percent(ours.std)]
        cells += ["" if ours is None else str(ours.n), "" if untrained is None else _percent(untrained.mean)]
        cells += ["; ".join(_digits(value) for value, _ in row.published)]
        cells += ["; ".join(source for _, source in row.published)]
        cells += [Code(row.command) if row.command else ""] * commands
        lines.append(cells)
    numbers = range(5, len(head) - 1 - commands)
    return table_text(lines, style, numbers=numbers)


def table_text(
    rows: Sequence[Sequence[Cell]], style: TableFormat = "markdown", *, numbers: Sequence[int] = ()
) -> str:
    r"""A table as text that ends with a newline.

    LaTeX is a ``tabular`` with the rules of booktabs; CSV is that of RFC 4180, its lines ended by ``\n``.

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
    if style == "csv":
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([[cell.text if isinstance(cell, Code) else cell for cell in row] for row in rows])
        return stream.getvalue()
    right = [column in numbers for column in range(len(rows[0]))]
    if style == "markdown":
        lines = ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("---:" if flag else "---" for flag in right) + "|")
        return "\n".join(lines) + "\n"
    if style == "latex":
        # after \\ a bracket or a star would be read as its argument
        lines = [" & ".join(latex(cell) for cell in row) + r" \\" for row in rows]
        lines = ["{}" + line if line[:1] in ("[", "*") else line for line in lines]
        columns = "".join("r" if flag else "l" for flag in right)
        return "\n".join(
            [
                "% needs \\usepackage{booktabs}",
                f"\\begin{{tabular}}{{{columns}}}",
                "\\toprule",
                lines[0],
                "\\midrule",
                *lines[1:],
                "\\bottomrule",
                "\\end{tabular}\n",
            ]
        )
    raise ValueError(f"style must be one of {', '.join(FORMATS)}, got {style!r}")


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


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if math.isfinite(value) else ""


def _digits(value: float) -> str:
    """A published percentage with the digits it was published with, at least one."""
    text = f"{value:.2f}"
    return text.removesuffix("0")
