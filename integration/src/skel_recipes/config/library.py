"""Recipes as plain data: files, base and what lies over it, without importing torch."""

import csv
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

RecipeData = dict[str, Any]

_LARGEST = 1e12
"""No setting has a reason to be larger."""


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with the package.

    Those of one word are for small sets; those below ``paper/`` are cells of published tables.
    """
    return tuple(sorted({*_file_names(_folder(), ""), *_published()}))


def read_recipe(name: str | Path) -> RecipeData:
    """A recipe as it is written, merged with its base; it always has a ``name``.

    Args:
        name: One of `recipe_names`, or the path of a ``.toml`` file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If there is no such recipe, it is no TOML file, or a recipe is its own base.
    """
    return _read(str(name), ())


def recipe_summary(name: str) -> str:
    """What a recipe is, in a sentence."""
    data = _published().get(name) or tomllib.loads(_text(name))
    return str(data.get("summary", ""))


def parse_value(text: str) -> Any:
    """A value as TOML would read it; text that is no TOML value stays a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def parse_settings(words: Iterable[str]) -> RecipeData:
    """Values by key, of words KEY=VALUE.

    Raises:
        ValueError: If a word is none.
    """
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--set expects KEY=VALUE, got {word!r}")
        found[key] = parse_value(value)
    return found


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> RecipeData:
    """`top` merged into `base`: so are their tables, unless they are of different kinds (``name``)."""
    merged = dict(base)
    for key, value in top.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict) and _same_kind(under, value):
            value = merge(under, value)
        merged[key] = value
    return merged


def override(
    data: RecipeData, settings: Mapping[str, Any], expand: Callable[[str, Any], Any] = lambda _, value: value
) -> None:
    """Lay values over a recipe, by dotted key; an index reaches into a list.

    What is set here wins over what only says how it is scaled: with ``train.epochs`` the recipe's
    ``train.min_steps`` does not count. Another ``name`` empties its table, whose keys were of another kind.

    Args:
        data: The recipe, which is changed.
        settings: Values by dotted key, such as ``{"optim.lr": 0.05}``.
        expand: Gives the table or list that a value stands for, by its dotted key, where a longer key reaches
            into it: the steps of a preset view.

    Raises:
        ValueError: If a key reaches into a value that is no table, or beyond a list.
    """
    if "train.epochs" in settings and "train.min_steps" not in settings:
        settings = {**settings, "train.min_steps": 0}
    for key, value in sorted(settings.items(), key=lambda item: not item[0].endswith(".name")):
        *path, last = key.split(".")
        table: Any = data
        for depth, step in enumerate(path, 1):
            inner = table[_index(table, step, key)] if isinstance(table, list) else table.get(step)
            inner = expand(".".join(path[:depth]), inner)
            if inner is None:
                inner = {}
            if not isinstance(inner, dict | list):
                raise ValueError(f"{key}: {step!r} holds {inner!r}, not a table")
            table[_index(table, step, key) if isinstance(table, list) else step] = inner
            table = inner
        if isinstance(table, list):
            table[_index(table, last, key)] = value
            continue
        if last == "name" and path and table.get("name") != value:
            table.clear()
        table[last] = value


def check_numbers(value: Any, path: str = "") -> None:
    """Refuse numbers that are not finite or are absurd, wherever they stand in nested tables and lists.

    Raises:
        ValueError: If there is one; the message names its path.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_numbers(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_numbers(item, f"{path}.{index}")
    elif isinstance(value, float) and not abs(value) <= _LARGEST:
        raise ValueError(f"{path} must be a finite number of at most {_LARGEST:g}, got {value}")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{path} must be a number of 64 bits, got one of {value.bit_length()} bits")


def flat_values(data: Mapping[str, Any]) -> dict[str, str]:
    """The values of nested tables and lists of tables as text, by dotted key."""

    def walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
        tables = isinstance(value, list) and any(isinstance(item, dict) for item in value)
        if isinstance(value, dict) or tables:
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from walk(item, f"{path}.{key}" if path else str(key))
        else:
            yield path, str(value)

    return dict(walk(data, ""))


def _same_kind(under: Mapping[str, Any], top: Mapping[str, Any]) -> bool:
    return "name" not in top or top["name"] == under.get("name")


def _index(items: list[Any], step: str, key: str) -> int:
    if not step.isdecimal() or int(step) >= len(items):
        raise ValueError(f"{key}: {step!r} is not an index into a list of {len(items)}")
    return int(step)


def _read(name: str, chain: tuple[str, ...]) -> RecipeData:
    if name in chain:
        raise ValueError(f"recipe {name!r} is its own base: {' -> '.join((*chain, name))}")
    packaged = name in recipe_names()
    if name in _published():
        data = deepcopy(_published()[name])
    else:
        text = _text(name) if packaged else _own_text(name)
        try:
            data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ValueError(f"recipe {name!r}: not a TOML file: {error}") from error
    data.setdefault("name", name if packaged else Path(name).stem)
    if "base" not in data:
        return data
    base = data.pop("base")
    if not isinstance(base, str):
        raise ValueError(f"recipe {name!r}: base must be the name of a recipe, got {base!r}")
    if base.endswith(".toml"):
        base = str(Path(name).parent / base)
    return merge(_read(base, (*chain, name)), data)


def _own_text(name: str) -> str:
    if name.endswith(".toml"):
        try:
            return Path(name).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"recipe {name!r}: not a TOML file: {error}") from error
    near = get_close_matches(name, recipe_names(), 1)
    short = ", ".join(known for known in recipe_names() if "/" not in known)
    meant = f"did you mean {near[0]!r}? There are" if near else "there are"
    raise ValueError(
        f"no recipe {name!r}; {meant} {short} and those of papers, which skel recipe lists, "
        "or give a .toml file"
    )


def _folder() -> Traversable:
    return files("skel_recipes") / "recipes"


def _text(name: str) -> str:
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def _file_names(folder: Traversable, prefix: str) -> Iterable[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _file_names(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".toml"):
            yield prefix + entry.name.removesuffix(".toml")


@cache
def _published() -> dict[str, RecipeData]:
    """Cells of published tables that differ from their base in stream and split only, from one table."""
    cells: dict[str, RecipeData] = {}
    text = (_folder() / "published.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        stream, split = row["stream"], row["split"]
        extrapolated = f"settings extrapolated from {row['settings_of']}" if row["settings_of"] else ""
        cell = cells.setdefault(
            row["name"],
            {
                "name": row["name"],
                "summary": ", ".join(filter(None, (row["summary"], extrapolated))),
                "base": row["base"],
                "data": {"stream": stream, "split": split},
                "published": [],
            },
        )
        if row["evaluation"]:
            cell["evaluation"] = row["evaluation"]
        if row["accuracy"]:
            known = {name: row[name] for name in ("dataset", "protocol", "source")}
            known["source"] += f" (here: {extrapolated})" if extrapolated else ""
            number = {**known, "split": split, "streams": stream, "accuracy": float(row["accuracy"])}
            cell["published"].append(number)
    return cells
