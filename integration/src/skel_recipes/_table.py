"""The results of run folders as rows, beside the numbers that others published."""

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from attrs import define, evolve, field
from safetensors import safe_open

from skel_eval import Summary, TableRow, summarise
from skel_recipes._recipe import Published, load_recipe, recipe_names
from skel_recipes._run import Run
from skel_recipes._seeds import UNTRAINED, Evaluated, Group, evaluations, told_apart

_PROTOCOLS = {"knn": "1-NN"}
_COMMANDS = {"1-NN": "knn"}


@define(frozen=True)
class Measured:
    """A recipe on a data set, by a protocol: means over seeds.

    Attributes:
        recipe: Name of the recipe, or of the group of runs.
        dataset: Name of the data set.
        split: Name of the split.
        protocol: Such as linear, or 1-NN.
        stream: Such as joint.
        seeds: Seeds of the runs.
        accuracy: The main number of the protocol, between 0 and 1.
        untrained: That of the encoder before training.
        without_copies: The main number on test clips that are no copy of a training clip.
        untrained_without_copies: That of the encoder before training.
        baselines: Further baselines by name, means.
        baselines_without_copies: The same on test clips that are no copy.
        train_clips: Number of training clips.
        test_clips: Number of test clips.
        copies: How many of them are copies.
        seconds: Of the evaluation with its baselines, mean.
        minutes: Of pretraining, mean.
        clips_per_second: In pretraining, mean.
        parameters: Trained numbers in the encoders.
        published: What others report, each in percent with its source.
        title: How the data set is called in tables, if not by its name.
        note: A remark, such as how long it took where that was not kept.
        machine: What the times were taken on.
    """

    recipe: str
    dataset: str
    split: str
    protocol: str
    stream: str
    seeds: tuple[int, ...]
    accuracy: Summary
    untrained: Summary | None = None
    without_copies: Summary | None = None
    untrained_without_copies: Summary | None = None
    baselines: dict[str, float] = field(factory=dict)
    baselines_without_copies: dict[str, float] = field(factory=dict)
    train_clips: int | None = None
    test_clips: int | None = None
    copies: int = 0
    seconds: float | None = None
    minutes: float | None = None
    clips_per_second: float | None = None
    parameters: int | None = None
    published: tuple[tuple[float, str], ...] = ()
    title: str = ""
    note: str = ""
    machine: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What it is the result of."""
        return self.recipe, self.dataset, self.split, self.protocol, self.stream


def measured(groups: Iterable[Group], machine: str = "") -> list[Measured]:
    """One row for each evaluation that a group has; seeds without it do not count in it.

    Args:
        groups: The runs, as from `grouped`.
        machine: What they were run on.
    """
    every = [
        (place, group, run, one)
        for place, group in enumerate(groups)
        for run in group.runs
        for one in evaluations(run)
    ]
    apart = told_apart([one for *_, one in every])
    rows: dict[tuple[Any, ...], tuple[Group, list[tuple[Run, Evaluated]]]] = {}
    for (place, group, run, _), one in zip(every, apart, strict=True):
        key = (one.result["dataset"], one.result["split"], one.protocol, one.stream)
        rows.setdefault((place, *key), (group, []))[1].append((run, one))
    return [_measured(group, key[1:], members, machine) for key, (group, members) in rows.items()]


def table_rows(rows: Sequence[Measured], *, everything: bool = False) -> list[TableRow]:
    """Rows of the results table; results without copies of training clips are rows of their own.

    Args:
        rows: What was measured.
        everything: Add the published cells that nothing was run for, each with the command that fills it.
    """
    table = []
    for row in rows:
        cell = TableRow(*row.key, row.accuracy, row.untrained, row.published)
        table.append(cell)
        if row.without_copies is not None:
            split = f"{row.split} without copies"
            table.append(
                evolve(
                    cell,
                    split=split,
                    ours=row.without_copies,
                    untrained=row.untrained_without_copies,
                    published=(),
                )
            )
    if everything:
        filled = {
            (row.recipe, row.dataset, row.split, row.protocol, row.stream.partition(" ")[0]) for row in rows
        }
        table += [row for row in published_cells() if _cell(row) not in filled]
    return table


def published_cells() -> list[TableRow]:
    """The cells of the literature that recipes are made for, each with the command that fills it."""
    cells = []
    for name in recipe_names():
        recipe = load_recipe(name)
        keys = dict.fromkeys((p.dataset, p.split, p.protocol, p.streams) for p in recipe.published)
        for dataset, split, protocol, streams in keys:
            title = _PROTOCOLS.get(protocol, protocol)
            numbers = published_for(recipe.published, dataset, split, title, streams)
            command = _command(name, recipe.data.split, recipe.data.stream, dataset, split, title, streams)
            cells.append(TableRow(name, dataset, split, title, streams, published=numbers, command=command))
    return cells


def published_for(
    published: Sequence[Published], dataset: str, split: str, protocol: str, streams: str
) -> tuple[tuple[float, str], ...]:
    """The published numbers of a cell with their sources."""
    return tuple(
        (p.accuracy, p.source)
        for p in published
        if (p.dataset, p.split, _PROTOCOLS.get(p.protocol, p.protocol), p.streams)
        == (dataset, split, protocol, streams)
    )


def _cell(row: TableRow) -> tuple[str, ...]:
    return row.method, row.dataset, row.split, row.protocol, row.stream


def _command(
    name: str, own_split: str, own_stream: str, dataset: str, split: str, protocol: str, streams: str
) -> str:
    run, store = f"runs/{name.rpartition('/')[2]}", f"{dataset}.store"
    evaluation = f"skel eval {_COMMANDS.get(protocol, protocol)} {run} {store}"
    if streams != own_stream:
        evaluation += f" --stream {streams}"
    elif (weighted := _written_evaluation(name)) and protocol == "linear":
        evaluation = weighted.replace("RUN", run).replace("STORE", store)
    pretraining = f"skel pretrain {name} {store} --out {run}"
    if split != own_split:
        pretraining += f" --split {split}"
    return f"{pretraining} && {evaluation}"


def _written_evaluation(name: str) -> str:
    """How a recipe says that it is evaluated, where that is not in equal parts."""
    text = (files("skel_recipes") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    line = re.search(r"^# Evaluated with: (.+)$", text, re.MULTILINE)
    return line[1] if line else ""


def _measured(
    group: Group, key: tuple[str, ...], members: Sequence[tuple[Run, Evaluated]], machine: str
) -> Measured:
    dataset, split, protocol, stream = key
    first = members[0][1]
    evaluated = [one for _, one in members]
    names = [name for name in first.result["baselines"] if name != UNTRAINED]
    records = [record for run, _ in members for record in run.metrics()]
    seconds = sum(float(record["seconds"]) for record in records if "seconds" in record)
    lasted = [one.result["seconds"] for one in evaluated if "seconds" in one.result]
    clips = sum(record["clips_per_second"] * record["seconds"] for record in records if "seconds" in record)
    return Measured(
        recipe=group.name,
        dataset=dataset,
        split=split,
        protocol=protocol,
        stream=stream,
        seeds=tuple(run.recipe.train.seed for run, _ in members),
        accuracy=summarise(one.result[one.result.get("headline", "accuracy")] for one in evaluated),
        untrained=_over_seeds(evaluated, UNTRAINED),
        without_copies=_over_seeds(evaluated, without_copies=True),
        untrained_without_copies=_over_seeds(evaluated, UNTRAINED, without_copies=True),
        baselines=_means(evaluated, names),
        baselines_without_copies=_means(evaluated, names, without_copies=True),
        train_clips=first.result.get("train_clips"),
        test_clips=first.result.get("test_clips"),
        copies=first.result.get("test_clips_that_are_copies", 0),
        seconds=float(np.mean(lasted)) if lasted else None,
        minutes=seconds / 60 / len(members) if seconds else None,
        clips_per_second=clips / seconds if seconds else None,
        parameters=_parameters(members[0][0]),
        published=published_for(group.recipe.published, dataset, split, protocol, stream.partition(" ")[0]),
        machine=machine,
    )


def _over_seeds(
    evaluated: Sequence[Evaluated], name: str | None = None, *, without_copies: bool = False
) -> Summary | None:
    values = [one.score(name, without_copies=without_copies) for one in evaluated]
    known = [value for value in values if value is not None]
    return summarise(known) if known else None


def _means(
    evaluated: Sequence[Evaluated], names: Sequence[str], *, without_copies: bool = False
) -> dict[str, float]:
    found = {name: _over_seeds(evaluated, name, without_copies=without_copies) for name in names}
    return {name: value.mean for name, value in found.items() if value is not None}


def _parameters(run: Run) -> int | None:
    """Number of trained weights of the encoders, without the statistics of BatchNorm."""
    file = run.path / "encoder.safetensors"
    if not file.exists():
        return None
    total = 0
    with safe_open(file, "pt") as weights:
        for name in weights.keys():  # noqa: SIM118 (it is no mapping)
            if "running_" not in name and "num_batches" not in name:
                size = 1
                for length in weights.get_slice(name).get_shape():
                    size *= length
                total += size
    return total
