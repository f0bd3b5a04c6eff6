"""Acclaim motion capture: a skeleton (``.asf``) and motions of it (``.amc``), and where the joints are.

A skeleton says of each bone its direction and length at rest, the axes it turns about and which turns are
free. A motion says for each frame where the root is and how far each bone has turned. A joint is the far
end of the bone of the same name; the root is a joint of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import PurePosixPath

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._words import counted
from skel_data.readers._reader import Work, find_each
from skel_data.readers._source import Source
from skel_data.readers.mocap._asf import INCH, Skeleton, parse_asf
from skel_data.readers.mocap._kinematics import Floats, forward, row_numbers, text_of, turn

Ints = NDArray[np.int64]


def pose(skeleton: Skeleton, motion: Floats) -> Floats:
    """Positions (T, V, 3) of the bones' ends, in the unit of the file.

    Args:
        skeleton: The bones.
        motion: A column for each channel (T, sum of channels), angles in radians, as `parse_amc` gives it.
    """
    frames, count = len(motion), len(skeleton.bones)
    turns, steps = np.empty((frames, count, 3, 3)), np.tile(skeleton.offsets, (frames, 1, 1))
    column = 0
    for bone, channels in enumerate(skeleton.channels):
        values = {channel: motion[:, column + i] for i, channel in enumerate(channels)}
        column += len(channels)
        order = [axis for axis in reversed(skeleton.orders[bone]) if "r" + axis in values]
        own = turn([values["r" + axis] for axis in order], "".join(order))
        turns[:, bone] = skeleton.axes[bone] @ own @ skeleton.axes[bone].T
        for i, axis in enumerate("xyz"):
            if "t" + axis in values:
                steps[:, bone, i] = values["t" + axis]
    return forward(skeleton.parents, turns, steps, range(count))


def parse_amc(data: bytes, skeleton: Skeleton, damaged: list[str] | None = None) -> Floats:
    """Read a motion of a skeleton.

    A bone that a frame leaves out is not turned there. Only the last frame may not have fewer bones than
    the one before: that is how a file that is cut off looks.

    Args:
        data: Content of the file.
        skeleton: The bones.
        damaged: Takes what is wrong with the numbers of a frame, which is NaN then, if most are good. None:
            it is an error.

    Returns:
        A column for each channel of each bone (T, sum of channels): radians, and the unit of the file.

    Raises:
        ValueError: With the line and the reason, if the text is not a motion of this skeleton.
    """
    bones = {name.encode(): bone for bone, name in enumerate(skeleton.bones)}
    sizes = [len(channels) for channels in skeleton.channels]
    degrees = skeleton.degrees
    numbers: list[int] = []  # of the frames
    where: list[int] = []  # bone and frame of each row, as one number
    rows: list[list[bytes]] = []
    lines: list[int] = []
    bad: dict[int, str] = {}  # frames
    for at, line in enumerate(data.split(b"\n"), 1):
        parts = line.split()
        if not parts:
            continue
        name = parts[0]
        if name in bones and numbers:
            bone = bones[name]
            if len(parts) - 1 != sizes[bone]:
                found = counted(len(parts) - 1, "number")
                reason = f"line {at}: {found} for {text_of([name])}, expected {sizes[bone]}"
                if damaged is None:
                    raise ValueError(reason)
                bad.setdefault(len(numbers) - 1, reason)
                continue
            where.append((len(numbers) - 1) * len(bones) + bone)
            rows.append(parts[1:])
            lines.append(at)
        elif len(parts) == 1 and name.isdigit() and len(name) < 10:
            numbers.append(int(name))
            if numbers[-1] != numbers[0] + len(numbers) - 1:
                raise ValueError(f"line {at}: frame {numbers[-1]} follows frame {numbers[-2]}")
        elif name.startswith(b":"):
            if name.lower() in (b":degrees", b":radians"):
                degrees = name.lower() == b":degrees"
        elif not name.startswith(b"#"):
            raise ValueError(
                f"line {at}: the skeleton has no bone {text_of([name])!r}"
                if numbers
                else f"line {at}: expected the number of a frame, found {text_of([line])!r}"
            )
    if not numbers:
        raise ValueError("no frame")
    frames, bone_of = np.divmod(np.array(where, dtype=np.int64), len(bones))
    _check_frames(numbers, np.array(where, dtype=np.int64), frames, bone_of, lines, bad)

    values = _values(rows, lines, frames.tolist(), None if damaged is None else bad)
    widths = np.array(sizes)
    counts = widths[bone_of]
    within = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    motion = np.zeros((len(numbers), widths.sum()))
    columns = np.repeat((np.cumsum(widths) - widths)[bone_of], counts) + within
    motion[np.repeat(frames, counts), columns] = values
    if degrees:
        angles = [channel.startswith("r") for channel in chain(*skeleton.channels)]
        motion[:, angles] = np.deg2rad(motion[:, angles])
    if bad and damaged is not None:
        if 2 * len(bad) > len(numbers):
            raise ValueError(next(iter(bad.values())))
        motion[list(bad)] = np.nan
        damaged += bad.values()
    return motion


def _values(
    rows: list[list[bytes]], lines: list[int], frames: list[int], bad: dict[int, str] | None
) -> Floats:
    """The numbers of the rows, one after another; those of damaged rows, whose frames go to `bad`, are 0."""
    try:
        return row_numbers(rows, lines)
    except ValueError:
        if bad is None:
            raise
    values = []
    for row, at, frame in zip(rows, lines, frames, strict=True):
        try:
            values.append(row_numbers([row], [at]))
        except ValueError as error:
            bad.setdefault(frame, str(error))
            values.append(np.zeros(len(row)))
    return np.concatenate(values)


def _check_frames(
    numbers: list[int], where: Ints, frames: Ints, bones: Ints, lines: list[int], bad: Mapping[int, str]
) -> None:
    again = np.setdiff1d(np.arange(len(where)), np.unique(where, return_index=True)[1])
    if again.size:
        raise ValueError(f"line {lines[again[0]]}: a bone for the second time in a frame")
    rooted = np.bincount(frames[bones == 0], minlength=len(numbers)) > 0
    rooted[list(bad)] = True
    if not rooted.all():
        raise ValueError(f"frame {numbers[int(rooted.argmin())]} has no root")
    sizes = np.bincount(frames, minlength=len(numbers))
    if len(sizes) > 1 and not {len(sizes) - 1, len(sizes) - 2} & bad.keys() and sizes[-1] < sizes[-2]:
        raise ValueError(
            f"cut off in the last frame: {counted(sizes[-1], 'bone')}, the frame before has {sizes[-2]}"
        )


def find_motions(
    source: Source, parse: Callable[..., Iterable[Clip | BadFile]], skeleton_of: Callable[[str], str]
) -> Iterator[Work | BadFile]:
    """One share of work for each motion of a source: its path, its content and that of its skeleton.

    The skeleton lies in the motion's folder, or else anywhere in the source.

    Args:
        source: The files.
        parse: Makes a clip of them.
        skeleton_of: Name of a motion's skeleton, without suffix, from the name of the motion without suffix;
            raises ValueError with the reason if there is none.
    """
    skeletons: dict[PurePosixPath, bytes] = {}
    anywhere: dict[str, bytes] = {}
    for entry in source:
        if not isinstance(entry, BadFile) and entry[0].lower().endswith(".asf"):
            path = PurePosixPath(entry[0].lower())
            try:
                skeletons[path] = anywhere[path.name] = entry[1]()
            except ValueError:  # then its motions have none
                continue
    for work in find_each(source, ".amc", parse):
        if isinstance(work, BadFile):
            yield work
            continue
        name, data = work.args
        path = PurePosixPath(work.name.lower())
        try:
            file = skeleton_of(name) + ".asf"
        except ValueError as error:
            yield BadFile(work.name, str(error))
            continue
        skeleton = skeletons.get(path.with_name(file.lower()), anywhere.get(file.lower()))
        if skeleton is None:
            yield BadFile(work.name, f"its skeleton {file} is not in {source.name}, or cannot be read")
        else:
            yield evolve(work, args=(work.name, data, skeleton))


def positions_in_metres(
    data: bytes, skeleton_data: bytes, layout: SkeletonLayout, damaged: list[str] | None = None
) -> Floats:
    """Positions (T, V, 3) of the joints of a layout, from files whose unit of length is 1/`length` inch.

    Args:
        data: Content of the motion.
        skeleton_data: Content of the skeleton.
        layout: Its joints have the names and the parents of the skeleton's bones, in any order.
        damaged: As `parse_amc` takes it.

    Raises:
        ValueError: With the reason, if one is malformed or has other bones.
    """
    try:
        skeleton = parse_asf(skeleton_data)
    except ValueError as error:
        raise ValueError(f"in its skeleton: {error}") from error
    found = {
        bone: skeleton.bones[parent] for bone, parent in zip(skeleton.bones, skeleton.parents, strict=True)
    }
    wanted = {
        joint: layout.joints[parent] for joint, parent in zip(layout.joints, layout.parents, strict=True)
    }
    differ = sorted(name for name, _ in found.items() ^ wanted.items())
    if differ:
        raise ValueError(f"the skeleton is not that of layout {layout.name}: {', '.join(differ[:5])} differ")
    positions = pose(skeleton, parse_amc(data, skeleton, damaged))
    order = [skeleton.bones.index(joint) for joint in layout.joints]
    return positions[:, order] * (INCH / skeleton.length)
