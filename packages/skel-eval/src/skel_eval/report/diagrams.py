"""Diagrams of predictions: confusion matrix, accuracy of each class, reliability."""

from collections.abc import Callable
from html import escape

import numpy as np

from skel_eval._metrics import Calibration, per_class_accuracy
from skel_eval._words import counted

_MOST_NUMBERS = 40  # classes up to which cells carry their count
_SIDE, _LEFT, _TOP, _BOTTOM = 260.0, 48.0, 10.0, 64.0  # of the reliability diagram


def confusion_html(matrix: np.ndarray, name_of: Callable[[int], str]) -> str:
    """Heat map: right answers on the diagonal in one colour, confusions in another."""
    count = len(matrix)
    names = [name_of(index) for index in range(count)]
    cell = 22.0 if count <= 30 else 16.0 if count <= 70 else 11.0
    font = min(11.0, cell * 0.72)
    margin = 10 + 0.54 * font * max(len(_short(name)) for name in names)
    left, size = margin + 26, cell * count
    totals = matrix.sum(1)
    parts = [f'<rect class="field" x="{left:.1f}" y="8" width="{size}" height="{size}"/>']
    for index, name in enumerate(names):
        label, at = escape(_short(name)), (index + 0.5) * cell
        parts.append(
            f'<text x="{left - 5:.1f}" y="{8 + at + font / 3:.1f}" text-anchor="end">{label}</text>'
            f'<text transform="translate({left + at + font / 3:.1f} {8 + size + 5:.1f}) rotate(-90)" '
            f'text-anchor="end">{label}</text>'
        )
    for row, column in np.argwhere(matrix):
        hits, share = int(matrix[row, column]), matrix[row, column] / totals[row]
        x, y = left + column * cell, 8 + row * cell
        kind = "right" if row == column else "wrong"
        hint = f"{names[row]} taken for {names[column]}" if row != column else f"{names[row]} recognised"
        number = ""
        if count <= _MOST_NUMBERS:
            bright = " bright" if share > 0.55 else ""
            number = (
                f'<text class="cell{bright}" x="{x + cell / 2:.1f}" y="{y + cell / 2 + font / 3:.1f}" '
                f'text-anchor="middle">{hits}</text>'
            )
        parts.append(
            f"<g><title>{escape(hint)}: {hits} of {int(totals[row])} ({share:.0%})</title>"
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{cell - 1}" height="{cell - 1}" '
            f'fill-opacity="{0.12 + 0.88 * share:.2f}"/>{number}</g>'
        )
    width, height = left + size + 8, 8 + size + margin + 18
    parts.append(
        f'<text class="label" x="{left + size / 2:.1f}" y="{height - 4:.1f}" text-anchor="middle" '
        f'font-size="12">predicted class</text>'
        f'<text class="label" transform="translate(11 {8 + size / 2:.1f}) rotate(-90)" text-anchor="middle" '
        f'font-size="12">true class</text>'
    )
    return (
        f'<div class="wide"><svg role="img" class="matrix" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-size="{font:.1f}">'
        f"<title>Confusion matrix</title>{''.join(parts)}</svg></div>"
    )


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


def _short(name: str, longest: int = 26) -> str:
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
    return (
        f'<p class="note">Mean gap between claimed and reached: {100 * found.expected_error:.1f} points '
        f"(expected calibration error, {len(counts)} bins); Brier score {found.brier:.3f}. Blue: share of "
        "right predictions; line: what was claimed; grey: number of clips.</p>"
        f'<div class="wide"><svg role="img" class="calibration" viewBox="0 0 {full:g} {height:g}" '
        f'width="{full:g}" height="{height:g}" font-size="10.5"><title>Reliability diagram</title>'
        f"{''.join(parts)}</svg></div>"
    )
