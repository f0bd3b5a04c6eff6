"""The joint layout of a recording, and its text as TOML."""

import json
from collections.abc import Sequence
from pathlib import Path

from skel_data._layout import SkeletonLayout, get_layout, layout_names
from skel_data.readers._reader import Work, find_each
from skel_data.readers._source import Source
from skel_data.readers.mocap._bvh import BVH
from skel_data.readers.mocap._c3d import parse, parse_c3d
from skel_data.store._store import Store

_WIDTH = 100


def layout_of(source: str | Path) -> SkeletonLayout:
    """The joint layout of a recording: the tree of BVH files, or the markers of a C3D file.

    Markers have no bones: all of them are children of the first, to be edited.

    Args:
        source: A file or a folder of them, a store, or the name of a preset or of a TOML file.

    Raises:
        ValueError: If it tells no layout.
        FileNotFoundError: If there is nothing there.
    """
    path = Path(source)
    if str(source) in layout_names() or path.suffix == ".toml":
        return get_layout(source)
    if (path / "header.json").is_file():
        return Store.open(path).layout
    files = Source(path)
    for suffix in (".bvh", ".c3d"):
        for work in find_each(files, suffix, parse):
            if not isinstance(work, Work):
                continue
            if suffix == ".bvh":
                return BVH.open(files)[0].layout
            labels = [label.rpartition(":")[2] for label in parse_c3d(work.args[1])[0]]
            joints = [label for label in dict.fromkeys(labels) if label and labels.count(label) == 1]
            bones = [[joint, joints[0]] for joint in joints[1:]]
            return SkeletonLayout.from_dict({"name": path.stem, "joints": joints, "bones": bones})
    raise ValueError(f"{files.name}: no .bvh and no .c3d file in it, and no store: nothing that tells joints")


def layout_toml(layout: SkeletonLayout) -> str:
    """The text of a layout as a TOML file, which `get_layout` reads.

    >>> from skel_data import get_layout
    >>> layout_toml(get_layout("ntu-25")).splitlines()[0]
    'name = "ntu-25"'
    """
    about = layout.to_dict()
    lines = [
        f"{key} = {_value(about[key])}" for key in ("name", "dims", "confidence", "joints", "center", "bones")
    ]
    lines += [
        f"{key} = {_value(about[key])}" for key in ("mirror", "shoulders", "hips", "across") if key in about
    ]
    lines += [
        "",
        "[parts]",
        *(f"{json.dumps(part)} = {_value(joints)}" for part, joints in about["parts"].items()),
    ]
    notes = {"bones": "[child, parent]", "mirror": "[left, right]", "shoulders": "[left, right]"}
    for at, line in enumerate(lines):
        if note := notes.get(line.partition(" = ")[0]):
            first, brake, rest = line.partition("\n")
            lines[at] = f"{first}  # {note}{brake}{rest}"
    return "\n".join(lines).rstrip() + "\n"


def _value(value: object) -> str:
    """A value as TOML; the texts of JSON are those of TOML."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    items = [_value(item) for item in value]
    if sum(map(len, items)) < _WIDTH:
        return f"[{', '.join(items)}]"
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) > _WIDTH:
            lines.append("")
        lines[-1] += f"{item}, "
    return "[\n" + "".join(f"    {line.rstrip()}\n" for line in lines) + "]"
