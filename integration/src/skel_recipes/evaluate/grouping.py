"""Groups of runs that differ in their seed only, named by what tells them apart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import define, evolve

from skel_eval import Method
from skel_recipes.config.library import recipe_names
from skel_recipes.config.recipe import Recipe, flat_recipe, load_recipe
from skel_recipes.evaluate.evaluate import results_of
from skel_recipes.run.run import Run

_NO_SETTINGS = ("name", "summary", "evaluation", "train.seed")
_MOST_NAMED = 3  # settings in the name of a group


@define(frozen=True)
class RunGroup:
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

    def method(self) -> Method:
        """The runs' results and training curves, as a method to compare."""
        seeds = [run.recipe.train.seed for run in self.runs]
        return Method(
            self.name,
            {seed: results_of(run) for seed, run in zip(seeds, self.runs, strict=True)},
            {seed: run.metrics() for seed, run in zip(seeds, self.runs, strict=True)},
            self.settings,
            self.recipe.data.stream,
        )


def group_by_seed(runs: Iterable[Run]) -> list[RunGroup]:
    """Runs of one recipe, settings, store, split and initial weights that were loaded (`--init`).

    Groups are in the order of their first appearance.

    Raises:
        ValueError: If two runs of a group have the same seed.
    """
    found: dict[tuple[Any, ...], dict[Path, Run]] = {}
    for run in runs:
        begun = tuple(run.info.get("init", {}).get("loaded", ()))
        where = (run.info["store"]["hash"], run.info["split"])
        key = (run.recipe.name, begun, *where, *settings_of(run).items())
        found.setdefault(key, {})[run.path.resolve()] = run
    groups = []
    for members in found.values():
        ordered = sorted(members.values(), key=lambda run: run.recipe.train.seed)
        for a, b in pairwise(ordered):
            if a.recipe.train.seed == b.recipe.train.seed:
                raise ValueError(
                    f"{a.path} and {b.path} have the same settings and the same seed: give one of them"
                )
        groups.append(RunGroup(ordered[0].recipe.name, tuple(ordered), settings_of(ordered[0])))
    names = [_name(group, groups) for group in groups]
    return [
        evolve(group, name=f"{name} ({group.runs[0].path.name})" if names.count(name) > 1 else name)
        for name, group in zip(names, groups, strict=True)
    ]


def settings_of(run: Run) -> dict[str, str]:
    """Everything a run depends on but its seed, by dotted key."""
    return _settings(run.recipe) | {"store": run.info["store"]["dataset"], "split": run.info["split"]}


def _settings(recipe: Recipe) -> dict[str, str]:
    return {
        key: value
        for key, value in flat_recipe(recipe).items()
        if key not in _NO_SETTINGS and not key.startswith("published")
    }


def _name(group: RunGroup, groups: Sequence[RunGroup]) -> str:
    """The recipe and what differs, from the recipe of that name if it is known, or else between groups."""
    same = [other.settings for other in groups if other.name == group.name]
    keys = dict.fromkeys(key for settings in same for key in settings)
    if group.name in recipe_names():
        packaged = _settings(load_recipe(group.name))
        keys |= dict.fromkeys(packaged)
        same = [{**packaged, "store": of["store"], "split": of["split"]} for of in same]
    differing = [key for key in keys if any(of.get(key) != group.settings.get(key) for of in same)]
    words = [f"{key} {group.settings.get(key, 'none')}" for key in differing[:_MOST_NAMED]]
    if len(differing) > _MOST_NAMED:
        words.append(f"and {len(differing) - _MOST_NAMED} more")
    return ", ".join([group.name, *words])
