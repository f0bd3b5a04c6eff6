"""CMU Panoptic Studio (Joo et al., ICCV 2015): one file a frame, ``body3DScene_00000012.json``.

A file has ``{"bodies": [{"id": 0, "joints19": [x, y, z, confidence, ...]}]}``, in centimetres with y down;
positions come in metres. A confidence below 0 is a joint that was not found. A clip is all frames
of one folder (``hdPose3d_stage1_coco19``), called by the folder of the sequence around it.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._frames import Frame, find_frames
from skel_data.readers._reader import Find, Reader, read_json
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import Person, make_clip, numbers
from skel_data.readers.keypoints._people import any_track, list_of_dicts
from skel_data.store._info import DatasetInfo

NAME = re.compile(r"body3DScene_(\d{1,12})\.json", re.IGNORECASE)
_METRES = 0.01


def people_of(data: bytes) -> list[Person]:
    """The people of one frame, in metres."""
    content = read_json(data)
    bodies = content.get("bodies") if isinstance(content, dict) else None
    people = []
    for body in list_of_dicts(bodies, "bodies"):
        if "joints19" not in body:
            raise ValueError(f"a body without joints19; it has {', '.join(map(str, body))[:100]}")
        values = numbers(body["joints19"], 1, "joints19")
        if len(values) != 4 * 19:
            raise ValueError(f"{counted(len(values), 'number')} in joints19, expected {4 * 19}")
        joints = values.reshape(19, 4).astype(np.float64)
        joints[:, :3] *= _METRES
        joints[joints[:, 3] < 0] = (np.nan, np.nan, np.nan, 0)
        people.append(Person(joints, any_track(body, "id")))
    return people


def key(path: str) -> tuple[str, int] | None:
    """Clip and number of a frame's file."""
    file = PurePosixPath(path)
    match = NAME.fullmatch(file.name)
    return None if match is None else (str(file.parent), int(match[1]))


def parse_frames(name: str, label: int, frames: Sequence[Frame], sequence: str) -> Iterator[Clip | BadFile]:
    """Make a clip of its frames. A bad file is reported, and a frame without a body in the clip."""
    folders = [part for part in PurePosixPath(frames[0][0]).parent.parts if not part.startswith("hdPose3d")]
    found: dict[int, list[Person]] = {}
    for path, number, read in frames:
        try:
            found[number] = people_of(read())
        except ValueError as error:
            yield BadFile(path, str(error))
            found.setdefault(number, [])
    yield make_clip(folders[-1] if folders else sequence or name, label, found)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    usual = get_layout("panoptic-19")
    if layout is not None and (layout.num_joints, layout.channels) != (19, 4):
        raise ValueError(
            f"layout {layout.name} does not have 19 joints x 4 channels; convert the store to it"
        )
    name = PurePosixPath(source.name).stem
    return DatasetInfo(layout or usual, (), "metres", up="-y"), lambda files: find_frames(
        files, key, parse_frames, name
    )


PANOPTIC = Reader("panoptic", None, None, (), None, ".json", units="metres", describe=_describe)
