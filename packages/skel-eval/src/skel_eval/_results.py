"""The results table: the headline with its baselines beside it."""

import math
from collections.abc import Sequence
from html import escape

from attrs import define

from skel_eval.comparison.summary import Summary


@define(frozen=True)
class ResultRow:
    """One accuracy.

    Attributes:
        method: What was done, such as "linear probe" or "ridge regression on raw coordinates".
        protocol: How the data were split, such as "cross-subject".
        accuracy: On all test clips, between 0 and 1, of one run or several.
        distinct: The same on the test clips that are no exact copy of a train clip; None without copies.
        clips: Number of test clips.
        distinct_clips: Number of test clips that are no copy.
        baseline: Whether this is a yardstick and not a result.
        note: Short remark, such as the regularisation that was chosen.
    """

    method: str
    protocol: str
    accuracy: float | Summary
    distinct: float | Summary | None = None
    clips: int | None = None
    distinct_clips: int | None = None
    baseline: bool = False
    note: str = ""


def headline_html(results: Sequence[ResultRow]) -> str:
    """The first row that is no baseline, large, and the baselines of its protocol."""
    row = next((row for row in results if not row.baseline), None)
    if row is None:
        return ""
    tiles = [_tile(row, "headline")]
    tiles += [_tile(other, "") for other in results if other.baseline and other.protocol == row.protocol]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def results_html(results: Sequence[ResultRow]) -> str:
    """The table; rows keep their order within a protocol."""
    if not results:
        return ""
    copies = any(row.distinct is not None for row in results)
    head = "<th>Method</th><th>All test clips</th><th></th>" + ("<th>Without copies</th>" if copies else "")
    parts = []
    for protocol in dict.fromkeys(row.protocol for row in results):
        rows = [row for row in results if row.protocol == protocol]
        sizes = "; ".join(
            text
            for text in (
                _size(rows, "clips", "test clips"),
                _size(rows, "distinct_clips", "of them no exact copy of a train clip"),
            )
            if text
        )
        size = f" <small>{escape(sizes)}</small>" if sizes else ""
        parts.append(
            f'<tr class="group"><th colspan="{5 if copies else 4}">{escape(protocol)}{size}</th></tr>'
        )
        parts += [_row(row, copies) for row in rows]
    return (
        f'<div class="wide"><table class="results"><thead><tr>{head}<th>Note</th></tr></thead>'
        f"<tbody>{''.join(parts)}</tbody></table></div>"
    )


def percent(value: float | Summary | None) -> str:
    """An accuracy for the eye, such as 79.8 % or 79.8 ± 0.4 %."""
    if value is None or not math.isfinite(_mean(value)):
        return "–"
    if isinstance(value, Summary):
        spread = f" ± {100 * value.std:.1f}" if value.n > 1 else ""
        return f"{100 * value.mean:.1f}{spread} %"
    return f"{100 * value:.1f} %"


def _size(rows: Sequence[ResultRow], key: str, unit: str) -> str:
    sizes = sorted({getattr(row, key) for row in rows} - {None})
    return f"{' / '.join(str(size) for size in sizes)} {unit}" if sizes else ""


def _mean(value: float | Summary) -> float:
    return value.mean if isinstance(value, Summary) else value


def _tile(row: ResultRow, kind: str) -> str:
    where = row.protocol if kind else "baseline"
    return (
        f'<div class="tile {kind}"><b>{percent(row.accuracy)}</b><span>{escape(row.method)}</span>'
        f"<small>{escape(where)}</small></div>"
    )


def _row(row: ResultRow, copies: bool) -> str:
    mean = _mean(row.accuracy)
    width = 100 * mean if math.isfinite(mean) else 0.0
    seeds = row.accuracy.n if isinstance(row.accuracy, Summary) else 1
    note = "; ".join(text for text in (row.note, f"{seeds} seeds" if seeds > 1 else "") if text)
    distinct = f'<td class="number">{percent(row.distinct)}</td>' if copies else ""
    return (
        f'<tr class="{"baseline" if row.baseline else "result"}"><td>{escape(row.method)}</td>'
        f'<td class="number">{percent(row.accuracy)}</td><td class="track-cell"><span class="track">'
        f'<span class="fill" style="width:{width:.1f}%"></span></span></td>'
        f'{distinct}<td class="remark">{escape(note)}</td></tr>'
    )
