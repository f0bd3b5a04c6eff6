"""Writes the tables of the pages on results.

python docs/make_results.py [RUN ...] [--machine TEXT] [--check]

Runs are folders that were evaluated with ``skel eval``; what they say goes into ``results.json``, in place of
what stood there for the same recipe, data set, split, protocol and stream. Runs of one recipe that differ in
their seed become one row, so give all seeds of a recipe at once. Then the tables between
``<!-- table: NAME -->`` and ``<!-- end -->`` are written anew from ``results.json`` and from the published
numbers in the recipes; all other text of the pages is left alone. With --check nothing is written, and the
exit status is 1 if a page is not as it would be written.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import cattrs

from skel_eval import Code, Summary, results_table, spread, table_text
from skel_recipes import Run
from skel_recipes.evaluate.grouping import grouped
from skel_recipes.evaluate.table import Measured, measured, table_rows

DOCS = Path(__file__).parent
PAGES = ("results.md", "results-small.md")
OWN = "compact"
"""The recipe that has a table of its own."""
PROTOCOLS = ("linear", "1-NN")
COORDINATES = ("ridge on coordinates", "coordinates")


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


def updated(rows: Sequence[Measured], runs: Sequence[Path], machine: str) -> list[Measured]:
    """The rows with those of the runs in place of older ones; titles are kept."""
    groups = grouped(Run.open(run) for run in runs)
    for group in groups:
        if group.name != group.recipe.name:
            told = ", ".join(str(run.path) for run in group.runs)
            raise SystemExit(f"{told}: not the recipe as it is, but {group.name}")
    found = {row.key: row for row in rows}
    for row in measured(groups, machine):
        old = found.get(row.key)
        found[row.key] = row if old is None else attrs.evolve(row, title=old.title)
    return list(found.values())


def read(text: str) -> list[Measured]:
    """Rows from JSON."""
    converter = cattrs.Converter()
    # the spread of a single run is not known
    converter.register_structure_hook(Summary, lambda data, _: Summary(**{"std": math.nan, **data}))
    return converter.structure(json.loads(text), list[Measured])


def written(rows: Sequence[Measured]) -> str:
    """Rows as JSON, without what is not known."""

    def plain(_: object, __: object, value: object) -> object:
        if isinstance(value, Summary):
            known = {"mean": round(value.mean, 6), "n": value.n}
            return known | ({"std": round(value.std, 6)} if math.isfinite(value.std) else {})
        if isinstance(value, dict):
            return {name: round(number, 6) for name, number in value.items()}
        return round(value, 6) if isinstance(value, float) else value

    def known(field: attrs.Attribute, value: object) -> bool:
        return field.default is attrs.NOTHING or bool(value)

    data = [attrs.asdict(row, recurse=False, filter=known, value_serializer=plain) for row in rows]
    return "[\n" + ",\n".join(" " + json.dumps(row) for row in data) + "\n]\n"


def rendered(page: str, rows: Sequence[Measured]) -> str:
    """The page with its tables written anew."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{TABLES[match[2]](rows).strip()}\n\n{match[3]}"

    return re.sub(r"(<!-- table: (\S+) -->)\n.*?(<!-- end -->)", table, page, flags=re.DOTALL)


def own(rows: Sequence[Measured]) -> str:
    """One recipe on all data sets."""
    head = [
        "data set, split",
        "clips train/test",
        "linear",
        "untrained",
        "1-NN",
        "untrained",
        "ridge",
        "pretraining",
    ]
    lines = [head]
    for group in _by_protocol(rows, lambda row: row.recipe == OWN):
        some = next(iter(group.values()))
        title = some.title or f"{some.dataset}, {some.split}"
        seeds = "" if some.accuracy.n > 1 else " (one seed)"
        time = some.note or (f"{some.minutes:.0f} min" if some.minutes else "")
        ridge = some.baselines.get("ridge on coordinates")
        cells = [title + (", all" if some.copies else "") + seeds, f"{some.train_clips}/{some.test_clips}"]
        lines.append([*cells, *_pairs(group), _percent(ridge), time])
        if some.copies:
            ridge = some.baselines_without_copies.get("ridge on coordinates")
            cells = [
                f"{title}, without {some.copies} copies",
                f"{some.train_clips}/{some.test_clips - some.copies}",
            ]
            lines.append([*cells, *_pairs(group, "without_copies"), _percent(ridge), ""])
    return table_text(lines, numbers=range(2, 8))


def small(rows: Sequence[Measured]) -> str:
    """All other recipes on small sets: a table for each data set and split."""
    rows = [row for row in rows if row.recipe != OWN and "/" not in row.recipe]
    parts = []
    for dataset, split in dict.fromkeys((row.dataset, row.split) for row in rows):
        chosen = [row for row in rows if (row.dataset, row.split) == (dataset, split)]
        chosen.sort(key=lambda row: row.key)
        some = chosen[0]
        baselines = some.baselines
        parts.append(
            f"## {dataset}, {split}\n\n{some.train_clips} training and {some.test_clips} test clips. "
            f"Ridge regression on coordinates: {_percent(baselines.get('ridge on coordinates'))}; "
            f"chance: {_percent(baselines.get('chance'))}.\n"
        )
        head = ["recipe", "streams", "seeds", "linear", "untrained", "gain", "1-NN", "untrained", "gain"]
        lines: list[list[str | Code]] = [[*head, "minutes", "clips/s", "parameters"]]
        for group in _by_protocol(chosen, lambda _: True):
            row = next(iter(group.values()))
            cells: list[str | Code] = [
                Code(row.recipe),
                row.stream,
                ", ".join(map(str, row.seeds)),
                *_pairs(group, gain=True),
            ]
            cells += ["" if row.minutes is None else f"{row.minutes:.1f}"]
            cells += ["" if row.clips_per_second is None else f"{row.clips_per_second:.0f}"]
            cells += ["" if row.parameters is None else f"{row.parameters / 1e6:.2f} M"]
            lines.append(cells)
        parts.append(table_text(lines, numbers=range(3, 12)))
    return "\n".join(parts)


def protocols(rows: Sequence[Measured]) -> str:
    """Every protocol, for the recipes that were evaluated by more than the usual ones."""
    wide = {(row.recipe, row.dataset, row.split) for row in rows if row.protocol not in PROTOCOLS}
    rows = [row for row in rows if (row.recipe, row.dataset, row.split) in wide]
    parts = []
    for dataset, split in dict.fromkeys((row.dataset, row.split) for row in rows):
        chosen = [row for row in rows if (row.dataset, row.split) == (dataset, split)]
        names = list(dict.fromkeys(row.recipe for row in chosen))
        head: list[str | Code] = ["protocol"]
        for name in names:
            head += [Code(name), "untrained"]
        lines = [[*head, "coordinates", "seconds"]]
        for protocol in dict.fromkeys(row.protocol for row in chosen):
            cells: list[str | Code] = [protocol]
            told = {row.recipe: row for row in chosen if row.protocol == protocol}
            for name in names:
                row = told.get(name)
                cells += ["", ""] if row is None else [spread(row.accuracy), spread(row.untrained)]
            some = next(iter(told.values()))
            known = [some.baselines[name] for name in COORDINATES if name in some.baselines]
            seconds = [row.seconds for row in told.values() if row.seconds]
            time = (
                " to ".join(dict.fromkeys(f"{x:.0f}" for x in (min(seconds), max(seconds))))
                if seconds
                else ""
            )
            lines.append([*cells, _percent(known[0] if known else None), time])
        parts.append(f"### {chosen[0].title or f'{dataset}, {split}'}\n")
        parts.append(table_text(lines, numbers=range(1, len(lines[0]))))
    return "\n".join(parts)


def published(rows: Sequence[Measured]) -> str:
    """The cells of the literature, filled or with the command that fills them."""
    return results_table(table_rows([row for row in rows if row.published], everything=True))


TABLES = {"own": own, "small": small, "protocols": protocols, "published": published}


def _by_protocol(rows: Sequence[Measured], wanted: Callable[[Measured], bool]) -> list[dict[str, Measured]]:
    """Rows of the same runs on the same data, by protocol."""
    found: dict[tuple[str, ...], dict[str, Measured]] = {}
    for row in rows:
        if wanted(row) and row.protocol in PROTOCOLS:
            found.setdefault((row.recipe, row.dataset, row.split, row.stream), {})[row.protocol] = row
    return list(found.values())


def _pairs(group: dict[str, Measured], which: str = "accuracy", *, gain: bool = False) -> list[str]:
    """For each protocol the trained and the untrained encoder, and the difference in points."""
    cells = []
    for protocol in PROTOCOLS:
        row = group.get(protocol)
        ours, before = None, None
        if row is not None:
            ours = getattr(row, which)
            before = row.untrained if which == "accuracy" else row.untrained_without_copies
        cells += [spread(ours), spread(before)]
        if gain:
            cells.append("" if ours is None or before is None else f"{100 * (ours.mean - before.mean):+.1f}")
    return cells


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
