"""Training curves as small SVG charts, one for each metric."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 340.0, 210.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 12.0, 38.0
_MOST_POINTS = 800
_TIME = ("epoch", "step")
_NAMES = {
    "lr": "learning rate",
    "seconds": "time of an epoch, s",
    "clips_per_second": "speed, clips/s",
    "instance_1nn": "views that find their clip, share",
    "feature_std": "feature standard deviation",
    "effective_rank": "effective rank",
    "alignment": "alignment, mean squared distance",
    "uniformity": "uniformity, log",
}
"""Numbers in the records as people say them, with their unit."""


def curves_html(runs: Sequence[tuple[str, Sequence[Mapping[str, object]]]]) -> str:
    """One chart for each number in the records that varies in time; losses first, then rates.

    Args:
        runs: Colour of each run, empty for that of the page, and its records, one per epoch or step;
            ``epoch``, else ``step``, else the position is the time.
    """
    records = [record for _, metrics in runs for record in metrics]
    time = next((key for key in _TIME if any(_number(record.get(key)) for record in records)), None)
    keys = list(dict.fromkeys(key for record in records for key in record if key not in _TIME))
    charts = []
    for key in sorted(keys, key=_rank):
        lines = [(colour, _points(metrics, key, time)) for colour, metrics in runs]
        lines = [(colour, points) for colour, points in lines if len(points) > 1]
        if lines:
            charts.append(_chart(key, time or "record", lines))
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _points(metrics: Sequence[Mapping[str, object]], key: str, time: str | None) -> list[tuple[float, float]]:
    points = []
    for position, record in enumerate(metrics):
        x, y = (position if time is None else record.get(time)), record.get(key)
        if _number(x) and _number(y):
            points.append((float(x), float(y)))  # type: ignore[arg-type]
    return points


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _rank(key: str) -> int:
    if "loss" in key:
        return 0
    return 1 if key in ("lr", "learning_rate") else 2


def _chart(key: str, time: str, lines: Sequence[tuple[str, list[tuple[float, float]]]]) -> str:
    key, _, stream = key.partition(".")
    name = _NAMES.get(key, key.replace("_", " ")) + (f" ({stream})" if stream else "")
    points = [point for _, line in lines for point in line]
    x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
    y0, y1 = min(y for _, y in points), max(y for _, y in points)
    margin = 0.05 * (y1 - y0) or 0.05 * abs(y0) or 1.0
    y0, y1 = (y0 - margin if y0 < 0 or y0 > 0.3 * y1 else 0.0), y1 + margin

    def across(x: float) -> float:
        return _LEFT + (x - x0) / ((x1 - x0) or 1) * (_WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return _TOP + (y1 - y) / (y1 - y0) * (_HEIGHT - _TOP - _BOTTOM)

    bottom = _HEIGHT - _BOTTOM
    parts = []
    for tick in _ticks(y0, y1):
        y = down(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{_minus(f"{tick:g}")}</text>'
        )
    for tick in _ticks(x0, x1):
        x = across(tick)
        parts.append(f'<path class="axis" d="M{x:.1f} {bottom}v4"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {bottom}H{_WIDTH - _RIGHT}"/>')
    for colour, line in lines:
        stride = math.ceil(len(line) / _MOST_POINTS)
        path = "L".join(f"{across(x):.1f} {down(y):.1f}" for x, y in [*line[:-1:stride], line[-1]])
        hue = f' style="stroke:{colour}"' if colour else ""
        parts.append(f'<path class="curve"{hue} d="M{path}"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="label" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(time)}</text>'
    )
    last = f"<span>{_minus(f'{points[-1][1]:.4g}')} at the end</span>" if len(lines) == 1 else ""
    return (
        f'<figure class="chart"><figcaption><b>{escape(name)}</b> {last}</figcaption>'
        f'<svg role="img" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" width="{_WIDTH:g}" height="{_HEIGHT:g}">'
        f"<title>{escape(name)} by {escape(time)}</title>{''.join(parts)}</svg></figure>"
    )


def _minus(number: str) -> str:
    return number.replace("-", "−")


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers in low..high."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(step * index, 12) for index in range(first, last + 1)]
