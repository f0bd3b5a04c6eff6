"""Groups of runs that differ in their seed only, named by what tells them apart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import define, evolve

from skel_eval import Method
from skel_recipes.config.library import recipe_names
from skel_recipes.config.recipe import Recipe, load_recipe, settings_but_seed
from skel_recipes.evaluate.evaluate import results_of
from skel_recipes.run.run import Run

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
    """Runs of one recipe, settings, store and split, that begin with the same layers of like runs (`--init`).

    Groups are in the order of their first appearance.

    Raises:
        ValueError: If two runs of a group have the same seed.
    """
    found: dict[tuple[Any, ...], dict[Path, Run]] = {}
    for run in runs:
        where = (run.info["store"]["hash"], run.info["split"])
        key = (run.recipe.name, _begun(run.info.get("init")), *where, *settings_of(run).items())
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
    return settings_but_seed(run.recipe) | {"store": run.info["store"]["dataset"], "split": run.info["split"]}


def _begun(init: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """What initial weights depend on but the seed of the run that they are from."""
    if not init:
        return ()
    weights = (tuple(init["loaded"]), tuple(init.get("layers", ())))
    origin = (init.get("store", {}).get("hash"), init.get("split"), *init.get("recipe", {}).items())
    return (*weights, *origin, _begun(init.get("init")))


def _name(group: RunGroup, groups: Sequence[RunGroup]) -> str:
    """The recipe and what differs, from the recipe of that name if it is known, or else between groups."""
    same = [other.settings for other in groups if other.name == group.name]
    keys = dict.fromkeys(key for settings in same for key in settings)
    if group.name in recipe_names():
        packaged = settings_but_seed(load_recipe(group.name))
        keys |= dict.fromkeys(packaged)
        same = [{**packaged, "store": of["store"], "split": of["split"]} for of in same]
    differing = [key for key in keys if any(of.get(key) != group.settings.get(key) for of in same)]
    words = [f"{key} {group.settings.get(key, 'none')}" for key in differing[:_MOST_NAMED]]
    if len(differing) > _MOST_NAMED:
        words.append(f"and {len(differing) - _MOST_NAMED} more")
    return ", ".join([group.name, *words])
