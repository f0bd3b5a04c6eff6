"""Diagrams of predictions: confusion matrix, accuracy of each class, reliability."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from skel_eval._metrics import Calibration, per_class_accuracy
from skel_eval._words import counted

_MOST_NUMBERS = 40  # classes up to which cells carry their count
_SIDE, _LEFT, _TOP, _BOTTOM = 260.0, 64.0, 10.0, 84.0  # of the reliability diagram


def confusion_html(matrix: np.ndarray, name_of: Callable[[int], str]) -> str:
    """Heat map: right answers on the diagonal in one colour, confusions in another.

    The script of the page sorts the classes and zooms; without it they stay in their order.
    """
    count = len(matrix)
    names = [_short(name_of(index)) for index in range(count)]
    cell = 22.0 if count <= 30 else 16.0 if count <= 70 else 11.0
    font = min(11.0, cell * 0.72)
    margin = 10 + 0.54 * font * max(map(len, names))
    left, size = margin + 26, cell * count
    totals = matrix.sum(1)
    parts = [f'<rect class="field" x="{left:.1f}" y="8" width="{size}" height="{size}"/>']
    for index, name in enumerate(names):
        at = index * cell
        parts.append(
            f'<g data-row="{index}" transform="translate({left:.1f} {8 + at:.1f})"><text x="-5" '
            f'y="{cell / 2 + font / 3:.1f}" text-anchor="end">{escape(name)}</text></g>'
            f'<g data-column="{index}" transform="translate({left + at:.1f} {8 + size:.1f})"><text '
            f'transform="translate({cell / 2 + font / 3:.1f} 5) rotate(-90)" '
            f'text-anchor="end">{escape(name)}</text></g>'
        )
    for row, column in np.argwhere(matrix).tolist():
        hits, share = int(matrix[row, column]), matrix[row, column] / totals[row]
        kind = "right" if row == column else "wrong"
        truth, guess = name_of(row), name_of(column)
        hint = f"{truth} taken for {guess}" if row != column else f"{truth} recognised"
        number = ""
        if count <= _MOST_NUMBERS:
            bright = " bright" if share > 0.55 else ""
            number = (
                f'<text class="cell{bright}" x="{cell / 2:.1f}" y="{cell / 2 + font / 3:.1f}" '
                f'text-anchor="middle">{hits}</text>'
            )
        parts.append(
            f'<g data-row="{row}" data-column="{column}" '
            f'transform="translate({left + column * cell:.1f} {8 + row * cell:.1f})">'
            f"<title>{escape(hint)}: {hits} of {int(totals[row])} ({share:.0%})</title>"
            f'<rect class="{kind}" width="{cell - 1}" height="{cell - 1}" '
            f'fill-opacity="{0.12 + 0.88 * share:.2f}"/>{number}</g>'
        )
    width, height = left + size + 8, 8 + size + margin + 18
    parts.append(
        f'<text class="label" x="{left + size / 2:.1f}" y="{height - 4:.1f}" text-anchor="middle" '
        f'font-size="12">predicted class</text>'
        f'<text class="label" transform="translate(11 {8 + size / 2:.1f}) rotate(-90)" text-anchor="middle" '
        f'font-size="12">true class</text>'
    )
    options = "".join(
        f'<option value="{" ".join(map(str, order))}">{name}</option>'
        for name, order in _orders(matrix, names).items()
    )
    return (
        '<p class="note">Each row is a true class, each column a predicted one; the diagonal is what was '
        "recognised. A darker cell is a larger share of its row.</p>"
        f'<div class="confusion"><div class="tools" hidden><label>Order <select>{options}</select></label>'
        '<label>Size <input type="range" min="25" max="300" value="100" aria-label="Size in percent">'
        "</label>"
        '<p class="hint" aria-live="polite"></p></div>'
        '<div class="wide" tabindex="0"><svg role="img" class="matrix" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-size="{font:.1f}" data-cell="{cell:g}" '
        f'data-left="{left:.1f}" data-top="8"><title>Confusion matrix</title>'
        f"{''.join(parts)}</svg></div></div>"
    )


def _orders(matrix: np.ndarray, names: Sequence[str]) -> dict[str, list[int]]:
    """Orders of the classes by what they are good for; classes without test clips come last by accuracy."""
    rates, count = per_class_accuracy(matrix), len(matrix)
    return {
        "as in the data set": list(range(count)),
        "by name": sorted(range(count), key=lambda index: names[index].lower()),
        "lowest accuracy first": np.argsort(rates, kind="stable").tolist(),
        "confused classes together": _chain(matrix),
    }


def _chain(matrix: np.ndarray) -> list[int]:
    """Classes in a row: after each the one that it is confused with most, of those that are left."""
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    confused = share + share.T
    np.fill_diagonal(confused, -1)
    left = list(range(len(matrix)))
    chain: list[int] = []
    while left:
        from_last = confused[chain[-1], left] if chain else np.zeros(len(left))
        if from_last.max() <= 0:  # a new beginning: the class that is confused most
            from_last = confused[np.ix_(left, left)].max(1)
        chain.append(left.pop(int(from_last.argmax())))
    return chain


def classes_html(matrix: np.ndarray, name_of: Callable[[int], str]) -> str:
    """Bars of the accuracy of each class, best first; classes without test clips are left out."""
    rates, totals = per_class_accuracy(matrix), matrix.sum(1)
    order = [index for index in np.argsort(-rates, kind="stable") if totals[index] > 0]
    rows = []
    for index in order:
        worst = matrix[index].copy()
        worst[index] = 0
        other = int(worst.argmax())
        taken = f"most often taken for {name_of(other)} ({worst[other]})" if worst[other] else ""
        rows.append(
            f'<div class="bar" title="{escape(taken)}">'
            f'<span class="name">{escape(name_of(int(index)))}</span>'
            f'<span class="track"><span class="fill" style="width:{100 * rates[index]:.1f}%"></span></span>'
            f'<span class="value">{100 * rates[index]:.0f} %</span>'
            f'<span class="count">{int(matrix[index, index])}/{int(totals[index])}</span></div>'
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def _short(name: str, longest: int = 44) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def calibration_html(found: Calibration) -> str:
    """Share of right predictions by what was claimed, with the number of clips below."""
    counts, claimed, reached = found.counts, found.confidences, found.accuracies
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = _LEFT + tick * _SIDE, _TOP + (1 - tick) * _SIDE
        parts.append(
            f'<path class="grid" d="M{_LEFT} {y}h{_SIDE}"/><text x="{_LEFT - 6}" y="{y + 3.5}" '
            f'text-anchor="end">{tick:.0%}</text><text x="{x}" y="{_TOP + _SIDE + 48}" '
            f'text-anchor="middle">{tick:.0%}</text>'
        )
    width = _SIDE / len(counts)
    for index in np.flatnonzero(counts).tolist():
        line = _TOP + (1 - claimed[index]) * _SIDE
        x, height = _LEFT + index * width, reached[index] * _SIDE
        share = 30 * counts[index] / counts.max()
        parts.append(
            f"<g><title>{counted(counts[index], 'clip')}, {claimed[index]:.1%} claimed, "
            f"{reached[index]:.1%} right</title>"
            f'<rect class="right" x="{x + 1:.1f}" y="{_TOP + _SIDE - height:.1f}" width="{width - 2:.1f}" '
            f'height="{height:.1f}"/><rect class="many" x="{x + 1:.1f}" y="{_TOP + _SIDE + 4}" '
            f'width="{width - 2:.1f}" height="{share:.1f}"/>'
            f'<path class="claim" d="M{x + 1:.1f} {line:.1f}h{width - 2:.1f}"/>'
            "</g>"
        )
    full, height = _LEFT + _SIDE + 16, _TOP + _SIDE + _BOTTOM
    middle = _TOP + _SIDE / 2
    parts.append(
        f'<text x="{_LEFT + _SIDE / 2}" y="{height - 6}" text-anchor="middle">claimed probability</text>'
        f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">'
        "share of right predictions</text>"
    )
    return (
        f'<p class="note">Mean gap between claimed and reached: {100 * found.expected_error:.1f} points '
        f"(expected calibration error, {len(counts)} bins); Brier score {found.brier:.3f}. Blue: share of "
        "right predictions; line: what was claimed; grey: number of clips.</p>"
        f'<div class="wide"><svg role="img" class="calibration" viewBox="0 0 {full:g} {height:g}" '
        f'width="{full:g}" height="{height:g}" font-size="10.5"><title>Reliability diagram</title>'
        f"{''.join(parts)}</svg></div>"
    )
