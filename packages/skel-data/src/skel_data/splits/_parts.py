"""Lists of names that are the parts of splits, as files of many tools have them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from attrs import define

from skel_data._words import counted

TRAIN, VALIDATION, TEST = "train", "val", "test"

_WORDS = {
    **dict.fromkeys(("train", "training", "trainset"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "valset", "devset"), VALIDATION),
    **dict.fromkeys(("test", "testing", "testset", "eval", "evaluation"), TEST),
}
_MOST_SHOWN = 8


def part_of(name: str) -> tuple[str, str] | None:
    """Split and part that the name of a list tells: ("xsub", "train") for ``xsub_training``, or None."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Za-z])", "_", name).lower()
    tokens = [word for word in re.split(r"[\W_]+", words) if word]
    found = [at for at, word in enumerate(tokens) if word in _WORDS]
    if len(found) == 1:
        at = found[0]
        rest = [word for word in tokens[:at] + tokens[at + 1 :] if word not in ("set", "split", "list")]
        return "_".join(rest), _WORDS[tokens[at]]
    match = re.fullmatch(r"(\w+?)(train|val|test)", name.lower())  # as in xsubtrain
    return (match[1].strip("_"), _WORDS[match[2]]) if match and not found else None


@define(frozen=True)
class Parts:
    """Splits that lists of names make.

    Attributes:
        splits: For each split, the parts that each clip is listed in: 1 train, 2 test.
        notes: What a user should know of the lists, a sentence each.
    """

    splits: dict[str, dict[str, set[int]]]
    notes: tuple[str, ...]


def parts_of(lists: Mapping[str, Iterable[str]], clips: Sequence[str]) -> Parts:
    """Splits of lists of clips, by the lists' names.

    ``xsub_train`` and ``xsub_val`` are the parts of ``xsub``, ``train1`` and ``testing1`` of ``1``. Where
    there are three parts, the split is train and test; train and validation are a second one, whose name
    ends in ``-val``. A name in a list is a clip's with or without its folder and suffix.

    Args:
        lists: Names of clips by the name of the list.
        clips: Names of the clips there are.

    Raises:
        ValueError: If no two lists are the parts of a split, or a list has names, none of which is a clip's.
    """
    counts = {name: len(list(names)) for name, names in lists.items()}
    found: dict[str, dict[str, list[str]]] = {}
    for name in lists:
        if told := part_of(name):
            found.setdefault(told[0], {}).setdefault(told[1], []).append(name)
    groups = {
        split: parts for split, parts in found.items() if TRAIN in parts and {VALIDATION, TEST} & parts.keys()
    }
    if counts and not groups:
        raise ValueError(
            f"the lists {_shown(counts)} are no split: expected train and test, or train and val, with "
            "or without the split's name, such as xsub_train and xsub_test; rename them"
        )
    used = {name for parts in groups.values() for names in parts.values() for name in names}
    notes = [
        f"list {name!r} ({counted(counts[name], 'clip')}) is not used" for name in counts if name not in used
    ]
    matched, absent = _match({name: lists[name] for name in used}, clips)
    for name in sorted(used):
        if absent[name] == counts[name] > 0:
            raise ValueError(
                f"none of the {counted(counts[name], 'name')} in list {name!r} is a clip's, "
                f"such as {min(lists[name])!r}; the clips are called {', '.join(map(repr, clips[:3]))}"
            )
        if absent[name]:
            of, are = counted(counts[name], "name"), "is" if absent[name] == 1 else "are"
            notes.append(f"list {name!r}: {absent[name]} of {of} {are} not among the clips")
    splits: dict[str, dict[str, set[int]]] = {}
    for split, parts in groups.items():
        tests = [kind for kind in (TEST, VALIDATION) if kind in parts]
        for kind in tests:
            name = (split or "listed") + ("-val" if kind != tests[0] else "")
            codes = splits.setdefault(name, {})
            for code, part in ((1, TRAIN), (2, kind)):
                for clip in (clip for key in parts[part] for clip in matched[key]):
                    codes.setdefault(clip, set()).add(code)
        if len(tests) > 1:
            notes.append(f"split {split or 'listed'!r} tests the part test, {name!r} the part val")
    for name, codes in splits.items():
        if left := len(set(clips) - set(codes)):
            of, are = counted(len(set(clips)), "clip"), "is" if left == 1 else "are"
            notes.append(f"split {name!r}: {left} of {of} {are} in none of its lists")
    return Parts(splits, tuple(notes))


def _match(
    lists: Mapping[str, Iterable[str]], clips: Sequence[str]
) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Clips that each list names, and how many of its names are no clip's."""
    known = set(clips)
    short: dict[str, str] = {}
    for clip in () if all(map(known.issuperset, lists.values())) else known:
        for key in _short(clip):
            short[key] = "" if short.get(key, clip) != clip else clip  # "": more than one
    matched: dict[str, set[str]] = {}
    absent: dict[str, int] = {}
    for key, names in lists.items():
        own = [
            name if name in known else next(filter(None, (short.get(form) for form in _short(name))), None)
            for name in names
        ]
        matched[key] = {clip for clip in own if clip is not None}
        absent[key] = own.count(None)
    return matched, absent


def _short(name: str) -> list[str]:
    """A name, then without its suffix, its folder, and both."""
    path = PurePosixPath(name)
    bare = re.sub(r"\.[A-Za-z]\w{0,8}$", "", name)
    return [name, bare, path.name, re.sub(r"\.[A-Za-z]\w{0,8}$", "", path.name)]


def _shown(counts: Mapping[str, int]) -> str:
    shown = [f"{name!r} ({counted(count, 'clip')})" for name, count in list(counts.items())[:_MOST_SHOWN]]
    return ", ".join(shown) + (", ..." if len(counts) > _MOST_SHOWN else "")
