"""NTU RGB+D (Shahroudy et al., CVPR 2016): one text file a clip, ``S001C001P001R001A001.skeleton``.

A file holds the number of frames; per frame the number of bodies; per body a line of ten fields
that starts with its id, the number of joints, and a line of twelve fields per joint that starts
with x y z in metres.
"""

import re
from collections.abc import Iterator

import numpy as np

from skel_data._clip import BadFile, Clip
from skel_data._source import Source
from skel_data.readers._reader import Reader, Work, find_each

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_JOINTS = 25
_FIELDS = 12
_FAR = 1e6  # metres
_MOST_BODIES = 16  # the sensor follows six; more than this is no recording

_CLASSES = (
    "drink water", "eat meal/snack", "brushing teeth", "brushing hair", "drop", "pickup", "throw",
    "sitting down", "standing up (from sitting position)", "clapping", "reading", "writing",
    "tear up paper", "wear jacket", "take off jacket", "wear a shoe", "take off a shoe",
    "wear on glasses", "take off glasses", "put on a hat/cap", "take off a hat/cap", "cheer up",
    "hand waving", "kicking something", "reach into pocket", "hopping (one foot jumping)",
    "jump up", "make a phone call/answer phone", "playing with phone/tablet",
    "typing on a keyboard", "pointing to something with finger", "taking a selfie",
    "check time (from watch)", "rub two hands together", "nod head/bow", "shake head", "wipe face",
    "salute", "put the palms together", "cross hands in front (say stop)", "sneeze/cough",
    "staggering", "falling", "touch head (headache)", "touch chest (stomachache/heart pain)",
    "touch back (backache)", "touch neck (neckache)", "nausea or vomiting condition",
    "use a fan (with hand or paper)/feeling warm", "punching/slapping other person",
    "kicking other person", "pushing other person", "pat on back of other person",
    "point finger at the other person", "hugging other person", "giving something to other person",
    "touch other person's pocket", "handshaking", "walking towards each other",
    "walking apart from each other",
)  # fmt: skip


def parse(name: str, data: bytes, classes: int = len(_CLASSES)) -> Clip:
    """Make a clip of one file: slots are the bodies of a frame in the order of the file, tracks their ids.

    Any coordinate that is not finite makes the file bad; so does a file without any body.

    Args:
        name: Name of the file without suffix.
        data: Its content.
        classes: Classes of the set.

    Raises:
        ValueError: With the reason, if it is not a recording of this set.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError("unexpected name, expected SsssCcccPpppRrrrAaaa.skeleton")
    setup, view, subject, replication, action = map(int, match.groups())
    positions, tracks = parse_text(data)
    if not 1 <= action <= classes:
        raise ValueError(f"action A{action:03}, the set has A001 to A{classes:03}")
    return Clip(positions, name, action - 1, subject, view, setup, replication, tracks=tracks)


def parse_text(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (T, M, 25, 3), zero for absent bodies, and body ids (T, M) of one file.

    Raises:
        ValueError: With the reason and the line, if the text is malformed.
    """
    lines = data.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    frames = _count(lines, 0, "number of frames")
    if not 1 <= frames <= len(lines):
        raise ValueError(
            f"cut off: {frames} frames announced, {len(lines)} lines in the file" if frames else "no frame"
        )
    at, bodies, joint_lines = 1, [], []
    where: list[tuple[int, int, int]] = []
    for frame in range(frames):
        count = _count(lines, at, f"number of bodies of frame {frame + 1} of {frames}")
        if count > _MOST_BODIES:
            raise ValueError(f"line {at + 1}: {count} bodies, at most {_MOST_BODIES} are credible")
        at += 1
        for slot in range(count):
            header = lines[at].split() if at < len(lines) else []
            joints = _count(lines, at + 1, f"number of joints in frame {frame + 1} of {frames}")
            if joints != _JOINTS:
                raise ValueError(f"line {at + 2}: {joints} joints, expected {_JOINTS}")
            if len(header) != 10 or not header[0].isdigit() or len(header[0]) > 18:
                raise ValueError(f"line {at + 1}: not a body: expected 10 fields that start with its id")
            where.append((frame, slot, int(header[0])))
            at += 2
            joint_lines += lines[at : at + _JOINTS]
            at += _JOINTS
        bodies.append(count)
    if at != len(lines):
        raise ValueError(
            f"cut off in the last frame: {at} lines expected, {len(lines)} found"
            if at > len(lines)
            else f"{len(lines) - at} lines after the last of {frames} frames"
        )
    if not where:
        raise ValueError("no body in any frame")
    frame_index, slot_index, ids = np.array(where, dtype=np.int64).T
    positions = np.zeros((frames, max(bodies), _JOINTS, 3), np.float32)
    positions[frame_index, slot_index] = _coordinates(joint_lines).reshape(-1, _JOINTS, 3)
    tracks = np.zeros(positions.shape[:2], np.int64)
    tracks[frame_index, slot_index] = ids
    return positions, tracks


def _count(lines: list[bytes], at: int, what: str) -> int:
    if at >= len(lines):
        raise ValueError(f"cut off: the file ends before the {what}")
    text = lines[at].strip()
    if not text.isdigit() or len(text) > 9:
        raise ValueError(f"line {at + 1}: expected the {what}, found {text[:40]!r}")
    return int(text)


def _coordinates(lines: list[bytes]) -> np.ndarray:
    """X y z of the joint lines (n, 3)."""
    text = b" ".join(lines)
    if text.count(b" ") != _FIELDS * len(lines) - 1:  # not one space between any two fields: look closer
        for line in lines:
            if len(line.split()) != _FIELDS:
                raise ValueError(f"not a joint: expected {_FIELDS} fields, found {line.strip()[:120]!r}")
    fields: list[bytes] = []
    for line in lines:
        fields += line.split(None, 3)[:3]
    if len(fields) != 3 * len(lines) or b"_" in text:
        raise ValueError("a joint has fewer than 3 numbers")
    try:
        values = np.array(list(map(float, fields))).reshape(-1, 3)
    except ValueError as error:
        raise ValueError(f"a coordinate is not a number: {error}") from error
    if not (np.abs(values) < _FAR).all():
        raise ValueError(f"a coordinate is not finite or far off: {values[~(np.abs(values) < _FAR)][0]}")
    return values


def _find(source: Source) -> Iterator[Work | BadFile]:
    return find_each(source, ".skeleton", parse)


NTU60 = Reader("ntu60", "ntu60", "ntu-25", _CLASSES, _find, ".skeleton", default_split="xsub")
