"""Joints and units of recordings and of a run: the same, or brought together."""

import json
import logging
from hashlib import blake2b

from skel_data import METRES, Default, Pipeline, SkeletonLayout, Store, conversion, convert_store
from skel_data.files import hold
from skel_recipes.common.files import file_name
from skel_recipes.run.run import Run

_LOGGER = logging.getLogger("skel_recipes")
_UNKNOWN = "unknown"


def in_joints_of(run: Run, store: Store, *, convert: bool = False) -> Store:
    """A store as a run can take it: itself, or converted to the joints of the run, and to its units.

    Units are left as they are where the pipeline scales bodies anyway.

    Raises:
        ValueError: If the joints differ and may not be converted, or the units cannot be compared.
    """
    ours, theirs = run.layout, store.layout
    units = store.units if _UNKNOWN in (units_of(run), store.units) else units_of(run)
    same = joints_of(ours) == joints_of(theirs)
    if same and units == store.units:
        return store
    if not same and not convert:
        raise ValueError(
            f"{run.path} was trained on layout {ours.name!r} ({ours.num_joints} joints), "
            f"{store.path} has {theirs.name!r} ({theirs.num_joints} joints); --convert brings them together"
        )
    if units != store.units:
        was = f"{store.path} is in {store.units}, {run.path} was trained in {units}"
        if not {units, store.units} <= METRES.keys():
            raise ValueError(f"{was}: these cannot be compared")
        _LOGGER.warning("%s: the coordinates are scaled", was)
    rules = json.dumps(conversion(theirs, ours).tolist())  # other releases may have other ones
    rules += units if units != store.units else ""
    digest = blake2b(rules.encode(), digest_size=4).hexdigest()
    path = run.path / "converted" / f"{file_name(store.dataset)}-{store.hash[:16]}-{digest}.store"
    if path.exists():
        return Store.open(path)
    path.parent.mkdir(exist_ok=True)
    with hold(path.with_suffix(".lock"), path, wait=True):
        if path.exists():  # another process has made it meanwhile
            return Store.open(path)
        drop_depth = ours.dims < theirs.dims
        return convert_store(store, path, theirs if same else ours, drop_depth=drop_depth, units=units)


def units_of(run: Run) -> str:
    """The units of the recordings that a run was trained on; "unknown" too where its clips have no scale."""
    known = run.info["store"].get("units", _UNKNOWN)
    return _UNKNOWN if scales(run.pipeline, run.layout) else str(known)


def scales(pipeline: Pipeline, layout: SkeletonLayout) -> bool:
    """Whether a pipeline brings bodies to one size, so that units do not matter."""
    return isinstance(pipeline, Default) and pipeline.scale and bool(layout.bones)


def joints_of(layout: SkeletonLayout) -> tuple[object, ...]:
    """What an encoder depends on."""
    return layout.joints, layout.parents, layout.channels
