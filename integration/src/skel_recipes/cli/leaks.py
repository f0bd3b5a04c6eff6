"""``skel data leaks``: what the parts of a split share."""

from pathlib import Path
from typing import Annotated, Any

import tyro
from attrs import asdict

from skel_recipes.cli.output import printable, say, say_json
from skel_recipes.common.words import count


def data_leaks(
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    split: str | None = None,
    near: float | None = None,
    json: bool = False,
) -> None:
    """Find test clips that are in the training part too: copied, moved, turned, mirrored, reversed or cut.

    It also finds subjects, cameras and setups in both parts of a split that is named after them, and classes
    without training clips. What is found is kept in the store's folder, and printed with later evaluations.

    Example: skel data leaks utd.store

    Args:
        store: The store.
        split: The split; the store's default if not given.
        near: List, too, pairs of clips nearer than this after the pipeline `default`, as a share of the size
            of the test clip, such as 0.05. All pairs are compared, which takes long on large sets.
        json: Print JSON.
    """
    from skel_data import Store, broken_claims, get_split, without_copies
    from skel_recipes.evaluate.leaks import copies_of

    opened = Store.open(store)
    chosen = get_split(opened, split)
    if not len(chosen.train) or not len(chosen.test):
        raise ValueError(
            f"split {chosen.name!r} of {store} has {count(len(chosen.train), 'training clip')} and "
            f"{count(len(chosen.test), 'labelled test clip')}"
        )
    claims, found = broken_claims(opened, chosen), copies_of(opened, chosen)
    copies = len(chosen.test) - len(without_copies(opened, chosen))
    pairs = [] if near is None else _near_pairs(opened, chosen, near)
    names = opened.names
    if json:
        stretches = [
            {**asdict(one), "test": str(names[one.test]), "train": str(names[one.train])} for one in found
        ]
        told = {"split": chosen.name, "test_clips": len(chosen.test), "copies": copies}
        say_json({**told, "broken_claims": claims, "stretches": stretches, "pairs": pairs})
        return
    for one in found:
        way = "backwards " if one.backwards else ""
        there, here = (f"{start} to {start + one.frames - 1}" for start in (one.train_start, one.start))
        say(
            printable(
                f"{names[one.test]}: its frames {here} are {way}the frames {there} of {names[one.train]}"
            )
        )
    for test, train, distance in pairs:
        how = f"is within {100 * distance:.1f} % of" if distance else "equals"
        say(printable(f"{test} {how} {train} after the pipeline"))
    share = "shares" if len(found) == 1 else "share"
    for sentence in claims:
        say(printable(sentence))
    say(
        printable(
            f"{store}, {chosen.name}: {count(len(chosen.test), 'test clip')}, {copies} of them copies of "
            f"training clips as recorded, {len(found)} {share} frames with one"
        )
    )


def _near_pairs(store: Any, split: Any, near: float) -> list[tuple[str, str, float]]:
    """Test clip, nearest training clip, and their distance, where that is below `near`."""
    from skel_data import Default, build_clips
    from skel_eval import find_leaks

    clips = build_clips(store, Default(), mmap=True)
    found = find_leaks(clips[split.train], clips[split.test], near=near)
    return [
        (
            str(store.names[split.test[row]]),
            str(store.names[split.train[found.nearest[row]]]),
            float(found.distances[row]),
        )
        for row in [*found.exact, *found.near]
    ]
