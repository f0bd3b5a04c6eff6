"""Results table of runs and published results."""

from collections.abc import Sequence

from attrs import define, evolve
from safetensors import safe_open

from skel_eval import Row, summarise_methods
from skel_recipes.config.library import read_recipe, recipe_names
from skel_recipes.config.recipe import Published
from skel_recipes.evaluate.evaluate import resolve_protocol
from skel_recipes.evaluate.grouping import RunGroup
from skel_recipes.run.run import Run


@define(frozen=True)
class Pretraining:
    """Cost of a pretraining, means over seeds.

    Attributes:
        minutes: Wall-clock time.
        clips_per_second: Speed of the training.
        parameters: Trained numbers in the encoders.
    """

    minutes: float | None = None
    clips_per_second: float | None = None
    parameters: int | None = None


def table_rows(groups: Sequence[RunGroup], *, everything: bool = False) -> list[Row]:
    """Rows of the results table: one for each cell of each group, with what its recipe's paper reports.

    Args:
        groups: The runs, as from `group_by_seed`.
        everything: Add the published cells that nothing was run for, each with the command that fills it.
    """
    recipes = {group.name: group.recipe for group in groups}
    rows = [
        evolve(row, published=_published_for(recipes[row.method].published, row))
        for row in summarise_methods([group.method() for group in groups])
    ]
    if everything:
        filled = {_cell(row) for row in rows}
        rows += [row for row in published_cells() if _cell(row) not in filled]
    return rows


def published_cells() -> list[Row]:
    """The cells of the literature that recipes are made for, each with the command that fills it."""
    cells = []
    for name in recipe_names():
        data = read_recipe(name)
        published = [Published(**number) for number in data.get("published", ())]
        for key in dict.fromkeys((p.dataset, p.split, p.protocol, p.streams) for p in published):
            dataset, split, protocol, streams = key
            title = _title(protocol)
            row = Row(name, dataset, split, title, streams, variant=title, streams=streams)
            own_split, own_stream = (data.get("data", {}).get(one, "") for one in ("split", "stream"))
            run, store = f"runs/{name.rpartition('/')[2]}", f"{dataset}.store"
            evaluation = f"skel eval {protocol} {run} {store}"
            if streams != (own_stream or "joint"):
                evaluation += f" --stream {streams}"
            elif (written := data.get("evaluation", "")) and protocol == "linear":
                evaluation = written.replace("RUN", run).replace("STORE", store)
            pretraining = f"skel pretrain {name} {store} --out {run}"
            if split != own_split:
                pretraining += f" --split {split}"
            command = f"{pretraining} && {evaluation}"
            cells.append(evolve(row, published=_published_for(published, row), command=command))
    return cells


def pretraining_of(group: RunGroup) -> Pretraining:
    """What the pretraining of a group of runs cost."""
    records = [record for run in group.runs for record in run.metrics() if "seconds" in record]
    seconds = sum(float(record["seconds"]) for record in records)
    clips = sum(record["clips_per_second"] * record["seconds"] for record in records)
    return Pretraining(
        seconds / 60 / len(group.runs) if seconds else None,
        clips / seconds if seconds else None,
        _parameters(group.runs[0]),
    )


def _title(protocol: str) -> str:
    """What a protocol with its default settings is called in tables."""
    title: str = resolve_protocol(protocol, {})[1].title
    return title


def _published_for(published: Sequence[Published], row: Row) -> tuple[tuple[float, str], ...]:
    """The published results of a row's cell with their sources; they have neither tags nor weights."""
    cell = row.dataset, row.split, row.variant, row.streams
    return tuple(
        (p.accuracy, p.source)
        for p in published
        if (p.dataset, p.split, _title(p.protocol), p.streams) == cell
    )


def _cell(row: Row) -> tuple[str, ...]:
    return row.method, row.dataset, row.split, row.variant, row.streams


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
