"""NTU RGB+D as its MATLAB and Python tools save it: ``S001C001P001R001A001.skeleton.npy``, a dict a clip.

The dict has ``nbodys``, the number of bodies in each frame, and ``skel_body0``, ``skel_body1``, ...: (T, 25,
3) in metres, zero where the body is absent.
"""

import re
from functools import partial

import numpy as np

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Find, Reader, check_joints, find_each, match_name
from skel_data.readers._source import Source
from skel_data.readers.arrays._ntu_names import ntu_codes, ntu_set
from skel_data.readers.arrays._numpy import read_npy
from skel_data.splits._official import ntu_missing
from skel_data.store._info import DatasetInfo

SUFFIX = ".skeleton.npy"
_NAME = re.compile(r"S\d{3}C\d{3}P\d{3}R\d{3}A(\d{3})")
_BODY = re.compile(r"skel_body(\d{1,2})")


def parse(name: str, data: bytes) -> list[Clip | BadFile]:
    """Make a clip of one file, or report it where the set lists it as bad."""
    action = int(match_name(_NAME, name, "SsssCcccPpppRrrrAaaa.skeleton.npy")[1])
    if name in ntu_missing():
        return [BadFile(name, "listed by the data set as missing or incomplete", listed=True)]
    array = read_npy(data)
    content = array.item() if array.shape == () else None
    if not isinstance(content, dict):
        raise ValueError("expected a dict with skel_body0")
    keys = sorted((int(match[1]), key) for key in content if (match := _BODY.fullmatch(str(key))))
    bodies = [np.asarray(content[key]) for _, key in keys]
    if not bodies or any(body.dtype.kind not in "iuf" or body.shape != bodies[0].shape for body in bodies):
        raise ValueError(
            f"no arrays skel_body0, ... of one shape; the keys are {', '.join(map(str, content))[:100]}"
        )
    if bodies[0].ndim != 3:
        raise ValueError(f"skel_body0 is {bodies[0].shape}, expected (T, 25, 3)")
    positions = np.stack(bodies, 1)
    check_joints(positions, 25, 3)
    return [Clip(positions, name, action - 1, **ntu_codes(name))]


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    paths = [path.rpartition("/")[2] for path in source.paths()]
    names = [path.removesuffix(SUFFIX) for path in paths if path.endswith(SUFFIX)]
    matches = [match for match in map(_NAME.fullmatch, names) if match]
    found = ntu_set([match[0] for match in matches], [int(match[1]) - 1 for match in matches])
    if found is None:
        raise ValueError(f"{source.name}: no file such as S001C001P001R001A001{SUFFIX}")
    info = DatasetInfo(layout or get_layout("ntu-25"), found[1], "metres", dataset=found[0])
    return info, partial(find_each, suffix=SUFFIX, parse=parse, later=True)


NTU_NPY = Reader("ntu-npy", None, None, (), None, SUFFIX, default_split="xsub", describe=_describe)
