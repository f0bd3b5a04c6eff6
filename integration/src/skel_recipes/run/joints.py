"""Joints of recordings and of a run: the same, or brought together by their names."""

import json
from hashlib import blake2b

from skel_data import SkeletonLayout, Store, conversion, convert_store
from skel_data.files import hold
from skel_recipes.common.files import file_name
from skel_recipes.run.run import Run


def in_joints_of(run: Run, store: Store, *, convert: bool = False) -> Store:
    """A store as a run can take it: itself, or converted to the joints of the run.

    Raises:
        ValueError: If the joints differ and may not be converted.
    """
    ours, theirs = run.layout, store.layout
    if joints_of(ours) == joints_of(theirs):
        return store
    if not convert:
        raise ValueError(
            f"{run.path} was trained on layout {ours.name!r} ({ours.num_joints} joints), "
            f"{store.path} has {theirs.name!r} ({theirs.num_joints} joints); --convert brings them together"
        )
    rules = json.dumps(conversion(theirs, ours).tolist())  # other releases may have other ones
    digest = blake2b(rules.encode(), digest_size=4).hexdigest()
    path = run.path / "converted" / f"{file_name(store.dataset)}-{store.hash[:16]}-{digest}.store"
    if path.exists():
        return Store.open(path)
    path.parent.mkdir(exist_ok=True)
    with hold(path.with_suffix(".lock"), path, wait=True):
        if path.exists():  # another process has made it meanwhile
            return Store.open(path)
        return convert_store(store, path, run.layout, drop_depth=run.layout.dims < store.layout.dims)


def joints_of(layout: SkeletonLayout) -> tuple[object, ...]:
    """What an encoder depends on."""
    return layout.joints, layout.parents, layout.channels
