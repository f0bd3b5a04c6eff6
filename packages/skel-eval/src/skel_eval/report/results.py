"""The results table: each result with its baselines."""

from collections.abc import Sequence
from html import escape

from skel_eval._result import Metric, Result
from skel_eval._words import counted
from skel_eval.comparison.paired import BestSimple, best_simple, difference_text
from skel_eval.report.page import bar, percent


def headline_html(results: Sequence[Result]) -> str:
    """The first result, large, and its baselines."""
    if not results:
        return ""
    first = results[0]
    tiles = [_tile("headline", first, first, f"{first.title}, {first.split}")]
    best = best_simple({first.seed: first})
    tiles += [_tile("", first, other, _remark(other, best) or "baseline") for other in first.baselines]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def results_html(results: Sequence[Result]) -> str:
    """The table; results of one question stand together, in the order of the first of each."""
    if not results:
        return ""
    copies = any(_metric(each, result).distinct is not None for result in results for each in _rows(result))
    parts = []
    for cell in dict.fromkeys(result.cell for result in results):
        group = [result for result in results if result.cell == cell]
        count = f"{4 if copies else 3}"
        parts.append(f'<tr class="group"><th colspan="{count}">{_heading(group[0])}</th></tr>')
        for result in group:
            best = best_simple({result.seed: result})
            parts += [_row(each, result, copies, _remark(each, best)) for each in _rows(result)]
    head = "<th>Model</th><th>All test clips</th><th></th>" + "<th>Without copies</th>" * copies
    return (
        f'<div class="wide"><table class="results"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(parts)}</tbody></table></div>"
    )


def _rows(result: Result) -> tuple[Result, ...]:
    return result, *result.baselines


def _metric(each: Result, result: Result) -> Metric:
    """The metric of a baseline that is the main one of its result."""
    return each.metrics.get(result.main, each.metric)


def _heading(result: Result) -> str:
    test, copies = result.counts.get("test"), result.counts.get("copies")
    facts = [f"{result.split}, {result.stream_title}"]
    if result.main != "accuracy":
        facts.insert(0, result.main)
    if test is not None:
        facts.append(
            counted(test, "test clip") + (f", {copies} of them copies of training clips" if copies else "")
        )
    return f"{escape(result.title)} <small>{escape('; '.join(facts))}</small>"


def _tile(kind: str, result: Result, each: Result, where: str) -> str:
    metric = _metric(each, result)
    return (
        f'<div class="tile {kind}"><b>{percent(metric.value, metric.std)}</b>'
        f"<span>{escape(each.model)}</span><small>{escape(where)}</small></div>"
    )


def _remark(each: Result, best: BestSimple | None) -> str:
    """What is said of the best simple baseline."""
    if best is None or each.model != best.name:
        return ""
    return f"best simple baseline, the result is {difference_text(best.difference)} points from it"


def _row(each: Result, result: Result, copies: bool, remark: str) -> str:
    metric = _metric(each, result)
    distinct = f'<td class="number">{percent(metric.distinct)}</td>' if copies else ""
    note = f" <small>{escape(remark)}</small>" if remark else ""
    return (
        f'<tr class="{"result" if each is result else "baseline"}"><td>{escape(each.model)}{note}</td>'
        f'<td class="number">{percent(metric.value, metric.std)}</td>{bar(metric.value)}{distinct}</tr>'
    )
