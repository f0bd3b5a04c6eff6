"""Few-shot classification: novel classes, of which a handful of clips are known."""

import math
from typing import ClassVar, Literal

import numpy as np
import torch
from attrs import asdict, define, field

from skel_eval._arrays import (
    BLOCK_SIZE,
    Array,
    Groups,
    as_count,
    as_features,
    as_groups,
    as_integers,
    as_labels,
    unit_rows,
)
from skel_eval._feature_set import FeatureSet
from skel_eval._result import Metric, Predictions
from skel_eval.protocols.knn import knn
from skel_eval.protocols.protocol import Outcome


@define(frozen=True)
class FewShot:
    """Few-shot classification: episodes of a few classes with a few labelled clips, from the test part.

    Attributes:
        ways: Classes of an episode.
        shots: Labelled clips of each class.
        queries: Clips of each class that are classified.
        episodes: Number of episodes.
        seed: Seed of the episodes.
        by_group: Classify no clip of a class by labelled clips of the same group, such as the subject.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "features"
    ways: int = 5
    shots: int = 1
    queries: int = 5
    episodes: int = 1000
    seed: int = 0
    by_group: bool = False

    @property
    def title(self) -> str:
        """Such as "5-way 1-shot", or "5-way 1-shot, by group"."""
        return f"{self.ways}-way {self.shots}-shot" + ", by group" * self.by_group

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Draw episodes from the test rows; the main metric is the mean accuracy."""
        used = asdict(self)
        if self.by_group and features.groups is None:
            raise ValueError("by_group needs features with groups")
        groups = np.asarray(features.groups)[features.test] if self.by_group else None
        settings = {name: value for name, value in used.items() if name != "by_group"}
        _, _, x, y = features.arrays()
        found = few_shot(x, y, **settings, groups=groups, device=device)
        return Outcome({"accuracy": Metric(found.accuracy), "margin": Metric(found.margin)}, used)


@define(frozen=True, eq=False)
class FewShotResult:
    """What `few_shot` found.

    Attributes:
        accuracy: Mean over the episodes.
        margin: Half the width of its 95 % interval, 1.96 standard errors of the mean over episodes. It
            tells how far other draws of episodes from the same clips may lead, not other clips.
        accuracies: Of each episode, (episodes,).
    """

    accuracy: float
    margin: float
    accuracies: np.ndarray = field(repr=False)


@torch.no_grad()
def few_shot(
    x: Array,
    y: Array,
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int = 5,
    episodes: int = 1000,
    seed: int = 0,
    groups: Groups | None = None,
    device: torch.device | str | None = None,
) -> FewShotResult:
    """Tell `ways` novel classes apart by `shots` clips each, over many random episodes.

    Each episode draws classes, clips of them to know and other clips of them as queries, without repetition.
    A query goes to the class whose mean of normalised features is nearest by cosine (after Snell et al.
    2017). Nothing is trained here; the classes are novel if the encoder has not learned from them.

    Args:
        x: Features of clips of the novel classes, (N, D).
        y: Classes, (N,); rows with a negative label are dropped.
        ways: Classes per episode.
        shots: Known clips per class.
        queries: Queries per class. More of them, such as the usual 15 of images, make each episode more
            certain but need as many clips; the mean does not depend on them.
        episodes: Number of episodes, at least 2.
        seed: Seed of the draws; they do not depend on `x`.
        groups: Group of each row, (N,), for instance its subject: in an episode no query of a class comes
            from a group of its known clips. None takes each row as its own group.
        device: Where to compute; None means where `x` is.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, there are fewer than `ways` classes, or an episode could run out
            of clips of a class.
    """
    ways, shots, queries = as_count(ways, "ways"), as_count(shots, "shots"), as_count(queries, "queries")
    episodes, seed = as_count(episodes, "episodes", 2), as_count(seed, "seed", 0)
    features = as_features(x, "x")
    features = unit_rows(features.to(features.device if device is None else device))
    labels, group = as_labels(y, len(features), "y").numpy(), as_groups(groups, len(features))
    owner = np.arange(len(features)) if group is None else group.numpy()
    members = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0])]
    if len(members) < ways:
        raise ValueError(f"an episode of {ways} ways needs as many classes, got {len(members)}")
    for rows in members:
        sizes = np.sort(np.unique(owner[rows], return_counts=True)[1])
        if sizes[:-shots].sum() < queries:
            raise ValueError(
                f"class {labels[rows[0]]} has {len(rows)} clips of {len(sizes)} groups: with the {shots} "
                f"largest groups taken, {sizes[:-shots].sum()} are left for {queries} queries"
            )
    longest = max(map(len, members))
    table = np.full((len(members), longest), -1)  # rows of each class, filled up with -1
    for number, rows in enumerate(members):
        table[number, : len(rows)] = rows

    rng = np.random.default_rng(seed)
    drawn = rng.random((episodes, len(members))).argsort(1)[:, :ways]
    step = max(1, BLOCK_SIZE // (8 * ways * max(longest, queries * features.shape[1])))
    accuracies = np.empty(episodes)
    for start in range(0, episodes, step):
        rows = table[drawn[start : start + step]]  # (episodes, ways, longest)
        order = np.where(rows < 0, np.inf, rng.random(rows.shape)).argsort(-1)
        rows = np.take_along_axis(rows, order, -1)
        known = rows[..., :shots]
        # rows of -1 come last and are never reached: enough others are left
        barred = (owner[rows][..., None] == owner[known][..., None, :]).any(-1)
        asked = np.take_along_axis(rows, barred.argsort(-1, kind="stable")[..., :queries], -1)
        means = unit_rows(features[known].mean(2))
        found = torch.einsum("ewqd,ecd->ewqc", features[asked], means).argmax(-1)
        right = found == torch.arange(ways, device=found.device)[:, None]
        accuracies[start : start + step] = right.double().mean((1, 2)).cpu().numpy()
    margin = 1.96 * accuracies.std(ddof=1) / math.sqrt(episodes)
    return FewShotResult(float(accuracies.mean()), float(margin), accuracies)


def one_shot(
    x: Array, y: Array, exemplars: Array, *, device: torch.device | str | None = None
) -> Predictions:
    """Classify by one known clip per class, the protocol of NTU RGB+D 120 (Liu et al. 2020).

    All other clips of these classes are queries; each takes the class of the most similar exemplar, by
    cosine. Clips of other classes are left alone, so the features of a whole data set may be given.

    Args:
        x: Features, (N, D).
        y: Classes, (N,).
        exemplars: Rows of `x`, one per novel class, (classes,).
        device: Where to compute; None means where `x` is.

    Returns:
        The predicted classes of the queries; their `clips` are rows of `x`.

    Raises:
        TypeError: If an argument is not an array, or labels or exemplars are not integers.
        ValueError: If shapes do not match, an exemplar is no row of `x`, has no label or shares its class
            with another one, or no query is left.
    """
    features, labels = as_features(x, "x"), as_labels(y, len(x), "y")
    known = as_integers(exemplars, "exemplars")
    if len(known) == 0 or int(known.min()) < 0 or int(known.max()) >= len(features):
        raise ValueError(f"exemplars must be rows of x, 0..{len(features) - 1}, got {known.tolist()}")
    classes = labels[known]
    if int(classes.min()) < 0 or len(torch.unique(classes)) < len(classes):
        raise ValueError(f"exemplars must be of different classes, one each, got classes {classes.tolist()}")
    query = torch.isin(labels, classes)
    query[known] = False
    rows = torch.nonzero(query).squeeze(1)
    if len(rows) == 0:
        raise ValueError("no query is left: the classes of the exemplars have no other clip")
    found = knn(
        features[known.to(features.device)], classes, features[rows.to(features.device)], device=device
    ).predictions
    return Predictions(rows.numpy(), labels[rows].numpy(), found)
