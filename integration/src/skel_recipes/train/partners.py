"""Partners: other recordings of what a clip shows, of which its second view may be drawn."""

from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data import Store, names_contain_class, performance_groups
from skel_recipes.config.recipe import DataSettings

Ints = NDArray[np.int64]
_ACROSS = {"performance": "camera", "repetition": "replication"}
_WORDS = {
    "performance": "another camera's recording of the same performance",
    "repetition": "another repetition by the same subject",
}
_NAMES = {
    True: "these contain the class",
    False: "these do not contain the class",
    None: "it is not known whether names contain the class",
}


@define(frozen=True, eq=False)
class Partners:
    """Partners among the training clips.

    Attributes:
        positives: performance or repetition, see `DataSettings`.
        groups: Group of each training clip (N,); those alone in a group have no partner.
        probability: How often a clip that has partners gives its place to one of them.
        names_contain_class: Whether the names that tell the groups contain the class; None if unknown.
    """

    positives: str
    groups: Ints
    probability: float
    names_contain_class: bool | None

    @property
    def count(self) -> int:
        """Number of clips that have a partner."""
        return int((self._sizes() > 1).sum())

    @property
    def info(self) -> dict[str, Any]:
        """What ``run.json`` says of them."""
        return {
            "name": self.positives,
            "clips_with_partner": self.count,
            "clips_without": len(self.groups) - self.count,
            "names_contain_class": self.names_contain_class,
        }

    @property
    def note(self) -> str:
        """What a user should know of them, in sentences."""
        alone = len(self.groups) - self.count
        return (
            f"data.positives = {self.positives}: second views are drawn of {_WORDS[self.positives]}, with "
            f"probability {self.probability:g}, for {self.count} of {len(self.groups)} clips; {alone} have "
            "none and use themselves. Recordings are found by their names, and "
            f"{_NAMES[self.names_contain_class]}. Results name these positives, and are not compared with "
            "those without."
        )

    def draw(self, seed: int, epoch: int) -> Ints:
        """The clip (N,) of which the second view of each training clip is drawn in an epoch; maybe itself."""
        chance = np.random.default_rng([seed, epoch, len(_ACROSS)]).random((2, len(self.groups)))
        order = np.argsort(self.groups, kind="stable")
        sizes = self._sizes()
        starts = np.searchsorted(self.groups[order], self.groups)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        # 1 to size - 1 places on, around the clip's group
        steps = 1 + (chance[1] * (sizes - 1)).astype(np.int64)
        other = order[starts + (place - starts + steps) % sizes]
        return np.where((chance[0] < self.probability) & (sizes > 1), other, np.arange(len(order)))

    def _sizes(self) -> Ints:
        """Number of clips in the group of each clip."""
        _, groups, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        return sizes[groups.reshape(-1)]


def partners_of(store: Store, train: Ints, settings: DataSettings) -> Partners:
    """The partners that a recipe asks for among these training clips.

    Raises:
        ValueError: If the store does not tell them, or no training clip has one.
    """
    groups = performance_groups(store, _ACROSS[settings.positives])[train]
    alone = groups < 0
    groups[alone] = groups.max(initial=-1) + 1 + np.arange(alone.sum())
    partners = Partners(settings.positives, groups, settings.partner_probability, names_contain_class(store))
    if not partners.count:
        raise ValueError(
            f"data.positives = {settings.positives}: no training clip of {store.path} has "
            f"{_WORDS[settings.positives]} in the training part; another split may have them"
        )
    return partners
