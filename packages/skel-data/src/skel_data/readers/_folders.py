"""Class, subject and part of the split from folder names, found or by patterns of paths."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from attrs import define, field

from skel_data.splits._parts import TRAIN, part_of

_SUBJECT = re.compile(r"(?:s|subj|subject|p|person|participant|actor|user|player)[ _-]?\d+", re.IGNORECASE)
_MOST_SHOWN = 5

NONE = "none"
"""Instead of a pattern: folder names have no meaning."""


@define(frozen=True)
class Patterns:
    """Patterns of paths, in which ``{}`` stands for what they tell; if all are None it is found.

    In a pattern ``*`` is anything within one name. It must match the end of a path without the suffix:
    ``{}/*/*`` tells the folder above the folder of a file, ``*_{}_*`` a part of the file's name.

    Attributes:
        classes: Where the class is.
        subjects: Where the subject is.
        split: Where the part of the split is, such as train and test.
    """

    classes: str | None = None
    subjects: str | None = None
    split: str | None = None

    def __bool__(self) -> bool:
        return any(pattern is not None for pattern in (self.classes, self.subjects, self.split))


@define(frozen=True)
class Told:
    """What paths tell: a word for each path, by path; empty where they tell nothing.

    Attributes:
        classes: The class of each.
        subjects: The subject.
        parts: The part of the split.
        notes: How that was found, a sentence each.
    """

    classes: dict[str, str] = field(factory=dict)
    subjects: dict[str, str] = field(factory=dict)
    parts: dict[str, str] = field(factory=dict)
    notes: tuple[str, ...] = ()


def tell(paths: Mapping[str, str] | Sequence[str], patterns: Patterns) -> Told:
    """What paths tell.

    Without patterns, folders that all paths share have no meaning. The first other folder is the part of the
    split if all of them have names of parts (train, test, ...). Then one level of folders is the class, or
    the subject if all have names of subjects (``S01``, ``subject 3``); of two levels one must be subjects.
    The last of several levels is ignored if each file has a folder of its own name there.

    Args:
        paths: Paths of files; or, for each key, the path whose folders count.
        patterns: How to take them apart.

    Raises:
        ValueError: If a pattern does not match a path, or the levels of folders are not plain.
    """
    by = dict(paths) if isinstance(paths, Mapping) else {path: path for path in paths}
    if patterns:
        found = [
            {key: _captured(pattern, path) for key, path in by.items()} if pattern not in (None, NONE) else {}
            for pattern in (patterns.classes, patterns.subjects, patterns.split)
        ]
        return Told(found[0], found[1], found[2])
    levels = {key: list(PurePosixPath(path).parent.parts) for key, path in by.items()}
    while levels and all(levels.values()) and len({own[0] for own in levels.values()}) == 1:
        levels = {key: own[1:] for key, own in levels.items()}
    depths = sorted({len(own) for own in levels.values()})
    if len(depths) != 1 or depths == [0]:
        mixed = f"folder names give no classes, as files lie {' and '.join(map(str, depths))} folders deep"
        return Told(notes=(mixed,) if len(depths) > 1 else ())
    parts: dict[str, str] = {}
    notes = []
    if _are_parts({own[0] for own in levels.values()}):
        parts = {key: own[0] for key, own in levels.items()}
        levels = {key: own[1:] for key, own in levels.items()}
        notes.append(f"the first folder is the part of the split: {_names(parts.values())}")
    levels = _plain(levels)
    depth = len(next(iter(levels.values())))
    columns = [{key: own[level] for key, own in levels.items()} for level in range(depth)]
    columns = [column for column in columns if len(set(column.values())) > 1]
    people = [column for column in columns if all(_SUBJECT.fullmatch(name) for name in column.values())]
    others = [column for column in columns if column not in people]
    if len(people) > 1 or len(others) > 1:
        shown = " above ".join(_names(column.values()) for column in columns)
        raise ValueError(
            f"the folders do not tell which are the classes: {shown}; say it with classes_from (in a "
            f"command: --classes-from '{{}}{'/*' * len(columns)}'), subjects_from and split_from, "
            f"or classes_from={NONE!r} for no classes"
        )
    if people:
        notes.append(f"folders are subjects: {_names(people[0].values())}")
    return Told(others[0] if others else {}, people[0] if people else {}, parts, tuple(notes))


def _plain(levels: dict[str, list[str]]) -> dict[str, list[str]]:
    """Levels without those at the end in which each file has a folder of another name, down to one level."""
    while all(len(own) > 1 for own in levels.values()):
        names = Counter(own[-1] for own in levels.values())
        if max(names.values()) > 1 or all(map(_SUBJECT.fullmatch, names)):
            break
        levels = {key: own[:-1] for key, own in levels.items()}
    return levels


def _are_parts(names: set[str]) -> bool:
    told = [part_of(name) or ("no part", "") for name in names]
    kinds = {part for _, part in told}
    return not any(split for split, _ in told) and TRAIN in kinds and len(kinds) > 1


def _captured(pattern: str | None, path: str) -> str:
    text = str(pattern)
    if text.count("{}") != 1:
        raise ValueError(f"pattern {text!r} must have {{}} once, where the word is, such as '{{}}/*/*'")
    pieces = re.split(r"(\*|\{\})", text.lstrip("/"))
    regex = "".join({"*": r"[^/]*?", "{}": r"([^/]+?)"}.get(piece, re.escape(piece)) for piece in pieces)
    bare = re.sub(r"\.[A-Za-z]\w{0,8}$", "", path)
    match = re.fullmatch(("" if text.startswith("/") else "(?:.*/)?") + regex, bare)
    if match is None:
        raise ValueError(f"pattern {text!r} does not match {bare!r}")
    return match[1]


def _names(names: Iterable[str]) -> str:
    different = sorted(set(names))
    return ", ".join(different[:_MOST_SHOWN]) + (", ..." if len(different) > _MOST_SHOWN else "")
