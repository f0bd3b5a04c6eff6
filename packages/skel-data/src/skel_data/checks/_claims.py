"""What a split claims by its name, and whether it holds."""

import numpy as np

from skel_data._words import counted
from skel_data.splits._split import Split
from skel_data.store._info import ClipTable

_APART = {
    "subjects": ("xsub", "subject"),
    "cameras": ("xview", "camera", "view"),
    "setups": ("xset", "setup"),
}
"""What splits of these names keep apart."""


def broken_claims(store: ClipTable, split: Split) -> list[str]:
    """What is in both parts of a split although its name says otherwise, and classes without training clips.

    Args:
        store: The clips.
        split: The split.

    Returns:
        A sentence each; empty if all is as the name says.
    """
    wrong = []
    for kind, words in _APART.items():
        if not split.name.startswith(words):
            continue
        codes = getattr(store, kind)
        both = np.intersect1d(codes[split.train], codes[split.test])
        both = both[both >= 0]
        if len(both):
            clips = int(np.isin(codes[split.test], both).sum())
            wrong.append(
                f"split {split.name!r} has {counted(len(both), kind[:-1])} in both parts: theirs are "
                f"{clips} of {counted(len(split.test), 'test clip')}"
            )
    labels = store.labels
    lacking = np.setdiff1d(labels[split.test], labels[split.train])
    lacking = lacking[lacking >= 0]
    if len(lacking):
        clips = int(np.isin(labels[split.test], lacking).sum())
        have = "has" if len(lacking) == 1 else "have"
        wrong.append(
            f"{counted(len(lacking), 'class')} of the test part {have} no training clip: {clips} of "
            f"{counted(len(split.test), 'test clip')} cannot be right"
        )
    return wrong
