"""The results table: each result with its baselines."""

from collections.abc import Sequence
from html import escape

from skel_eval._result import Metric, Result
from skel_eval._words import counted
from skel_eval.comparison.paired import BestSimple, best_simple, difference_text
from skel_eval.report.page import bar, percent

_PROTOCOLS = {
    "linear": "linear probe",
    "1-NN": "nearest neighbour (1-NN)",
    "rbf": "RBF kernel classifier",
    "mlp": "MLP probe",
    "finetune": "fine-tuning",
}
_SPLITS = {"xsub": "cross-subject (xsub)", "xview": "cross-view (xview)", "xset": "cross-setup (xset)"}


def protocol_name(title: str) -> str:
    """The title of a result as people say it, such as "linear probe, shifted" for "linear, shifted"."""
    protocol, comma, rest = title.partition(", ")
    return _PROTOCOLS.get(protocol, protocol) + comma + rest


def headline_html(results: Sequence[Result]) -> str:
    """The first result, large, and its baselines."""
    if not results:
        return ""
    first = results[0]
    tiles = [_tile("headline", first, first, f"{protocol_name(first.title)}, {_split(first)}")]
    best = best_simple({first.seed: first})
    for other in first.baselines:
        simple = best is not None and other.model == best.name
        tiles.append(_tile("", first, other, "best simple baseline" if simple else "baseline"))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def results_html(results: Sequence[Result]) -> str:
    """The table; results of one question stand together, in the order of the first of each."""
    if not results:
        return ""
    copies = any(_metric(each, result).distinct is not None for result in results for each in _rows(result))
    columns = 4 if copies else 3
    parts = []
    for cell in dict.fromkeys(result.cell for result in results):
        group = [result for result in results if result.cell == cell]
        parts.append(f'<tr class="group"><th colspan="{columns}">{_heading(group[0])}</th></tr>')
        for result in group:
            parts += [_row(each, result, copies) for each in _rows(result)]
            best = best_simple({result.seed: result})
            if best is not None:
                remark = escape(_remark(result, best))
                parts.append(f'<tr class="remark"><td colspan="{columns}">{remark}</td></tr>')
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


def _split(result: Result) -> str:
    return _SPLITS.get(result.split, result.split)


def _heading(result: Result) -> str:
    test, copies = result.counts.get("test"), result.counts.get("copies")
    stream = f"{'streams' if '+' in result.stream else 'stream'} {result.stream_title.replace('+', ' + ')}"
    facts = [result.main, _split(result), stream]
    if test is not None:
        facts.append(
            counted(test, "test clip") + (f", {copies} of them copies of training clips" if copies else "")
        )
    return f"{escape(protocol_name(result.title))} <small>{escape('; '.join(facts))}</small>"


def _tile(kind: str, result: Result, each: Result, where: str) -> str:
    metric = _metric(each, result)
    return (
        f'<div class="tile {kind}"><b>{percent(metric.value, metric.std)}</b>'
        f"<span>{escape(each.model)}</span><small>{escape(where)}</small></div>"
    )


def _remark(result: Result, best: BestSimple) -> str:
    """How far a result is from its best simple baseline."""
    interval = "" if best.difference.interval is None else " (95 % interval)"
    return (
        f"The best simple baseline is {best.name}. {result.model} minus {best.name}: "
        f"{difference_text(best.difference)} points{interval}."
    )


def _row(each: Result, result: Result, copies: bool) -> str:
    metric = _metric(each, result)
    distinct = f'<td class="number">{percent(metric.distinct)}</td>' if copies else ""
    return (
        f'<tr class="{"result" if each is result else "baseline"}"><td>{escape(each.model)}</td>'
        f'<td class="number">{percent(metric.value, metric.std)}</td>{bar(metric.value)}{distinct}</tr>'
    )
