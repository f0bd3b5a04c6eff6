"""Merging of stores, conversion to another layout, and labels that come later."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._convert import MOST_PARENTS, conversion, convert
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.splits._official import PARTS_OF
from skel_data.store._labels import Labels, read_labels
from skel_data.store._pool import METRES, in_units
from skel_data.store._store import CODES, Store
from skel_data.store._write import StoreWriter, new_store, write_store


def merge_stores(
    stores: Sequence[Store], path: str | Path, *, dataset: str | None = None, overwrite: bool = False
) -> Store:
    """Write the clips of several stores to a new one, in their order.

    Classes, and subjects and cameras that have names, are identified by name; numbered subjects and cameras
    keep their numbers, so the same number is the same subject.

    Args:
        stores: At least two, of one layout and one unit.
        path: Folder to make.
        dataset: Name of the data set, by which official splits go; None: that of the stores if they agree or
            one contains the others, as NTU RGB+D 120 does NTU RGB+D, else their names joined by "+".
        overwrite: Replace the store at `path`, if there is one.

    Raises:
        ValueError: If the stores do not go together; the message names the difference.
        FileExistsError: If `path` exists and may not be replaced.
    """
    if len(stores) < 2:
        raise ValueError(f"at least two stores are needed, got {len(stores)}")
    first = stores[0]
    for other in stores[1:]:
        for what, a, b in (
            ("layouts", first.layout.to_dict(), other.layout.to_dict()),
            ("units", first.units, other.units),
            ("listed splits", _splits(first), _splits(other)),
            ("named subjects", bool(first.subject_names), bool(other.subject_names)),
            ("least scores", first.info.min_score, other.info.min_score),
            ("named cameras", bool(first.camera_names), bool(other.camera_names)),
        ):
            if a != b:
                shown = f": {a!r} and {b!r}" if what != "layouts" else ""
                raise ValueError(f"{first.path} and {other.path} differ in {what}{shown}")
    classes, subjects, cameras = (
        list(dict.fromkeys(name for store in stores for name in getattr(store, names)))
        for names in ("classes", "subject_names", "camera_names")
    )
    names = list(dict.fromkeys(store.dataset for store in stores))
    names = [name for name in names if PARTS_OF.get(name) not in names]
    defaults = {store.default_split for store in stores}

    def clips() -> Iterator[Clip]:
        for store in stores:
            for clip in clips_of(store):
                own = clip.intervals
                for action in own:
                    action[0] = classes.index(store.classes[action[0]])
                yield evolve(
                    clip,
                    intervals=own,
                    label=_renumber(clip.label, store.classes, classes),
                    subject=_renumber(clip.subject, store.subject_names, subjects),
                    camera=_renumber(clip.camera, store.camera_names, cameras),
                )

    return write_store(
        path,
        chain((bad for store in stores for bad in store.bad_files), clips()),
        evolve(
            first.info,
            dataset=dataset or "+".join(names),
            classes=classes,
            default_split=defaults.pop() if len(defaults) == 1 else None,
            subject_names=subjects,
            camera_names=cameras,
        ),
        source=", ".join(str(store.header["source"]) for store in stores),
        overwrite=overwrite,
    )


def convert_store(
    store: Store,
    path: str | Path,
    layout: SkeletonLayout | str | Path,
    *,
    drop_depth: bool = False,
    strict: bool = False,
    most_parents: float = MOST_PARENTS,
    units: str | None = None,
    overwrite: bool = False,
) -> Store:
    """Write the clips of a store to a new one in another layout, by the rules of `conversion`.

    So one encoder can be trained on several sets, and evaluated on sets of other joints.

    Args:
        store: The clips.
        path: Folder to make.
        layout: The layout that is wanted, or its name.
        drop_depth: Leave the third coordinate out, for a layout of two dimensions.
        strict: Make it an error if a joint has no namesake, synonym or midpoint in the store's layout.
        most_parents: Largest share of the layout's joints that may take their parents' places.
        units: Units that are wanted; None: those of the store. Metres, centimetres and millimetres are
            brought together.
        overwrite: Replace the store at `path`, if there is one.

    Raises:
        ValueError: If a joint cannot be had, too many fall onto their parents, or the layout has other
            dimensions, or the units do not go together.
        FileExistsError: If `path` exists and may not be replaced.
    """
    wanted = get_layout(layout)
    # an error comes before any work
    conversion(store.layout, wanted, strict=strict, most_parents=most_parents)
    units = units or store.units
    if units != store.units and not {units, store.units} <= METRES.keys():
        raise ValueError(f"{store.path} is in {store.units}, which cannot be converted to {units}")

    def clips() -> Iterator[Clip]:
        for clip in clips_of(store):
            positions = convert(clip.positions, store.layout, wanted, drop_depth=drop_depth, most_parents=1)
            yield evolve(clip, positions=in_units(positions, wanted.dims, store.units, units))

    return write_store(
        path,
        chain(store.bad_files, clips()),
        evolve(store.info, layout=wanted, units=units),
        source=str(store.header["source"]),
        overwrite=overwrite,
    )


def with_labels(
    store: Store, path: str | Path, labels: Mapping[int, str], *, overwrite: bool = False
) -> Store:
    """Write the clips of a store to a new one, some of them with a label that they did not have.

    Args:
        store: The clips.
        path: Folder to make.
        labels: Name of the class by number of the clip; classes that the store does not have are added behind
            its own, in the order in which they come.
        overwrite: Replace the store at `path`, if there is one.

    Raises:
        ValueError: If there is no such clip, a name is empty, or a clip has another label already.
        FileExistsError: If `path` exists and may not be replaced.
    """
    classes = list(dict.fromkeys([*store.classes, *labels.values()]))
    for index, name in labels.items():
        if not 0 <= index < len(store):
            raise ValueError(f"{store.path} has clips 0 to {len(store) - 1}, there is a label for {index}")
        if not name.strip():
            raise ValueError(f"the label of clip {index} is empty")
        label = int(store.labels[index])
        if label >= 0 and store.classes[label] != name:
            raise ValueError(
                f"clip {index}, {store.names[index]}, is {store.classes[label]!r} in {store.path} already, "
                f"the new label is {name!r}"
            )

    def clips() -> Iterator[Clip]:
        for index, clip in enumerate(clips_of(store)):
            yield evolve(clip, label=classes.index(labels[index])) if index in labels else clip

    return write_store(
        path,
        chain(store.bad_files, clips()),
        evolve(store.info, classes=classes),
        source=str(store.header["source"]),
        overwrite=overwrite,
    )


def label_store(
    store: Store,
    labels: str | Path,
    path: str | Path,
    *,
    untrimmed: bool = False,
    overwrite: bool = False,
) -> Store:
    """Write the clips of a store to a new one with the facts of a table, in place of its own.

    Args:
        store: The clips.
        labels: The table, as `import_dataset` takes it.
        path: Folder to make; with `overwrite` it may be that of the store.
        untrimmed: Keep recordings whole: rows with start and end are intervals, and cut nothing. A row
            without class, start and end is a recording without any action.
        overwrite: Replace the store at `path`, if there is one.

    Raises:
        ValueError: If the table is none, or names no clip.
        FileExistsError: If `path` exists and may not be replaced.
    """
    table = Labels.of(read_labels(labels), store.info, untrimmed=untrimmed)

    def clips() -> Iterator[Clip | BadFile]:
        for clip in clips_of(store):
            yield from table.give(clip.name, clip)

    with new_store(Path(path), overwrite=overwrite) as folder, StoreWriter(folder, table.info) as writer:
        for clip in chain(store.bad_files, clips()):
            writer.add(clip)
        if not table.used:
            raise ValueError(f"{Path(labels).name}: none of its names is a clip's; {table.notes()[0]}")
        for note in table.notes():
            writer.tell(note)
        writer.finish(str(store.header["source"]))
    return Store.open(path)


def clips_of(store: Store, rows: Iterable[int] | None = None) -> Iterator[Clip]:
    """The clips of a store with all that it has of them, of all rows or some."""
    for index in range(len(store)) if rows is None else rows:
        yield Clip(
            store.clip(index),
            str(store.names[index]),
            split=tuple(store.columns["split"][index].tolist()),
            tracks=store.tracks(index),
            rate=float(store.rates[index]),
            intervals=store.intervals(index),
            **{code: int(store.columns[code][index]) for code in CODES},
        )


def _splits(store: Store) -> tuple[int, tuple[str, ...]]:
    """How many splits the set lists, and their names."""
    return store.columns["split"].shape[1], store.listed_names


def _renumber(code: int, names: Sequence[str], merged: Sequence[str]) -> int:
    return merged.index(names[code]) if 0 <= code < len(names) else code
