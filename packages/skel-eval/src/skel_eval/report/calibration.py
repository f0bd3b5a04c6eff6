"""Reliability diagram of a calibration, in SVG."""

import numpy as np

from skel_eval._calibration import Calibration

_SIDE, _LEFT, _TOP, _BOTTOM = 260.0, 48.0, 10.0, 64.0


def calibration_html(found: Calibration) -> str:
    """Share of right predictions by what was claimed, with the number of clips below.

    Args:
        found: As from `calibration`.
    """
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
            f"<g><title>{counts[index]} clips, {claimed[index]:.1%} claimed, "
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
