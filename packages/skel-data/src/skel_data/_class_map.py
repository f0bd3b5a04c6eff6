"""Class maps: which classes of two data sets are the same action."""

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

_FOLDER = Path(__file__).parent / "class_maps"


class Labelled(Protocol):
    """What has a data set's name and classes, such as a `Store`."""

    @property
    def dataset(self) -> str: ...
    @property
    def classes(self) -> Sequence[str]: ...


@define(frozen=True)
class ClassMap:
    """Class map from a source data set to a target data set, for recognition across data sets.

    Attributes:
        name: Name of the map.
        pairs: Class of the target for classes of the source, by their names. Several classes of the source
            may be one of the target.
        source: Names of the data sets that the first are classes of.
        target: Names of the data sets that the second are classes of.
    """

    name: str
    pairs: Mapping[str, str] = field(repr=False)
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()

    @property
    def reversible(self) -> bool:
        """Whether no two classes of the source are one of the target."""
        return len(set(self.pairs.values())) == len(self.pairs)

    def reversed(self) -> "ClassMap":
        """The map from target to source.

        Raises:
            ValueError: If several classes of the source are one of the target.
        """
        if not self.reversible:
            raise ValueError(
                f"class map {self.name} goes one way only: it makes one class of several, such as "
                f"{next(b for b in self.pairs.values() if list(self.pairs.values()).count(b) > 1)!r}"
            )
        back = {after: before for before, after in self.pairs.items()}
        return ClassMap(self.name, back, self.target, self.source)

    def lacking(self, source: Labelled, target: Labelled) -> str:
        """Which of its classes the two data sets lack, in words; empty if none."""
        wanted = ((source, self.pairs), (target, dict.fromkeys(self.pairs.values())))
        missing = [(one, [name for name in names if name not in one.classes]) for one, names in wanted]
        return " and ".join(
            f"{one.dataset} has no class {', '.join(map(repr, names))}" for one, names in missing if names
        )

    def numbers(self, source: Labelled, target: Labelled) -> NDArray[np.int64]:
        """Class number in the target of each class of the source, (classes,); -1 for one that is left out.

        Raises:
            ValueError: If one of both lacks a class of the map; the message names it.
        """
        if lost := self.lacking(source, target):
            raise ValueError(f"class map {self.name}: {lost}")
        known = {name: number for number, name in enumerate(target.classes)}
        return np.array([known[self.pairs[name]] if name in self.pairs else -1 for name in source.classes])


def class_map_names() -> tuple[str, ...]:
    """Names of the class maps that come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def read_class_map(name: str | Path) -> ClassMap:
    """A class map by name or from a TOML file.

    The file has a table ``classes`` of source class = target class, and may list the names of the data sets
    as ``source`` and ``target``.

    Args:
        name: One of `class_map_names`, or the path of a ``.toml`` file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If there is no such map, or the file is no class map.
    """
    if str(name).endswith(".toml"):
        return _read(Path(name))
    if str(name) not in class_map_names():
        near = get_close_matches(str(name), class_map_names(), 1)
        meant = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise ValueError(
            f"no class map {str(name)!r}; {meant} {', '.join(class_map_names())}, or give a .toml file"
        )
    return _packaged(str(name))


def match_classes(source: Labelled, target: Labelled, name: str | Path = "") -> ClassMap:
    """The class map between two data sets.

    A map for the other direction is reversed if that is possible.

    Args:
        source: The data set whose labels are learned, such as a `Store`.
        target: The data set that is tested.
        name: As `read_class_map` takes it; empty for the packaged map of the two data sets, or else the
            classes with the same name.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If there is no map, a class is missing, or fewer than two classes are left.
    """
    found = read_class_map(name) if name else _of_sets(source, target)
    if found.lacking(source, target) and not found.lacking(target, source):
        found = found.reversed()
    found.numbers(source, target)
    if len(set(found.pairs.values())) < 2:
        raise ValueError(
            f"{source.dataset} and {target.dataset} share {len(set(found.pairs.values()))} classes by "
            f"{found.name}, and recognition needs two; name a class map, such as a .toml file of yours"
        )
    return found


def _of_sets(source: Labelled, target: Labelled) -> ClassMap:
    """The packaged map of two data sets, in either direction, or the classes of the same name."""
    maps = [_packaged(name) for name in class_map_names()]
    for one in maps:
        if source.dataset in one.source and target.dataset in one.target:
            return one
    for one in maps:
        if source.dataset in one.target and target.dataset in one.source and one.reversible:
            return one.reversed()
    same = {name: name for name in source.classes if name in target.classes}
    return ClassMap("same names", same, (source.dataset,), (target.dataset,))


@cache
def _packaged(name: str) -> ClassMap:
    return _read(_FOLDER / f"{name}.toml")


def _read(path: Path) -> ClassMap:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"class map {path}: not a TOML file: {error}") from error
    if unknown := sorted(data.keys() - {"source", "target", "classes"}):
        raise ValueError(
            f"class map {path}: unknown key {', '.join(unknown)}; known are source, target, classes"
        )
    pairs = data.get("classes")
    if not isinstance(pairs, dict) or not pairs or not all(isinstance(one, str) for one in pairs.values()):
        raise ValueError(
            f'class map {path}: expected a table [classes] of lines "source class" = "target class"'
        )
    sets = [data.get(key, []) for key in ("source", "target")]
    if not all(isinstance(one, list) and all(isinstance(name, str) for name in one) for one in sets):
        raise ValueError(f"class map {path}: source and target are lists of names of data sets")
    return ClassMap(path.stem, pairs, *map(tuple, sets))
