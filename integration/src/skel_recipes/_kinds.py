"""Parts by name: those that come with the packages, and a user's own by their place.

A recipe names a kind of method or encoder by a word (``name = "aimclr"``), or by module and class
(``name = "my_methods:MySettings"``), the module being one that Python can import.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import has


def kind_named(name: str, known: Mapping[str, type[Any]], what: str) -> type[Any]:
    """The settings class of a name, as `part_named` finds it.

    Raises:
        ValueError: If there is none, or it is not a settings class.
    """
    kind = part_named(name, known, what)
    if not (isinstance(kind, type) and has(kind) and callable(getattr(kind, "build", None))):
        raise ValueError(f"{what} {name!r} is not an attrs class with a method build")
    return kind


def part_named(name: str, known: Mapping[str, Any], what: str) -> Any:
    """What a name stands for.

    Args:
        name: A key of `known`, or ``module:attribute``.
        known: Parts by name.
        what: What they are, for messages.

    Raises:
        ValueError: If there is no such name, module or attribute.
    """
    if name in known:
        return known[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"no {what} {name!r}; there are {', '.join(known)}, or give module:Name")
    if str(Path.cwd()) not in sys.path:  # the command does not look where it is called, as python -m does
        sys.path.append(str(Path.cwd()))
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no {what} {name!r}: {error}") from error


def name_of(kind: type[Any], known: Mapping[str, type[Any]]) -> str:
    """The name under which `kind_named` finds a settings class."""
    for name, other in known.items():
        if other is kind:
            return name
    return f"{kind.__module__}:{kind.__qualname__}"
