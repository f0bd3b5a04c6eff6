"""Writes the tables of the pages on results.

python docs/make_results.py [RUN ...] [--machine TEXT] [--check]

Runs are folders that were evaluated with ``skel eval``; what they say goes into ``results.json``, in place of
what stood there for the same recipe, data set, split, protocol and stream. Runs of one recipe that differ in
their seed become one row, so give all seeds of a recipe at once. Then the tables between
``<!-- table: NAME -->`` and ``<!-- end -->`` are written again from ``results.json`` and from the published
numbers in the recipes; all other text of the pages is left alone. With --check nothing is written, and the
exit status is 1 if a page is not as it would be written.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
import cattrs

from skel_eval import UNTRAINED, Code, Row, Summary, results_table, spread, table_text
from skel_recipes import Run
from skel_recipes.evaluate.grouping import group_by_seed
from skel_recipes.evaluate.table import Pretraining, pretraining_of, published_cells, table_rows

DOCS = Path(__file__).parent
PAGES = ("results.md", "results-small.md")
OWN = ("compact", "compact-2s", "vicreg")
"""The recipes that have a table of their own."""
PROTOCOLS = ("linear", "1-NN")
HEADS = (*PROTOCOLS, "rbf")
COORDINATES = ("ridge on coordinates", "coordinates")
SIMPLE = (*COORDINATES, "distances")


@attrs.define(frozen=True)
class Entry:
    """A row of the results, with what the pretraining cost.

    Attributes:
        row: The result and its baselines.
        cost: Cost of the pretraining.
        title: How the data set is called in tables, if not by its name.
        note: A remark, such as how long it took where that was not kept.
        machine: What the times were taken on.
    """

    row: Row
    cost: Pretraining = Pretraining()
    title: str = ""
    note: str = ""
    machine: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What it is the result of."""
        row = self.row
        return row.method, row.dataset, row.split, row.protocol, row.stream

    @property
    def heading(self) -> str:
        """The data set and split."""
        return self.title or f"{self.row.dataset}, {self.row.split}"


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--machine", default="", help="what the runs were made on")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; tell whether pages are up to date"
    )
    options = parser.parse_args()
    if options.check and options.runs:
        parser.error("--check takes no runs")
    file = DOCS / "results.json"
    rows = read(file.read_text(encoding="utf-8"))
    if options.runs:
        rows = updated(rows, options.runs, options.machine)
        file.write_text(written(rows), encoding="utf-8")
    stale = []
    for name in PAGES:
        page = DOCS / name
        before = page.read_text(encoding="utf-8")
        after = rendered(before, rows)
        if after != before:
            stale.append(name)
            if not options.check:
                page.write_text(after, encoding="utf-8")
    if stale:
        sys.stdout.write(f"{'not up to date' if options.check else 'written'}: {', '.join(stale)}\n")
    return int(options.check and bool(stale))


def updated(rows: Sequence[Entry], runs: Sequence[Path], machine: str) -> list[Entry]:
    """The rows with those of the runs in place of older ones; titles are kept."""
    groups = group_by_seed(Run.open(run) for run in runs)
    for group in groups:
        if group.name != group.recipe.name:
            paths = ", ".join(str(run.path) for run in group.runs)
            raise SystemExit(f"{paths}: not the recipe as it is, but {group.name}")
    costs = {group.name: pretraining_of(group) for group in groups}
    found = {entry.key: entry for entry in rows}
    titles = {(entry.row.dataset, entry.row.split): entry.title for entry in rows if entry.title}
    for row in table_rows(groups):
        # what others report stands in the recipes
        entry = Entry(attrs.evolve(row, published=()), costs[row.method], machine=machine)
        found[entry.key] = attrs.evolve(entry, title=titles.get((row.dataset, row.split), ""))
    return list(found.values())


def read(text: str) -> list[Entry]:
    """Rows from JSON."""
    converter = cattrs.Converter()
    # the spread of a single run is not known
    converter.register_structure_hook(Summary, lambda data, _: Summary(**{"std": math.nan, **data}))
    return converter.structure(json.loads(text), list[Entry])


def written(rows: Sequence[Entry]) -> str:
    """Rows as JSON, without what is not known."""

    def plain(value: object) -> object:
        if isinstance(value, Summary):
            known = {"mean": round(value.mean, 6), "n": value.n}
            return known | ({"std": round(value.std, 6)} if math.isfinite(value.std) else {})
        if attrs.has(type(value)):
            values = {field: getattr(value, field.name) for field in attrs.fields(type(value))}
            known = {
                field.name: one for field, one in values.items() if one or field.default is attrs.NOTHING
            }
            return {name: done for name, one in known.items() if (done := plain(one)) != {}}
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return round(value, 6) if isinstance(value, float) else value

    return "[\n" + ",\n".join(" " + json.dumps(plain(row)) for row in rows) + "\n]\n"


def rendered(page: str, rows: Sequence[Entry]) -> str:
    """The page with its tables written again."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{TABLES[match[2]](rows).strip()}\n\n{match[3]}"

    return re.sub(r"(<!-- table: (\S+) -->)\n.*?(<!-- end -->)", table, page, flags=re.DOTALL)


def own(rows: Sequence[Entry]) -> str:
    """The recipes that we recommend on all data sets, with the best simple baseline under the same head."""
    head = ["data set, split", "recipe"]
    for name in HEADS:
        head += [name, "best simple"]
    lines: list[list[str | Code]] = [[*head, "minutes"]]
    for group in _by_protocol(rows, lambda entry: entry.row.method in OWN, HEADS):
        some = next(iter(group.values()))
        row, copies = some.row, some.row.counts["copies"]
        seeds = "" if row.result.n > 1 else " (one seed)"
        time = "" if some.cost.minutes is None else f"{some.cost.minutes:.1f}"
        recipe = Code(row.method) if not _handmade(row) else Code(f"{row.method} + distances")
        lines.append(
            [f"{some.heading}{', all' if copies else ''}{seeds}", recipe, *_simple_pairs(group), time]
        )
        if copies:
            heading = f"{some.heading}, without {copies} copies"
            lines.append([heading, recipe, *_simple_pairs(group, distinct=True), ""])
    lines[1:] = sorted(lines[1:], key=lambda line: str(line[0]))
    return table_text(lines, numbers=range(2, len(head) + 1))


def small(rows: Sequence[Entry]) -> str:
    """All recipes on the sets that the methods are compared on: a table for each data set and split."""
    plain = [entry.row for entry in rows if entry.row.method == OWN[0] and not _handmade(entry.row)]
    simple = {(row.dataset, row.split, row.protocol): row for row in plain}
    rows = [entry for entry in rows if "/" not in entry.row.method and not _handmade(entry.row)]
    others = [entry.row for entry in rows if entry.row.method not in OWN]
    parts = []
    for dataset, split in dict.fromkeys((row.dataset, row.split) for row in others):
        chosen = [entry for entry in rows if (entry.row.dataset, entry.row.split) == (dataset, split)]
        chosen.sort(key=lambda entry: entry.key)
        some = chosen[0].row
        known = {name: simple[dataset, split, name] for name in HEADS if (dataset, split, name) in simple}
        best = ", ".join(f"{name} {_best_simple(row.baselines)}" for name, row in known.items())
        parts.append(
            f"## {dataset}, {split}\n\n{some.counts['train']} training and {some.counts['test']} test clips. "
            f"Best simple baselines on the clips of `{OWN[0]}`: {best}. "
            f"Chance: {_mean(some.baselines.get('chance'))}.\n"
        )
        parts.append(_small_table(chosen))
        if copies := some.counts["copies"]:
            best = ", ".join(f"{name} {_best_simple(row.distinct_baselines)}" for name, row in known.items())
            parts.append(
                f"### {dataset}, {split}, without copies\n\n{copies} test clips are copies of training "
                f"clips. Without them, the best simple baselines are: {best}. "
                f"Chance: {_mean(some.distinct_baselines.get('chance'))}.\n"
            )
            parts.append(_small_table(chosen, distinct=True))
    return "\n".join(parts)


def _small_table(rows: Sequence[Entry], *, distinct: bool = False) -> str:
    """A line for each recipe; the table without copies leaves out what the pretraining cost."""
    head: list[str | Code] = ["recipe", "streams", "seeds"]
    head += [name for protocol in PROTOCOLS for name in (protocol, "untrained", "gain")]
    lines = [head if distinct else [*head, "minutes", "clips/s", "parameters"]]
    for group in _by_protocol(rows, lambda _: True):
        entry = next(iter(group.values()))
        row, cost = entry.row, entry.cost
        seeds = ", ".join(map(str, row.seeds))
        cells: list[str | Code] = [Code(row.method), row.stream, seeds]
        cells += _pairs(group, distinct=distinct, gain=True)
        if not distinct:
            cells.append("" if cost.minutes is None else f"{cost.minutes:.1f}")
            cells.append("" if cost.clips_per_second is None else f"{cost.clips_per_second:.0f}")
            cells.append("" if cost.parameters is None else f"{cost.parameters / 1e6:.2f} M")
        lines.append(cells)
    return table_text(lines, numbers=range(3, len(lines[0])))


def protocols(rows: Sequence[Entry]) -> str:
    """Every protocol, for the recipes that were evaluated by more than the usual ones."""
    wide = {entry.key[:3] for entry in rows if entry.row.protocol not in HEADS}
    rows = [entry for entry in rows if entry.key[:3] in wide and not _handmade(entry.row)]
    parts = []
    for dataset, split in dict.fromkeys((entry.row.dataset, entry.row.split) for entry in rows):
        chosen = [entry for entry in rows if (entry.row.dataset, entry.row.split) == (dataset, split)]
        names = list(dict.fromkeys(entry.row.method for entry in chosen))
        head: list[str | Code] = ["protocol"]
        for name in names:
            head += [Code(name), "untrained"]
        lines = [[*head, "coordinates", "seconds"]]
        for protocol in dict.fromkeys(entry.row.protocol for entry in chosen):
            cells: list[str | Code] = [protocol]
            found = {entry.row.method: entry.row for entry in chosen if entry.row.protocol == protocol}
            for name in names:
                row = found.get(name)
                cells += (
                    ["", ""] if row is None else [spread(row.result), spread(row.baselines.get(UNTRAINED))]
                )
            some = next(iter(found.values()))
            known = [some.baselines[name] for name in COORDINATES if name in some.baselines]
            seconds = [row.seconds for row in found.values() if row.seconds]
            time = (
                " to ".join(dict.fromkeys(f"{x:.0f}" for x in (min(seconds), max(seconds))))
                if seconds
                else ""
            )
            lines.append([*cells, _mean(known[0] if known else None), time])
        parts.append(f"### {chosen[0].heading}\n")
        parts.append(table_text(lines, numbers=range(1, len(lines[0]))))
    return "\n".join(parts)


def published(rows: Sequence[Entry]) -> str:
    """The cells of the literature, filled or with the command that fills them."""
    found = {(e.row.method, e.row.dataset, e.row.split, e.row.variant, e.row.streams): e.row for e in rows}
    cells = []
    for cell in published_cells():
        row = found.get((cell.method, cell.dataset, cell.split, cell.variant, cell.streams))
        cells.append(cell if row is None else attrs.evolve(row, published=cell.published))
    return results_table(cells)


TABLES = {"own": own, "small": small, "protocols": protocols, "published": published}


def _by_protocol(
    rows: Sequence[Entry], wanted: Callable[[Entry], bool], protocols: Sequence[str] = PROTOCOLS
) -> list[dict[str, Entry]]:
    """Rows of the same runs on the same data, by protocol."""
    found: dict[tuple[str, ...], dict[str, Entry]] = {}
    for entry in rows:
        row = entry.row
        if wanted(entry) and row.protocol in protocols:
            found.setdefault((row.method, row.dataset, row.split, row.stream), {})[row.protocol] = entry
    return list(found.values())


def _pairs(group: dict[str, Entry], *, distinct: bool = False, gain: bool = False) -> list[str]:
    """For each protocol the trained and the untrained encoder, and the difference in points."""
    cells = []
    for protocol in PROTOCOLS:
        ours, before = None, None
        if protocol in group:
            row = group[protocol].row
            ours = row.distinct if distinct else row.result
            before = (row.distinct_baselines if distinct else row.baselines).get(UNTRAINED)
        cells += [spread(ours), spread(before)]
        if gain:
            cells.append("" if ours is None or before is None else f"{100 * (ours.mean - before.mean):+.1f}")
    return cells


def _simple_pairs(group: dict[str, Entry], *, distinct: bool = False) -> list[str]:
    """For each head the trained encoder, and the best simple baseline."""
    cells = []
    for protocol in HEADS:
        if protocol not in group:
            cells += ["", ""]
            continue
        row = group[protocol].row
        cells.append(spread(row.distinct if distinct else row.result))
        cells.append(_best_simple(row.distinct_baselines if distinct else row.baselines))
    return cells


def _handmade(row: Row) -> bool:
    """Whether hand-made features were fused with the encoder."""
    return bool(set(SIMPLE) & set(row.stream.split("+")))


def _best_simple(baselines: Mapping[str, Summary]) -> str:
    known = {name: baselines[name] for name in SIMPLE if name in baselines}
    if not known:
        return ""
    best = max(known, key=lambda name: known[name].mean)
    return f"{_mean(known[best])} ({best})"


def _mean(value: Summary | None) -> str:
    return "" if value is None else f"{100 * value.mean:.1f}"


if __name__ == "__main__":
    sys.exit(main())
