"""Views of published methods and of this project, by name."""

import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skel_augment.view import View


@cache
def _presets() -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Steps of the views by name, and other names of views."""
    methods = tomllib.loads((files("skel_augment") / "presets.toml").read_text(encoding="utf-8"))
    aliases: dict[str, str] = methods.pop("aliases")
    views = {f"{method}.{view}": steps for method, named in methods.items() for view, steps in named.items()}
    return views, aliases


def preset_steps() -> dict[str, list[str]]:
    """Names of the steps of each preset view, read without importing the augmentations.

    >>> preset_steps()["aimclr.normal"]
    ['temporal_crop', 'shear']
    """
    views, aliases = _presets()
    names = sorted([*views, *aliases])
    return {name: [step["name"] for step in views[aliases.get(name, name)]] for name in names}


def preset_names() -> tuple[str, ...]:
    """Names of the preset views."""
    return tuple(preset_steps())


@cache
def preset(name: str) -> "View":
    """The view of this name, such as ``aimclr.extreme``.

    Raises:
        ValueError: If there is no such preset.

    >>> len(preset("aimclr.normal").steps)
    2
    """
    from skel_augment.build import build_view

    views, aliases = _presets()
    if name in aliases:
        return preset(aliases[name])
    if name not in views:
        near = get_close_matches(name, preset_names(), 1)
        hint = f"did you mean {near[0]!r}? Presets" if near else "presets"
        raise ValueError(f"no view {name!r}; {hint} are {', '.join(preset_names())}")
    return build_view(views[name])
