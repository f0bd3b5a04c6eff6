"""Run folders side by side: which differ in their seed only, and what their evaluations say."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import define, evolve

from skel_recipes._recipe import Recipe, dump_recipe, load_recipe, recipe_names
from skel_recipes._run import Run

UNTRAINED = "untrained encoder"
_NO_SETTINGS = ("name", "summary", "train.seed")
_CHOSEN = ("regularisation", "seed", "weights")  # weights stand in the name of the stream
_MOST_NAMED = 3  # settings in the name of a group


@define(frozen=True)
class Group:
    """Runs that differ in their seed only.

    Attributes:
        name: The recipe, with settings that are not those of the recipe of this name, or in which several
            groups of it differ.
        runs: By seed.
        settings: Their settings by dotted key, without the seed.
    """

    name: str
    runs: tuple[Run, ...]
    settings: Mapping[str, str]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first run."""
        return self.runs[0].recipe


@define(frozen=True)
class Evaluated:
    """An evaluation in a run's folder, of this run alone.

    Attributes:
        file: The JSON file; predictions stand beside it.
        result: Its content.
        protocol: Such as linear, or 1-NN; with the number that is meant if that is no accuracy.
        stream: Such as joint, or joint+motion+bone with the weights of the fusion if they differ.
    """

    file: Path
    result: Mapping[str, Any]
    protocol: str
    stream: str

    def score(self, name: str | None = None, *, without_copies: bool = False) -> float | None:
        """The main number, or that of the baseline `name`; None if it was not taken."""
        headline = self.result.get("headline", "accuracy") + "_without_copies" * without_copies
        scores = self.result if name is None else self.result["baselines"].get(name, {})
        value = scores.get(headline)
        return None if value is None else float(value)


def grouped(runs: Iterable[Run]) -> list[Group]:
    """Runs of one recipe, settings, store and split, in the order of their first appearance.

    Raises:
        ValueError: If two runs of a group have the same seed.
    """
    found: dict[tuple[Any, ...], dict[Path, Run]] = {}
    for run in runs:
        key = (run.recipe.name, run.facts["store"]["hash"], run.facts["split"], *settings_of(run).items())
        found.setdefault(key, {})[run.path.resolve()] = run
    groups = []
    for members in found.values():
        ordered = sorted(members.values(), key=lambda run: run.recipe.train.seed)
        for a, b in pairwise(ordered):
            if a.recipe.train.seed == b.recipe.train.seed:
                raise ValueError(
                    f"{a.path} and {b.path} have the same settings and the same seed: give one of them"
                )
        groups.append(Group(ordered[0].recipe.name, tuple(ordered), settings_of(ordered[0])))
    names = [_name(group, groups) for group in groups]
    told = [
        f"{name} ({group.runs[0].path.name})" if names.count(name) > 1 else name
        for name, group in zip(names, groups, strict=True)
    ]
    return [Group(name, group.runs, group.settings) for name, group in zip(told, groups, strict=True)]


def settings_of(run: Run) -> dict[str, str]:
    """Everything a run depends on but its seed, by dotted key."""
    return _settings(run.recipe) | {"store": run.facts["store"]["dataset"], "split": run.facts["split"]}


def _settings(recipe: Recipe) -> dict[str, str]:
    return {
        key: value
        for key, value in flat(recipe).items()
        if key not in _NO_SETTINGS and not key.startswith("published")
    }


def flat(recipe: Recipe) -> dict[str, str]:
    """The recipe's values by dotted key, as in ``--set``."""

    def walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
        tables = isinstance(value, list) and any(isinstance(item, dict) for item in value)
        if isinstance(value, dict) or tables:
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from walk(item, f"{path}.{key}" if path else str(key))
        else:
            yield path, str(value)

    return dict(walk(tomllib.loads(dump_recipe(recipe)), ""))


def evaluations(run: Run) -> list[Evaluated]:
    """The evaluations of a run; those together with other runs are left out."""
    found = []
    for file in sorted((run.path / "eval").glob("*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        headline = result.get("headline", "accuracy")
        if len(result.get("runs", ())) == 1 and headline in result:
            title = _protocol(file.stem, result) + (f", {headline}" if headline != "accuracy" else "")
            found.append(Evaluated(file, result, title, _stream(result)))
    return found


def told_apart(found: Sequence[Evaluated]) -> list[Evaluated]:
    """The same evaluations; where settings or stores of one protocol differ, its name says so.

    What a protocol chose on training clips, and its seed, may differ.
    """
    told = list(found)
    for key in {_cell(one) for one in found}:
        places = [place for place, one in enumerate(found) if _cell(one) == key]
        conditions = [_conditions(found[place].result) for place in places]
        for name in dict.fromkeys(name for of in conditions for name in of):
            values = {str(of[name]) for of in conditions if name in of}
            for place, of in zip(places, conditions, strict=True):
                if name in of and len(values) > 1:
                    protocol = f"{told[place].protocol}, {name} {of[name]}"
                    told[place] = evolve(told[place], protocol=protocol)
    return told


def _cell(one: Evaluated) -> tuple[str, str, str, str]:
    return one.result["dataset"], one.result["split"], one.protocol, one.stream


def _conditions(result: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in result["settings"].items() if name not in _CHOSEN}
    return settings | ({"store": result["store"][:8]} if "store" in result else {})


def _protocol(stem: str, result: Mapping[str, Any]) -> str:
    """The protocol with what tells it from others, as it stands in the name of the file."""
    name = stem.removeprefix(f"{result['dataset']}-{result['split']}-")
    name = (
        name.partition("-fused")[0] if "+" in result["stream"] else name.removesuffix(f"-{result['stream']}")
    )
    neighbours = re.fullmatch(r"knn(\d+)", name)
    return f"{neighbours[1]}-NN" if neighbours else name


def _stream(result: Mapping[str, Any]) -> str:
    weights = result["settings"].get("weights", ())
    told = f" ({', '.join(f'{weight:g}' for weight in weights)})" if len(set(weights)) > 1 else ""
    return str(result["stream"]) + told


def _name(group: Group, groups: Sequence[Group]) -> str:
    """The recipe and what differs, from the recipe of that name if it is known, or else between groups."""
    same = [other.settings for other in groups if other.name == group.name]
    keys = dict.fromkeys(key for settings in same for key in settings)
    if group.name in recipe_names():
        packaged = _settings(load_recipe(group.name))
        keys |= dict.fromkeys(packaged)
        same = [{**packaged, "store": of["store"], "split": of["split"]} for of in same]
    differing = [key for key in keys if any(of.get(key) != group.settings.get(key) for of in same)]
    told = [f"{key} {group.settings.get(key, 'none')}" for key in differing[:_MOST_NAMED]]
    if len(differing) > _MOST_NAMED:
        told.append(f"and {len(differing) - _MOST_NAMED} more")
    return ", ".join([group.name, *told])
