"""Timelines of untrimmed recordings: true actions above those that were predicted."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from skel_eval._result import Result
from skel_eval.report.embedding import PALETTE

_WIDTH, _BAR, _GAP, _MOST = 900, 14, 3, 40


def timelines_html(results: Sequence[Result]) -> str:
    """Test recordings of the first result that has segments, drawn to one scale; not more than 40."""
    details: Mapping[str, Any] = next((one.details for one in results if "recordings" in one.details), {})
    recordings = details.get("recordings", [])
    if not recordings:
        return ""
    classes, longest = details["classes"], max(one["frames"] for one in recordings)
    rows = "".join(_timeline(one, classes, longest) for one in recordings[:_MOST])
    more = f", the first {_MOST} of {len(recordings)}" * (len(recordings) > _MOST)
    return f"<p>True actions, and below them the predicted ones{more}.</p>{rows}"


def _timeline(recording: Mapping[str, Any], classes: Sequence[str], longest: int) -> str:
    scale = _WIDTH / longest
    width, height = recording["frames"] * scale, 2 * _BAR + _GAP
    bars = []
    for place, which in enumerate(("true", "predicted")):
        top = place * (_BAR + _GAP)
        bars.append(
            f'<rect x="0" y="{top}" width="{width:.1f}" height="{_BAR}" fill="currentColor" opacity=".08"/>'
        )
        for label, start, stop in recording[which]:
            words = escape(f"{which}: {classes[label]}, frames {start} to {stop - 1}")
            bars.append(
                f'<rect x="{start * scale:.1f}" y="{top}" width="{(stop - start) * scale:.1f}" '
                f'height="{_BAR}" fill="{PALETTE[label % len(PALETTE)]}"><title>{words}</title></rect>'
            )
    return (
        f"<figure><figcaption>{escape(recording['name'])}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="100%" role="img" '
        f'aria-label="actions of {escape(recording["name"])}">{"".join(bars)}</svg></figure>'
    )
