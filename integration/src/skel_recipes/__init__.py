"""Methods, recipes, trainer and evaluation of self-supervised skeleton-based action recognition.

The names below are imported when they are first used, so that the command line starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skel_recipes._evaluate import Evaluation, evaluate, fuse
    from skel_recipes._recipe import Published, Recipe, dump_recipe, load_recipe, recipe_names
    from skel_recipes._report import report
    from skel_recipes._run import Run
    from skel_recipes._trainer import build_method, pretrain, resume
    from skel_recipes.methods import METHODS, MethodSettings, Sight

__all__ = [
    "METHODS",
    "Evaluation",
    "MethodSettings",
    "Published",
    "Recipe",
    "Run",
    "Sight",
    "build_method",
    "dump_recipe",
    "evaluate",
    "fuse",
    "load_recipe",
    "pretrain",
    "recipe_names",
    "report",
    "resume",
]
__version__ = "0.1.0"

_HOMES = {
    "_evaluate": ("Evaluation", "evaluate", "fuse"),
    "_recipe": ("Published", "Recipe", "dump_recipe", "load_recipe", "recipe_names"),
    "_report": ("report",),
    "_run": ("Run",),
    "_trainer": ("build_method", "pretrain", "resume"),
    "methods": ("METHODS", "MethodSettings", "Sight"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"skel_recipes.{home}"), name)
    raise AttributeError(f"module 'skel_recipes' has no attribute {name!r}")
