"""RBF probe: kernel ridge regression on frozen features, exact or by the Nyström method."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from attrs import asdict, define, evolve, field
from torch import Tensor

from skel_eval._arrays import Array, Groups, refuse_nan, rows_per_block
from skel_eval._feature_set import FeatureSet
from skel_eval._metrics import accuracy
from skel_eval.protocols.holdout import fold_of_rows
from skel_eval.protocols.protocol import Outcome, classified
from skel_eval.protocols.ridge import one_hot, solve_ridge
from skel_eval.protocols.task import column_statistics, task_of
from skel_eval.protocols.training import strictly_positive, whole

_RANK = 1e-12  # smaller eigenvalues of the kernel of the landmarks, as a share of the largest, are rounding


@define(frozen=True)
class RBFProbe:
    """RBF probe: kernel ridge regression on frozen features.

    Width and strength are chosen on held-out training rows.

    Attributes:
        gammas: Factors of the squared distance in the kernel, as multiples of 1 / median squared distance.
        strengths: Ridge penalties. The pair with the best accuracy on held-out training rows is chosen.
        exact_rows: Largest number of training rows for which the kernel is exact; of more, the Nyström method
            approximates it.
        landmarks: Nyström: number of training rows, drawn at random, that span the approximation.
        seed: Nyström: seed of the draw.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "logits"
    title: ClassVar[str] = "rbf"
    gammas: tuple[float, ...] = field(default=(0.25, 0.5, 1.0, 2.0, 4.0), validator=strictly_positive)
    strengths: tuple[float, ...] = field(default=(1.0, 0.1, 0.01, 1e-3), validator=strictly_positive)
    exact_rows: int = field(default=4096, validator=whole(1))
    landmarks: int = field(default=2048, validator=whole(1))
    seed: int = field(default=0, validator=whole(0))

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Fit the training rows, predict the test rows; the main metric is the accuracy."""
        probe = rbf_probe(*features.arrays(), settings=self, groups=features.train_groups, device=device)
        used = asdict(self) | {"kernel_gamma": probe.gamma, "regularisation": probe.strength}
        used["landmarks"] = probe.landmarks
        # outputs of a regression are no logits: they have no calibration, and a late fusion adds them
        return evolve(classified(features, probe.predictions, None, used), scores=probe.scores)


@define(frozen=True, eq=False)
class RBFRegression:
    """Fitted kernel ridge regression: K(x) @ coefficients + bias, with an RBF kernel on standard columns.

    Attributes:
        mean: Mean of each column of the train rows, (D,), float64 as all others.
        scale: Their standard deviation, (D,).
        gamma: Factor of the squared distance in the kernel, ().
        vectors: Standardised train rows, or landmarks of the Nyström method, (V, D).
        coefficients: (V, classes).
        bias: (classes,); -inf for a class without train rows.
    """

    mean: Tensor = field(repr=False)
    scale: Tensor = field(repr=False)
    gamma: Tensor
    vectors: Tensor = field(repr=False)
    coefficients: Tensor = field(repr=False)
    bias: Tensor = field(repr=False)

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs (N, classes), float64, of features (N, D): about 1 for the class of a row, 0 for others."""
        rows = (x.double() - self.mean) / self.scale
        blocks = torch.split(rows, rows_per_block(8 * len(self.vectors), None))
        gamma = float(self.gamma)
        return torch.cat([_rbf(one, self.vectors, gamma) @ self.coefficients for one in blocks]) + self.bias


@define(frozen=True, eq=False, kw_only=True)
class RBFResult:
    """What `rbf_probe` found.

    Attributes:
        predictions: Class of each test row, (N_test,).
        scores: Outputs of the regression to one-hot classes, (N_test, classes); -inf for a class without
            train rows.
        accuracy: Share of the labelled test rows that are predicted right.
        gamma: The factor that was used, as a multiple of 1 / median squared distance.
        strength: The ridge penalty that was used.
        landmarks: Number of landmarks; None for the exact kernel.
        regression: What was fitted, on the CPU: it predicts further rows.
        held_out: (gamma, strength, accuracy on held-out train rows), smoothest first; empty without a choice.
    """

    predictions: np.ndarray = field(repr=False)
    scores: np.ndarray = field(repr=False)
    accuracy: float
    gamma: float
    strength: float
    landmarks: int | None
    regression: RBFRegression = field(repr=False)
    held_out: tuple[tuple[float, float, float], ...] = ()


def rbf_probe(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    *,
    settings: RBFProbe | None = None,
    groups: Groups | None = None,
    device: torch.device | str | None = None,
) -> RBFResult:
    """Fit kernel ridge regression with an RBF kernel to the train features, apply it to the test features.

    Columns are standardised by the train rows. The kernel is exp(-gamma ||x - y||^2 / m), where m is the
    median squared distance between train rows. The targets are one-hot classes, centred. In float64 this is
    scikit-learn's `KernelRidge` with ``alpha = strength``. gamma and strength are those with the best
    accuracy on held-out train rows, in the folds of `linear_probe`; of equals the smaller gamma, then the
    larger strength. Nothing is fitted to or chosen on the test rows.

    With more than `RBFProbe.exact_rows` train rows the kernel is that of the Nyström method (Williams and
    Seeger 2001): m is then the median between landmarks, and memory holds train rows x landmarks numbers.

    Args:
        train_x: Features, (N_train, D); rows of more than one axis are flattened.
        train_y: Classes, (N_train,); rows with a negative label are dropped.
        test_x: Features, (N_test, D).
        test_y: Classes, (N_test,); rows with a negative label do not count.
        settings: What to choose from; None means `RBFProbe()`.
        groups: Group of each train row, (N_train,), as in `linear_probe`.
        device: Where to compute; None means where `train_x` is.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a feature is not finite, or no train row is labelled.
    """
    settings = settings or RBFProbe()
    task = task_of(train_x, train_y, test_x, test_y, groups, device, torch.float64)
    mean, scale = column_statistics(task.train)
    train, labels = (task.train - mean) / scale, task.train_y
    landmarks = None
    if len(train) > settings.exact_rows:
        generator = torch.Generator().manual_seed(settings.seed)
        landmarks = train[
            torch.randperm(len(train), generator=generator)[: settings.landmarks].to(train.device)
        ]
    median = _median_distance(train if landmarks is None else landmarks)

    def kernel(gamma: float) -> "_Exact | _Nystroem":
        if landmarks is None:
            return _Exact(train, gamma / median)
        return _Nystroem(train, landmarks, gamma / median)

    gammas, strengths = sorted(set(settings.gammas)), sorted(set(settings.strengths), reverse=True)
    held_out: list[tuple[float, float, float]] = []
    if len(gammas) * len(strengths) > 1 and len(labels) > 1:
        fold = fold_of_rows(labels, task.groups, 5)
        for gamma in gammas:
            rates = _held_out(kernel(gamma), labels, fold, strengths)
            held_out += [(gamma, strength, rate) for strength, rate in zip(strengths, rates, strict=True)]
    gamma, strength, _ = max(held_out, key=lambda one: one[2], default=(gammas[0], strengths[0], 0.0))

    chosen, every = kernel(gamma), torch.ones_like(labels, dtype=torch.bool)
    target, means, present = one_hot(labels)
    (coefficients,) = chosen.fit(every, target, (strength,))
    found = chosen.predict((task.test - mean) / scale, coefficients).cpu() + means
    scores = found.new_full((len(found), int(present.max()) + 1), -torch.inf).index_copy_(1, present, found)
    refuse_nan(scores, "scores")
    predictions = scores.argmax(1)
    regression = _regression(mean, scale, chosen, coefficients, means, present)
    return RBFResult(
        predictions=predictions.numpy(),
        scores=scores.numpy(),
        accuracy=accuracy(predictions, task.test_y),
        gamma=gamma,
        strength=strength,
        landmarks=None if landmarks is None else len(landmarks),
        regression=regression,
        held_out=tuple(held_out),
    )


def _regression(
    mean: Tensor,
    scale: Tensor,
    kernel: "_Exact | _Nystroem",
    coefficients: Tensor,
    means: Tensor,
    present: Tensor,
) -> RBFRegression:
    """The regression on the CPU, with a column for each class up to the last one that is present."""
    classes = int(present.max()) + 1
    weights = kernel.of_vectors(coefficients).cpu()
    return RBFRegression(
        mean.cpu(),
        scale.cpu(),
        torch.tensor(kernel.gamma, dtype=torch.float64),
        kernel.vectors.cpu(),
        weights.new_zeros(len(weights), classes).index_copy_(1, present, weights),
        means.new_full((classes,), -torch.inf).index_copy_(0, present, means),
    )


class _Exact:
    """Kernel ridge regression in its dual form, with one coefficient for each fitted row and class."""

    def __init__(self, train: Tensor, gamma: float) -> None:
        self.vectors, self.gamma = train, gamma
        self.kernel = _rbf(train, train, gamma)

    def fit(self, rows: Tensor, target: Tensor, strengths: Sequence[float]) -> list[Tensor]:
        """Coefficients for each strength of a fit to some rows (N,), with their targets (rows, K)."""
        at = rows.nonzero().squeeze(1).to(self.kernel.device)
        return solve_ridge(self.kernel[at][:, at], target.to(self.kernel), strengths)

    def held_out(self, rows: Tensor, coefficients: Tensor) -> Tensor:
        """Outputs for the rows that were not fitted."""
        at, others = (one.nonzero().squeeze(1).to(self.kernel.device) for one in (rows, ~rows))
        return self.kernel[others][:, at] @ coefficients

    def predict(self, x: Tensor, coefficients: Tensor) -> Tensor:
        """Outputs (N, K) for other rows, of a fit to all."""
        blocks = torch.split(x, rows_per_block(8 * len(self.vectors), None))
        return torch.cat([_rbf(block, self.vectors, self.gamma) @ coefficients for block in blocks])

    def of_vectors(self, coefficients: Tensor) -> Tensor:
        """Coefficients of the kernel with `vectors`, (V, K)."""
        return coefficients


class _Nystroem:
    """Ridge regression on the features of the Nyström method, with one coefficient for each of these."""

    def __init__(self, train: Tensor, landmarks: Tensor, gamma: float) -> None:
        self.vectors, self.gamma = landmarks, gamma
        values, vectors = torch.linalg.eigh(_rbf(landmarks, landmarks, gamma))
        kept = values > _RANK * values[-1]
        self.whitening: Tensor = vectors[:, kept] / values[kept].sqrt()
        self.features = self._map(train)
        self.gram = self.features.T @ self.features

    def fit(self, rows: Tensor, target: Tensor, strengths: Sequence[float]) -> list[Tensor]:
        """Coefficients for each strength of a fit to some rows (N,), with their targets (rows, K)."""
        at = rows.to(self.gram.device)
        others = self.features[~at]
        wanted = self.gram.new_zeros(len(rows), target.shape[1])  # spares a copy of the features
        wanted[at] = target.to(self.gram)
        return solve_ridge(self.gram - others.T @ others, self.features.T @ wanted, strengths)

    def held_out(self, rows: Tensor, coefficients: Tensor) -> Tensor:
        """Outputs for the rows that were not fitted."""
        return self.features[~rows.to(self.gram.device)] @ coefficients

    def predict(self, x: Tensor, coefficients: Tensor) -> Tensor:
        """Outputs (N, K) for other rows, of a fit to all."""
        return self._map(x) @ coefficients

    def of_vectors(self, coefficients: Tensor) -> Tensor:
        """Coefficients of the kernel with `vectors`, (V, K)."""
        return self.whitening @ coefficients

    def _map(self, x: Tensor) -> Tensor:
        blocks = torch.split(x, rows_per_block(8 * len(self.vectors), None))
        return torch.cat([_rbf(block, self.vectors, self.gamma) @ self.whitening for block in blocks])


def _held_out(
    kernel: _Exact | _Nystroem, labels: Tensor, fold: Tensor, strengths: Sequence[float]
) -> list[float]:
    """Accuracy on the held-out rows of all folds, for each strength."""
    correct = [0] * len(strengths)
    for part in torch.unique(fold):
        rows = fold != part
        target, means, present = one_hot(labels[rows])
        for place, coefficients in enumerate(kernel.fit(rows, target, strengths)):
            found = kernel.held_out(rows, coefficients).cpu() + means
            correct[place] += int((present[found.argmax(1)] == labels[~rows]).sum())
    return [hits / len(labels) for hits in correct]


def _rbf(x: Tensor, y: Tensor, gamma: float) -> Tensor:
    """The kernel of rows (N, D) and (M, D), (N, M)."""
    return _squared_distances(x, y).mul_(-gamma).exp_()


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    lengths = x.square().sum(1)[:, None] + y.square().sum(1)
    return lengths.addmm_(x, y.T, alpha=-2).clamp_min_(0)


def _median_distance(x: Tensor) -> float:
    """Median squared distance of two different rows; 1 if there is none, or most rows are equal."""
    some = _squared_distances(x, x)
    above = some[torch.ones_like(some, dtype=torch.bool).triu_(1)]
    return (float(above.median()) if len(above) else 0.0) or 1.0
