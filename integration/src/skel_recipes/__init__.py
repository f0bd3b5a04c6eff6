"""Methods, recipes, trainer and evaluation of self-supervised skeleton-based action recognition.

The names below are imported when they are first used, so that the command line starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skel_recipes._embed import Windows, classify_windows, embed_recordings, embed_windows
    from skel_recipes._evaluate import evaluate
    from skel_recipes._recipe import Published, Recipe, dump_recipe, load_recipe, recipe_names
    from skel_recipes._report import report
    from skel_recipes._result import Evaluation
    from skel_recipes._robust import robustness
    from skel_recipes._run import Run
    from skel_recipes._sklearn import SkeletonFeatures
    from skel_recipes._trainer import build_method, pretrain, resume
    from skel_recipes._tune import tune
    from skel_recipes.methods import METHODS, MethodSettings, Sight

__all__ = [
    "METHODS",
    "Evaluation",
    "MethodSettings",
    "Published",
    "Recipe",
    "Run",
    "Sight",
    "SkeletonFeatures",
    "Windows",
    "build_method",
    "classify_windows",
    "dump_recipe",
    "embed_recordings",
    "embed_windows",
    "evaluate",
    "load_recipe",
    "pretrain",
    "recipe_names",
    "report",
    "resume",
    "robustness",
    "tune",
]
__version__ = "0.1.0"

_HOMES = {
    "_embed": ("Windows", "classify_windows", "embed_recordings", "embed_windows"),
    "_evaluate": ("evaluate",),
    "_recipe": ("Published", "Recipe", "dump_recipe", "load_recipe", "recipe_names"),
    "_report": ("report",),
    "_result": ("Evaluation",),
    "_robust": ("robustness",),
    "_run": ("Run",),
    "_sklearn": ("SkeletonFeatures",),
    "_trainer": ("build_method", "pretrain", "resume"),
    "_tune": ("tune",),
    "methods": ("METHODS", "MethodSettings", "Sight"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"skel_recipes.{home}"), name)
    raise AttributeError(f"module 'skel_recipes' has no attribute {name!r}")
