"""The comparison as a page."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from skel_eval._result import UNTRAINED
from skel_eval._words import counted
from skel_eval.comparison.compare import (
    Comparison,
    comparison_notes,
    differing_settings,
)
from skel_eval.comparison.methods import Method, over_seeds
from skel_eval.comparison.paired import difference_text, points, shared_hits
from skel_eval.report.clips import class_name
from skel_eval.report.curves import curves_html
from skel_eval.report.embedding import PALETTE
from skel_eval.report.page import bar, page, percent, write_page
from skel_eval.report.results import protocol_name


def write_comparison(
    path: str | os.PathLike[str],
    comparison: Comparison,
    *,
    title: str = "Comparison",
    class_names: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Write a comparison as one self-contained HTML file, whole or not at all.

    Args:
        path: The file; an existing one is replaced, its folder must exist.
        comparison: As from `compare`.
        title: Headline of the page.
        class_names: Name of each class of a data set, by the name of the set; a class without one goes by its
            number.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    methods = comparison.methods
    legend = "".join(f"<li>{_swatch(place)}{escape(one.name)}</li>" for place, one in enumerate(methods))
    curves = curves_html(
        [(_hue(place), records) for place, one in enumerate(methods) for records in one.curves.values()]
    )
    runs = sum(len(method.results) for method in methods)
    text = page(
        title,
        f"{counted(runs, 'run')} of {counted(len(methods), 'method')}; "
        "runs of one method differ in their seed only.",
        f'<ul class="key">{legend}</ul>',
        [
            ("Results", _results(comparison)),
            ("Training", curves),
            (
                "Classes",
                "".join(_classes(comparison, key, class_names or {}) for key in _protocols(comparison)),
            ),
            ("Settings that differ", _settings(methods)),
        ],
    )
    return write_page(path, text)


def _protocols(comparison: Comparison) -> list[str]:
    """Titles of the results: those of the linear probe first, of them the one without further words."""
    linear = [title for title in comparison.results if title.startswith("linear,")]
    others = [title for title in comparison.results if title not in linear]
    return [*sorted(linear, key=lambda title: title.count(",")), *others]


def _hue(place: int) -> str:
    return PALETTE[place % len(PALETTE)]


def _swatch(place: int) -> str:
    return f'<span class="swatch" style="--hue:{_hue(place)}"></span>'


def _results(comparison: Comparison) -> str:
    if not comparison.results:
        return ""
    parts = []
    for protocol in _protocols(comparison):
        of_methods = comparison.results[protocol]
        parts.append(f'<tr class="group"><th colspan="9">{escape(protocol_name(protocol))}</th></tr>')
        for place, (method, runs) in enumerate(zip(comparison.methods, of_methods, strict=True)):
            mean, untrained = over_seeds(runs.values()), over_seeds(runs.values(), UNTRAINED)
            if mean is None:
                continue
            before = None if untrained is None else untrained.mean
            difference = difference_text(comparison.differences.get((protocol, place)))
            best = comparison.simple.get((protocol, place))
            simple = "" if best is None else f"{escape(best.name)} {percent(best.value)}"
            against = "" if best is None else difference_text(best.difference)
            parts.append(
                f'<tr class="result"><td>{_swatch(place)}{escape(method.name)}</td>'
                f'<td class="number">{percent(mean.mean, mean.std if mean.n > 1 else None)}</td>'
                f"{bar(mean.mean, _hue(place))}"
                f'<td class="number">{percent(before)}</td>'
                f'<td class="number">{"" if before is None else points(mean.mean - before)}</td>'
                f'<td class="number">{simple}</td><td class="number">{against}</td>'
                f'<td class="number">{difference}</td><td class="number">{mean.n}</td></tr>'
            )
        first = of_methods[0].values()
        for name in dict.fromkeys(one.model for result in first for one in result.baselines):
            value = over_seeds(first, name)
            if name != UNTRAINED and value is not None:
                parts.append(
                    f'<tr class="baseline"><td>{escape(name)}</td>'
                    f'<td class="number">{percent(value.mean)}</td>{bar(value.mean)}'
                    f"{6 * '<td></td>'}</tr>"
                )
    remarks = "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in comparison_notes(comparison))
    return (
        '<div class="wide"><table class="results compared"><thead><tr><th>Method</th><th>Accuracy</th>'
        "<th></th><th>Untrained</th><th>Gain</th><th>Best simple</th>"
        "<th>Against it</th><th>Against the first</th><th>Seeds</th></tr></thead>"
        f"<tbody>{''.join(parts)}</tbody></table></div>{remarks}"
    )


def _classes(comparison: Comparison, protocol: str, class_names: Mapping[str, Sequence[str]]) -> str:
    """Differences of each class from the first method, largest first."""
    first, *others = comparison.methods
    base_runs, *other_runs = comparison.results[protocol]
    tables = []
    for place, (other, runs) in enumerate(zip(others, other_runs, strict=True), 1):
        shared = shared_hits(base_runs, runs) if base_runs and runs else ""
        if isinstance(shared, str):
            continue
        base, hits, labels, _ = shared
        names = class_names.get(next(iter(base_runs.values())).dataset, ())
        kinds, counts = np.unique(labels, return_counts=True)
        by_clip = [np.mean([run.mean(0) for run in trainings], 0) for trainings in (base, hits)]
        rates = np.array([[rate[labels == kind].mean() for kind in kinds] for rate in by_clip])
        gaps = rates[1] - rates[0]
        rows = []
        for index in np.argsort(-gaps, kind="stable").tolist():
            kind, gap = int(kinds[index]), float(gaps[index])
            name = class_name(names, kind)
            side = f"left:{50 + 50 * min(gap, 0):.1f}%;width:{50 * abs(gap):.1f}%"
            rows.append(
                f'<div class="bar"><span class="name">{escape(name)}</span><span class="track around">'
                f'<span class="fill {"more" if gap > 0 else "less"}" style="{side}"></span></span>'
                f'<span class="value">{points(gap)}</span><span class="count">{counts[index]}</span></div>'
            )
        tables.append(
            f"<h3>{_swatch(place)}{escape(other.name)} <span>minus</span> "
            f"{_swatch(0)}{escape(first.name)}</h3>"
            f'<div class="bars">{"".join(rows)}</div>'
        )
    if not tables:
        return ""
    return (
        f'<p class="note">{escape(protocol_name(protocol))}: difference of the accuracy of each class in '
        f"points, mean over the seeds, and number of its test clips.</p>{''.join(tables)}"
    )


def _settings(methods: Sequence[Method]) -> str:
    settings = differing_settings(methods)
    if not settings:
        return ""
    head = "".join(f"<th>{_swatch(place)}{escape(one.name)}</th>" for place, one in enumerate(methods))
    rows = "".join(
        f"<tr><th>{escape(key)}</th>{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
        for key, values in settings.items()
    )
    return (
        f'<div class="wide"><table class="settings"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
