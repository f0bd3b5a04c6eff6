"""Kinetics-skeleton (Yan et al., AAAI 2018): one JSON file a clip, and a label file for each part.

A clip is ``{"data": [{"frame_index": 1, "skeleton": [{"pose": [x, y, ...], "score": [...]}]}], "label": name,
"label_index": number}``, with 18 joints of OpenPose; x and y are shares of the image's width and height.
``kinetics_train_label.json``, within the source or beside it, has ``{clip: {"has_skeleton": true, "label":
name, "label_index": number}}`` and comes before what a clip says itself. Files below, or in, a folder such as
``kinetics_train`` or ``kinetics_val`` are of that part, which is the listed split.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import define, evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, find_each, read_json
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import Person, brief, make_clip, numbers
from skel_data.store._info import DatasetInfo

LABELS = "_label.json"
_PART = re.compile(r"(?:^|_)(?:(train)|val|test)(?:$|_)", re.IGNORECASE)
_NAME = re.compile(rb'"label"\s*:\s*("(?:[^"\\]|\\.)*")')
_INDEX = re.compile(rb'"label_index"\s*:\s*(-?\d{1,9})\b')
_MOST_CLASSES = 10_000


@define(frozen=True)
class About:
    """What is known of a clip besides its frames.

    Attributes:
        index: Number of its class, -1 unknown.
        label: Name of its class.
        empty: Whether the label file says that nobody was found in it.
    """

    index: int = -1
    label: str = ""
    empty: bool = False


def parse(name: str, data: bytes, label: int, split: int) -> Clip:
    """Make a clip of one file; nobody in it is an error."""
    content = read_json(data)
    items = content.get("data") if isinstance(content, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("no list of frames under the key 'data'")
    frames: dict[int, list[Person]] = {}
    for item in items:
        number, people = item.get("frame_index"), item.get("skeleton", [])
        if type(number) is not int or number in frames:
            raise ValueError(f"frame_index must be a whole number, each once, not {brief(number)}")
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise ValueError(f"frame {number}: no list of people under the key 'skeleton'")
        frames[number] = [_person(person) for person in people]
    return evolve(make_clip(name, label, frames), split=split)


def _person(person: dict[str, Any]) -> Person:
    pose, score = numbers(person.get("pose"), 1, "pose"), numbers(person.get("score"), 1, "score")
    if len(pose) != 2 * len(score):
        raise ValueError(f"{counted(len(pose), 'number')} in pose for {counted(len(score), 'score')}")
    return Person(np.column_stack([pose.reshape(-1, 2), score]))


def _label_files(source: Source) -> dict[str, About]:
    """What label files say of each clip: those in the source, else those beside it."""
    files = source if any(path.endswith(LABELS) for path in _json(source)) else None
    if files is None and source.path.is_dir():
        beside = source.path.resolve().parent / f"{source.name}{LABELS}"
        files = Source(beside) if beside.is_file() else None
    found: dict[str, About] = {}
    for entry in files or ():
        if isinstance(entry, BadFile) or not entry[0].lower().endswith(LABELS):
            continue
        content = read_json(entry[1]())
        if not isinstance(content, dict) or not all(isinstance(about, dict) for about in content.values()):
            raise ValueError(f"{entry[0]}: expected {{clip: {{'label': ..., 'label_index': ...}}}}")
        for name, about in content.items():
            index = about.get("label_index")
            if type(index) is not int or not 0 <= index < _MOST_CLASSES:
                raise ValueError(f"{entry[0]}: {brief(name)} has no label_index")
            found[name] = About(index, str(about.get("label", index)), about.get("has_skeleton") is False)
    return found


def _json(source: Source) -> list[str]:
    return [path for path in source.paths() if path.lower().endswith(".json")]


def _own_labels(source: Source) -> dict[str, About]:
    """What each clip says itself; the frames are not parsed for it."""
    found = {}
    for entry in source:
        if isinstance(entry, BadFile) or not entry[0].lower().endswith(".json"):
            continue
        try:
            data = entry[1]()
            name, index = _NAME.search(data), _INDEX.search(data)
            if index is not None and 0 <= int(index[1]) < _MOST_CLASSES:
                label = str(json.loads(name[1])) if name else index[1].decode()
                found[PurePosixPath(entry[0]).stem] = About(int(index[1]), label)
        except ValueError:  # reported when it is imported
            continue
    return found


def _classes(about: Mapping[str, About]) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for clip, facts in about.items():
        if names.setdefault(facts.index, facts.label) != facts.label:
            raise ValueError(
                f"clip {clip!r}: class {facts.index} is {facts.label!r}, "
                f"but {names[facts.index]!r} in another clip"
            )
    return tuple(names.get(index, str(index)) for index in range(max(names, default=-1) + 1))


def _find(source: Source, about: Mapping[str, About]) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".json", parse, later=True):
        if work.name.lower().endswith(LABELS):
            continue
        facts = about.get(PurePosixPath(work.name).stem, About())
        if facts.empty:
            yield BadFile(work.name, "the label file says that it has no skeleton", listed=True)
        elif isinstance(work, Work):
            parts = [_PART.search(folder) for folder in (source.name, *PurePosixPath(work.name).parts[:-1])]
            part = next((match for match in reversed(parts) if match), None)
            split = 0 if part is None else 1 if part[1] else 2
            yield evolve(work, args=(*work.args, facts.index, split))
        else:
            yield work


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    about = _label_files(source) or _own_labels(source)
    layout = get_layout("openpose-18") if layout is None else evolve(layout, confidence=True)
    return DatasetInfo(layout, _classes(about), "image"), lambda files: _find(files, about)


KINETICS = Reader("kinetics-skeleton", None, None, (), None, ".json", units="image", describe=_describe)
