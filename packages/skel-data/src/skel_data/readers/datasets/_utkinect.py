"""UTKinect-Action3D (Xia, Chen, Aggarwal, CVPR workshops 2012): untrimmed streams and a label file.

A stream ``joints_s01_e01.txt`` has one row per frame: the frame's number, then x y z of 20 joints in
metres. Frame numbers have gaps and may repeat; rows with the same number are all kept. A label file
has a line ``s01_e01`` for each stream, then lines ``walk: 252 390``: an action, its first and last frame
number. Every such segment is a clip, ``s01_e01_walk``; or, untrimmed, an interval of ``s01_e01``.

Copies of the set come with two label files. ``actionLabel_modified.txt`` is taken where the source
has it and it can be read, else ``actionLabel.txt``. The first corrects seven lines of the second, which has
one segment ten times too long and some that overlap. ``carry`` of s10_e02 is ``NaN NaN`` in both: 199
clips, and one that is reported as bad.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from skel_data._clip import BadFile, Clip
from skel_data.readers._reader import Reader, Work, find_each, match_name
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import frame_numbers, read_table

_LABEL_FILES = ("actionlabel_modified.txt", "actionlabel.txt")  # the first that a source has is taken
_STREAM = re.compile(r"s(\d\d)_e(\d\d)")
_STREAM_FILE = re.compile(r"joints_(s\d\d_e\d\d)")
_SEGMENT = re.compile(r"(\w+)\s*:\s*(\S+)\s+(\S+)")
_NUMBER = re.compile(r"[0-9]{1,9}")
_JOINTS = 20

_CLASSES = {
    "walk": "walk", "sitDown": "sit down", "standUp": "stand up", "pickUp": "pick up", "carry": "carry",
    "throw": "throw", "push": "push", "pull": "pull", "waveHands": "wave hands", "clapHands": "clap hands",
}  # fmt: skip
_LABELS = {action: label for label, action in enumerate(_CLASSES)}

Segment = tuple[str, str, str]
"""Action, and first and last frame number as the label file has them."""


def parse_labels(data: bytes) -> tuple[dict[str, list[Segment]], list[str]]:
    """Segments of each stream in a label file, in the order of the file, and what is wrong with other lines.

    Segments after a line that is not understood are not taken, up to the next stream: it may have been the
    name of theirs.
    """
    segments: dict[str, list[Segment]] = {}
    problems = []
    stream = ""
    for number, line in enumerate(data.decode("latin-1").split("\n"), 1):
        text = line.strip()
        match = _SEGMENT.fullmatch(text)
        if _STREAM.fullmatch(text):
            stream = text
            segments.setdefault(stream, [])
        elif match is not None and stream:
            segments[stream].append((match[1], match[2], match[3]))
        elif text:
            stream = ""
            problems.append(
                f"line {number}: {text[:80]!r}, expected s{{SS}}_e{{EE}} or, after it, walk: 252 390"
            )
    return segments, problems


def parse(
    name: str, data: bytes, segments: list[Segment], *, untrimmed: bool = False
) -> list[Clip | BadFile]:
    """Cut a stream into a clip for each segment; a segment that cannot be cut out is a `BadFile`.

    Untrimmed, the stream is kept whole, and each segment is an interval of it.
    """
    subject, episode = map(int, match_name(_STREAM, name, "s{SS}_e{EE}").groups())
    damaged: list[str] = []
    rows = read_table(data, 1 + 3 * _JOINTS, damaged=damaged)
    frames = frame_numbers(rows[:, 0])
    positions = rows[:, 1:].reshape(-1, 1, _JOINTS, 3)
    found: list[Clip | BadFile] = [BadFile(name, f"{reason}; the frame is missing") for reason in damaged]
    intervals: list[tuple[int, int, int]] = []
    for action, first, last in segments:
        clip_name = f"{name}_{action}"
        try:
            if action not in _LABELS:
                raise ValueError(f"action {action!r}, the set has {', '.join(_LABELS)}")
            inside = _inside(frames, first, last)
            if not untrimmed:
                clip = Clip(positions[inside], clip_name, _LABELS[action], subject, replication=episode)
                found.append(clip)
                continue
            own = np.flatnonzero(inside)
            if own[-1] - own[0] >= len(own):
                raise ValueError(f"frames {first} to {last} do not lie together in the stream")
            intervals.append((_LABELS[action], int(own[0]), int(own[-1]) + 1))
        except ValueError as error:
            found.append(BadFile(clip_name, str(error)))
    if untrimmed:
        found.append(Clip(positions, name, subject=subject, replication=episode, intervals=intervals))
    return found


def _inside(frames: np.ndarray, first: str, last: str) -> np.ndarray:
    """Which rows a segment holds."""
    if not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(last)):
        raise ValueError(f"labelled from frame {first} to {last}, expected two frame numbers")
    start, stop = int(first), int(last)
    if not frames.min() <= start <= stop <= frames.max():
        raise ValueError(
            f"labelled from frame {start} to {stop}, the stream has {frames.min()} to {frames.max()}"
        )
    inside: np.ndarray = (frames >= start) & (frames <= stop)
    if not inside.any():
        raise ValueError(f"labelled from frame {start} to {stop}, but the stream has no frame there")
    return inside


def _find(source: Source, untrimmed: bool = False) -> Iterator[Work | BadFile]:
    texts: dict[str, tuple[str, bytes]] = {}
    for entry in source:  # the labels first: an archive may hold them after the streams
        if isinstance(entry, BadFile):
            continue  # reported when the streams are read
        path, read = entry
        kind = PurePosixPath(path).name.lower()
        if kind in _LABEL_FILES and kind not in texts:
            try:
                texts[kind] = path, read()
            except ValueError as error:
                yield BadFile(path, str(error))
    labels: dict[str, list[Segment]] = {}
    label_file = " or ".join(_LABEL_FILES)
    for kind in _LABEL_FILES:
        if kind in texts and not labels:
            label_file, text = texts[kind]
            labels, problems = parse_labels(text)
            problems += [] if labels else ["no stream such as s01_e01 in it"]
            yield from (BadFile(label_file, problem) for problem in problems)
    seen = set()
    for share in find_each(source, ".txt", parse):
        file = PurePosixPath(share.name).name
        if file.lower() in _LABEL_FILES:
            continue
        if isinstance(share, Work):
            match = _STREAM_FILE.fullmatch(share.args[0])
            name = match[1] if match else ""
            seen.add(name)
            if match is None:
                yield BadFile(share.name, "unexpected name, expected joints_s{SS}_e{EE}.txt")
            elif name not in labels:
                yield BadFile(share.name, f"no labels of {name} in {label_file}")
            else:
                take = partial(parse, untrimmed=True) if untrimmed else parse
                yield Work(share.name, take, (name, share.args[1], labels[name]))
        else:
            seen.add(file[len("joints_") : -len(".txt")])
            yield share
    for name in labels:
        if name not in seen:
            yield BadFile(name, f"labelled in {label_file}, but there is no joints_{name}.txt")


UTKINECT = Reader(
    "utkinect",
    "utkinect",
    "kinect-20",
    tuple(_CLASSES.values()),
    _find,
    ".txt",
    default_split="xsub",
    untrimmed=partial(_find, untrimmed=True),
)
