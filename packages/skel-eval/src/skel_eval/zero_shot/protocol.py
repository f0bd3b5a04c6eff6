"""Zero-shot recognition: naming clips of unseen classes by texts."""

import hashlib
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from attrs import asdict, define, evolve, field, validators
from torch import Tensor

from skel_eval._arrays import as_groups
from skel_eval._feature_set import FeatureSet
from skel_eval._result import Metric
from skel_eval._words import counted
from skel_eval.protocols.protocol import Outcome
from skel_eval.zero_shot import ridge
from skel_eval.zero_shot.splits import UNSEEN
from skel_eval.zero_shot.texts import load_texts, one_text
from skel_eval.zero_shot.training import train_head


@define(frozen=True, repr=False)
class ZeroShot:
    """Zero-shot recognition: clips of unseen classes are named by texts of the classes.

    The map from frozen features to texts is learned on training clips of the seen classes; test clips of the
    unseen ones are counted. Nothing is chosen on unseen classes or on test clips.

    Attributes:
        texts: File with a vector for each class: an .npz with names and texts, or an .npy in the order of
            the classes.
        unseen: How many classes are unseen, drawn at random; or the name of a published split, such as
            synse-5; or names of classes, with commas between them.
        repeats: How many random splits of the classes; their mean counts.
        generalised: Also name test clips of all classes at once (S, U, H, AUSUC).
        head: ridge: ridge regression. smie, infocpl: trained as their programs do, to the last epoch.
        permutations: How often the texts are permuted, to see what meaningless texts reach.
        views: Masked views of each clip, from which smie learns its margin; 0 leaves the margin out.
        epochs: Epochs of smie and infocpl.
        learning_rate: Highest learning rate of smie and infocpl.
        seed: Seed of splits, permutations and training.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "features"
    texts: Path | None = None
    unseen: str = field(default="5", converter=str)
    repeats: int = field(default=50, validator=validators.ge(1))
    generalised: bool = False
    head: Literal["ridge", "smie", "infocpl"] = field(
        default="ridge", validator=validators.in_(("ridge", "smie", "infocpl"))
    )
    permutations: int = field(default=200, validator=validators.ge(1))
    views: int = field(default=8, validator=validators.ge(0))
    epochs: int = field(default=100, validator=validators.ge(1))
    learning_rate: float = field(default=1e-5, validator=validators.gt(0))
    seed: int = field(default=0, validator=validators.ge(0))

    def __repr__(self) -> str:
        # what is kept under this name must not outlive a change of the file
        return f"ZeroShot({asdict(self)}, {self._digest()})"

    @property
    def title(self) -> str:
        """Such as "zero-shot, 5 unseen classes, texts names"."""
        unseen = f"{self.unseen} unseen classes" if self.unseen.isdigit() else self.unseen
        words = ["zero-shot", unseen, *([self.head] if self.head != "ridge" else [])]
        words += ["generalised"] * self.generalised
        return ", ".join([*words, *([f"texts {Path(self.texts).stem}"] if self.texts else [])])

    @property
    def masked_views(self) -> int:
        """How many masked views of each clip the features must have."""
        return self.views if self.head == "smie" else 0

    def _digest(self) -> str:
        if self.texts is None or not Path(self.texts).is_file():
            return ""
        return hashlib.sha256(Path(self.texts).read_bytes()).hexdigest()

    @torch.no_grad()
    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Learn and test on each split of the classes; the main metric is that among unseen classes."""
        if self.texts is None:
            raise ValueError(
                "zero-shot needs a vector for each class: --texts FILE (docs, zero-shot recognition)"
            )
        if self.generalised and self.head != "ridge":
            raise ValueError(f"generalised goes with the head ridge, got {self.head}")
        known = [str(name) for name in features.class_names]
        names = known or [str(number) for number in range(int(features.labels.max()) + 1)]
        texts = load_texts(self.texts, names)
        if self.head == "infocpl" and (texts.ndim != 3 or texts.shape[1] < 2):
            raise ValueError(
                f"infocpl needs texts (classes, K + 1, D), the last one of the motion, got {texts.shape}"
            )
        run = _Run(self, features, texts, device)
        splits = _splits(self, names, run.train_y, run.test_y)
        found = [run.split(unseen, number) for number, unseen in enumerate(splits)]
        views = 0 if run.masked is None else run.masked.shape[1]
        outcome = self._outcome(found, [[names[one] for one in unseen] for unseen in splits], views)
        tested = np.isin(run.test_y, np.concatenate(splits))  # of a class that is unseen in any split
        return evolve(outcome, counts={"test": int(tested.sum())})

    def _outcome(self, found: list[dict[str, Any]], unseen: list[list[str]], views: int) -> Outcome:
        correct = np.stack([one["accuracy"] for one in found])  # (splits, 1 + permutations)
        by_split, permuted = correct[:, 0], correct[:, 1:]
        several = len(found) > 1

        def mean(name: str) -> Metric:
            values = np.array([one[name] for one in found])
            return Metric(float(values.mean()), std=float(values.std(ddof=1)) if several else None)

        means = permuted.mean(0)
        p = (1 + int((means >= by_split.mean() - 1e-12).sum())) / (1 + len(means))
        gains = by_split - permuted.mean(1)
        metrics = {
            "accuracy": Metric(float(by_split.mean()), std=float(by_split.std(ddof=1)) if several else None),
            "mean_class_accuracy": mean("mean_class_accuracy"),
            "permuted_texts": Metric(float(means.mean())),
        }
        more = ("seen_accuracy", "unseen_accuracy", "harmonic_mean", "ausuc")
        metrics |= {name: mean(name) for name in more if name in found[0]}
        chance = float(np.mean([1 / len(one) for one in unseen]))
        details = {
            "unseen": unseen,
            "accuracies": by_split.tolist(),
            "permuted_accuracies": permuted.mean(1).tolist(),
            "chance": chance,
            "gain": float(gains.mean()),
            "gain_std": float(gains.std(ddof=1)) if several else None,
            "permuted_quantile_95": float(np.quantile(means, 0.95)),
            "p": p,
        }
        details["notes"] = _notes(details, metrics, self)
        if self.masked_views and not views:
            details["notes"].append("smie learned without its margin: the features have no masked views")
        settings = asdict(self) | {"texts": str(self.texts), "texts_sha256": self._digest(), "views": views}
        settings |= {
            name: [one[name] for one in found] for name in ("strength", "stacking_gamma") if name in found[0]
        }
        return Outcome(metrics, settings, details=details)


class _Run:
    """Features, labels and texts of a protocol on the device."""

    def __init__(
        self, settings: ZeroShot, features: FeatureSet, texts: np.ndarray, device: str | None
    ) -> None:
        x, y = torch.from_numpy(np.array(features.features)), features.labels
        train, test = (rows[y[rows] >= 0] for rows in (features.train, features.test))
        self.settings, self.device = settings, torch.device(device or "cpu")
        self.x, self.test_x = x[train].to(self.device), x[test].to(self.device)
        masked = features.masked if settings.masked_views else None
        self.masked = None if masked is None else torch.from_numpy(np.array(masked)[train]).to(self.device)
        self.train_y, self.test_y = y[train].astype(np.int64), y[test].astype(np.int64)
        groups = None if features.groups is None else np.asarray(features.groups)[train]
        self.groups = as_groups(groups, len(train))
        self.texts = torch.from_numpy(texts).to(self.device)
        one = torch.from_numpy(one_text(texts)).to(self.device)
        self.one = one / one.norm(dim=1).mean()

    def split(self, unseen: list[int], number: int) -> dict[str, Any]:
        """Metrics of one split of the classes; accuracies with the texts, then with each permutation."""
        present = np.unique(self.train_y)
        seen = np.setdiff1d(present, unseen)
        rows, asked = np.isin(self.train_y, seen), np.isin(self.test_y, unseen)
        work = _ridge if self.settings.head == "ridge" else _trained
        hits, more = work(self, seen, np.array(unseen), rows, asked, number)
        truth = self.test_y[asked]
        by_class = [float(hits[0, truth == one].mean()) for one in unseen]
        return {
            "accuracy": hits.mean(1),
            "mean_class_accuracy": float(np.mean(by_class)),
            **more,
        }


def _ridge(
    run: _Run, seen: np.ndarray, unseen: np.ndarray, rows: np.ndarray, asked: np.ndarray, number: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Hits (1 + permutations, clips of unseen classes) of the ridge regression, and what it chose."""
    settings, device = run.settings, run.device
    orders = np.stack([np.arange(len(run.one)), *_permutations(settings, len(run.one))])
    query = np.isin(run.test_y, np.concatenate([seen, unseen]) if settings.generalised else unseen)
    z, q = ridge.prepare(run.x[torch.from_numpy(rows)], run.test_x[torch.from_numpy(query)])
    y = torch.from_numpy(np.searchsorted(seen, run.train_y[rows])).to(device)
    fold = ridge.class_folds(len(seen), np.random.default_rng([settings.seed, number, 1]))
    gram, order = run.one @ run.one.T, torch.from_numpy(orders).to(device)
    known, novel = torch.from_numpy(seen).to(device), torch.from_numpy(unseen).to(device)
    chosen = ridge.choose(z, y, fold, gram, order[:, known], ridge.STRENGTHS)
    given = ridge.responses(z, y, len(seen), q, ridge.STRENGTHS)
    between = ridge.relations(gram, order, known)
    mine = torch.from_numpy(asked[query]).to(device)
    truth = torch.from_numpy(run.test_y[asked]).to(device)
    hits = torch.zeros(len(orders), len(truth), dtype=torch.bool, device=device)
    for place in torch.unique(chosen).tolist():
        some = chosen == place
        best = ridge.best_class(given[place][mine], between[some][:, known][:, :, novel])
        hits[some] = novel[best] == truth
    more: dict[str, Any] = {"strength": ridge.STRENGTHS[int(chosen[0])]}
    if settings.generalised:
        groups = None if run.groups is None else run.groups[torch.from_numpy(rows)]
        own = gram[known][:, known]
        gamma = ridge.choose_gamma(z, y, fold, own, more["strength"], groups)
        labels = torch.from_numpy(run.test_y[query]).to(device)
        cut = ridge.margins(given[int(chosen[0])], between[0], labels, known, novel)
        s, u = ridge.rates(*cut, torch.tensor([gamma], dtype=torch.float64, device=device))
        more |= {"stacking_gamma": gamma, "seen_accuracy": float(s), "unseen_accuracy": float(u)}
        more |= {"harmonic_mean": float(ridge.harmonic(s, u)), "ausuc": ridge.area(*cut)}
    return hits.cpu().numpy(), more


def _trained(
    run: _Run, seen: np.ndarray, unseen: np.ndarray, rows: np.ndarray, asked: np.ndarray, number: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Hits of a trained head; the texts are permuted among the unseen classes, without another training."""
    settings = run.settings
    z, q = run.x[torch.from_numpy(rows)].float(), run.test_x[torch.from_numpy(asked)].float()
    masked = None if run.masked is None else run.masked[torch.from_numpy(rows)].float()
    if z.shape[1] > ridge.WIDEST:
        if masked is not None:
            flat = ridge.prepare(z, masked.flatten(0, 1), narrow=True)[1].float()
            masked = flat.reshape(*masked.shape[:2], -1)
        z, q = (one.float() for one in ridge.prepare(z, q, narrow=True))
    unit = run.texts if settings.head == "infocpl" else run.one
    unit = (unit / unit.norm(dim=-1, keepdim=True)).float()
    score = train_head(
        settings.head,  # type: ignore[arg-type]
        z,
        torch.from_numpy(np.searchsorted(seen, run.train_y[rows])).to(run.device),
        unit[torch.from_numpy(seen)],
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        seed=settings.seed + number,
        masked=masked,
    )
    scores: Tensor = score(q, unit[torch.from_numpy(unseen)])
    best = scores.argmax(1).cpu().numpy()
    truth = (run.test_y[asked][:, None] == unseen).argmax(1)
    orders = np.stack([np.arange(len(unseen)), *_permutations(settings, len(unseen))])
    return orders[:, truth] == best, {}


def _permutations(settings: ZeroShot, count: int) -> list[np.ndarray]:
    """The same for all splits of the classes."""
    rng = np.random.default_rng([settings.seed, 2])
    return [rng.permutation(count) for _ in range(settings.permutations)]


def _splits(settings: ZeroShot, names: list[str], train_y: np.ndarray, test_y: np.ndarray) -> list[list[int]]:
    """Unseen classes of each split."""
    tested = np.unique(test_y)
    if settings.unseen.isdigit() and settings.unseen not in names:
        count = int(settings.unseen)
        # enough seen classes to hold some of them out
        left = len(np.unique(train_y)) - count
        if not 2 <= count <= len(tested) or left < 4:
            raise ValueError(
                f"unseen must be 2 classes or more and leave 4 to learn from; of {len(names)} classes "
                f"{len(tested)} have test clips, got {count}"
            )
        rng = np.random.default_rng([settings.seed, 0])
        return [sorted(rng.choice(tested, count, False).tolist()) for _ in range(settings.repeats)]
    if settings.unseen in UNSEEN:
        UNSEEN[settings.unseen].check(names)
        unseen = list(UNSEEN[settings.unseen].numbers)
    else:
        given = [name.strip() for name in settings.unseen.split(",")]
        if strange := [name for name in given if name not in names]:
            raise ValueError(
                f"no class {strange[0]!r}; unseen is a number, a published split ({', '.join(UNSEEN)}), or "
                f"names of classes: {', '.join(names)}"
            )
        unseen = sorted(names.index(name) for name in set(given))
    if lost := [names[one] for one in unseen if one not in tested]:
        raise ValueError(f"unseen class {lost[0]!r} has no test clip")
    if len(unseen) < 2 or len(np.setdiff1d(train_y, unseen)) < 4:
        raise ValueError("there must be 2 unseen classes or more, and 4 seen ones to learn from")
    return [unseen]


def _notes(found: dict[str, Any], metrics: dict[str, Metric], settings: ZeroShot) -> list[str]:
    """The controls, in sentences."""
    among = "all classes" if settings.head == "ridge" else "the unseen classes"
    mean, most = (100 * one for one in (metrics["permuted_texts"].value, found["permuted_quantile_95"]))
    permuted = f"texts permuted among {among}, {counted(settings.permutations, 'time')}: mean {mean:.1f} %, "
    permuted += f"95 % quantile {most:.1f} %, p = {found['p']:.3f}"
    notes = [f"chance: {100 * found['chance']:.1f} %", permuted]
    splits = len(found["accuracies"])
    if splits == 1:
        notes.append("one split of the classes: it cannot tell whether texts help with other classes")
    else:
        notes.append(
            f"{splits} splits of the classes: accuracy {100 * metrics['accuracy'].value:.1f} % (sd "
            f"{100 * (metrics['accuracy'].std or 0):.1f}), gain over permuted texts "
            f"{100 * found['gain']:+.1f} (sd {100 * (found['gain_std'] or 0):.1f})"
        )
    if "ausuc" in metrics:
        words = {"S": "seen_accuracy", "U": "unseen_accuracy", "H": "harmonic_mean", "AUSUC": "ausuc"}
        notes.append(", ".join(f"{key} {100 * metrics[one].value:.1f} %" for key, one in words.items()))
    return notes
