"""Clips that are kept as one file a frame."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath

from skel_data._clip import BadFile, Clip
from skel_data.readers._reader import Work
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import folder_labels

Frame = tuple[str, int, Callable[[], bytes]]
"""Path, number and content of a frame's file."""

Key = Callable[[str], tuple[str, int] | None]
"""Gives the clip and the number of a frame by the path of its file, and None for another file."""

_NUMBER = re.compile(r"(.*?)[_.\- ]?(\d{1,18})")


def numbered(path: str, suffix: str) -> tuple[str, int] | None:
    """Folder and stem of a file such as ``clip/name_0012.json``, and the last number in its name."""
    folder, slash, name = path.rpartition("/")
    if not name.lower().endswith(suffix):
        return None
    match = _NUMBER.fullmatch(name[: -len(suffix)])
    return None if match is None else (folder + slash + (match[1] or "_"), int(match[2]))


def clip_name(clip: str, source: Source) -> str:
    """A name for the clip: that of its files, else of its folder, else of the source."""
    path = PurePosixPath(clip)
    return path.name if path.name != "_" else path.parent.name or PurePosixPath(source.name).stem


def frame_labels(clips: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Label of each clip by its folder or, where each folder holds one clip, by the folder around it."""
    folders = {clip: str(PurePosixPath(clip).parent) for clip in clips}
    if len(set(folders.values())) < len(clips):
        return folder_labels(list(clips))
    labels, classes = folder_labels(list(folders.values()))
    return {clip: labels[folder] for clip, folder in folders.items() if labels}, classes


def frame_folders(source: Source, key: Key) -> dict[str, str]:
    """Path of each clip, without its own folder where each has one: what tells its class."""
    clips = clips_in(source, key)
    own = {clip: PurePosixPath(clip).parent for clip in clips}
    if len(set(own.values())) < len(clips):
        return {clip: clip for clip in clips}
    return {clip: str(folder) for clip, folder in own.items()}


def clips_in(source: Source, key: Key) -> dict[str, int]:
    """The clips of a source, and how many frames each has."""
    found = map(key, source.paths())
    return Counter(clip for clip, _ in filter(None, found))


def find_frames(
    source: Source,
    key: Key,
    parse: Callable[..., Iterator[Clip | BadFile]],
    *more: object,
) -> Iterator[Work | BadFile]:
    """One share of work for each clip: `parse` of its name, its label, its frames, and `more`.

    A clip is given when its last file has come, as files of several clips may come in turns.
    """
    left = clips_in(source, key)
    labels, _ = frame_labels(list(left))
    frames: dict[str, list[Frame]] = {}
    for entry in source:
        if isinstance(entry, BadFile):
            yield entry
            continue
        path, read = entry
        found = key(path)
        if found is None:
            continue
        clip, number = found
        left[clip] -= 1
        frames.setdefault(clip, []).append((path, number, read if source.in_any_order else _now(read)))
        if left[clip] == 0:
            name = clip_name(clip, source)
            yield Work(clip, parse, (name, labels.get(clip, -1), frames.pop(clip), *more))


def _now(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """What gives the same as `read`, later."""
    try:
        return partial(bytes, read())
    except ValueError as error:
        return partial(_fail, str(error))


def _fail(reason: str) -> bytes:
    raise ValueError(reason)
