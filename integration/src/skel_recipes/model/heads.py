"""Classifier heads on frozen features: how each is fitted, and what is kept of it.

What is kept are arrays, so that a head can be saved without code. A head gives logits (N, classes), -inf for
a class without training rows. A head that ``fuses`` logits is fitted for each encoder, and the logits are
added; one that fuses features is fitted to the features of all encoders side by side.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol, cast

import torch
from attrs import asdict, define, evolve, field
from torch import Tensor
from torch.nn import functional

from skel_eval import LBFGS, MlpProbe, RBFProbe, RBFRegression, linear_probe, mlp_probe, rbf_probe
from skel_eval.protocols.task import column_statistics

SHARPNESS = 10.0
"""What turns outputs between 0 and 1 into logits, before they are calibrated: the inverse of the usual
temperature of a vote of neighbours, 0.1."""


class Head(Protocol):
    """A fitted classifier: a frozen attrs class whose fields are tensors."""

    fuses: ClassVar[Literal["logits", "features"]]

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, classes), float64, of features (N, D)."""

    def arrays(self) -> dict[str, Tensor]:
        """Its fields."""


class _Arrays:
    """The fields of a head by name."""

    def arrays(self) -> dict[str, Tensor]:
        """Its fields."""
        return asdict(cast("Any", self), recurse=False)


FitRows = Callable[[Tensor], Head]
"""From a mask of the training rows (N,) to the head that is fitted to those rows."""


@define(frozen=True, eq=False)
class Linear(_Arrays):
    """Linear classifier: (classes, D) and (classes,)."""

    fuses: ClassVar[Literal["logits", "features"]] = "logits"
    weight: Tensor = field(repr=False)
    bias: Tensor = field(repr=False)

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, classes), float64, of features (N, D)."""
        return x.double() @ self.weight.double().T + self.bias.double()


@define(frozen=True, eq=False)
class Mlp(_Arrays):
    """Classifier with one hidden layer, whose BatchNorm is folded into the layer."""

    fuses: ClassVar[Literal["logits", "features"]] = "logits"
    hidden_weight: Tensor = field(repr=False)
    hidden_bias: Tensor = field(repr=False)
    weight: Tensor = field(repr=False)
    bias: Tensor = field(repr=False)

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, classes), float64, of features (N, D)."""
        hidden = x.double() @ self.hidden_weight.double().T + self.hidden_bias.double()
        return functional.relu(hidden) @ self.weight.double().T + self.bias.double()


@define(frozen=True, eq=False)
class Neighbours(_Arrays):
    """1-nearest-neighbour classifier by cosine similarity.

    The logit of a class is the similarity of its nearest training row, so that the most probable class is
    that of the nearest row of all.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "features"
    bank: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, classes), float64, of features (N, D)."""
        return self.logits(x, int(self.labels.max()) + 1)

    def logits(self, x: Tensor, classes: int) -> Tensor:
        """The same for this number of classes; -inf for one without training rows."""
        similarity = functional.normalize(x, dim=1) @ self.bank.to(x.dtype).T
        best = x.new_full((x.shape[0], classes), -torch.inf)
        best.scatter_reduce_(1, self.labels.expand(x.shape[0], -1), similarity, "amax")
        return SHARPNESS * best.double()


@define(frozen=True, eq=False)
class Rbf(_Arrays, RBFRegression):
    """Kernel ridge regression of one-hot classes, with the Gaussian (RBF) kernel on standardised features."""

    fuses: ClassVar[Literal["logits", "features"]] = "logits"

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, classes), float64, of features (N, D)."""
        return SHARPNESS * super().__call__(x)


def fit_linear(x: Tensor, y: Tensor, groups: Tensor | None, settings: LBFGS | None = None) -> FitRows:
    """Logistic regression by `skel_eval.linear_probe`.

    The first call chooses the strength on rows that it holds out; later ones keep it.
    """
    solver = settings or LBFGS()
    chosen: list[float] = []

    def fit(rows: Tensor) -> Head:
        known = None if groups is None else groups[rows]
        strengths = tuple(chosen) or solver.strengths
        nothing = x[:1], torch.tensor([-1])
        with_strengths = evolve(solver, strengths=strengths)
        probe = linear_probe(x[rows], y[rows], *nothing, solver=with_strengths, groups=known)
        chosen[:] = [float(probe.strength or strengths[0])]
        return Linear(torch.from_numpy(probe.weight), torch.from_numpy(probe.bias))

    return fit


def fit_mlp(x: Tensor, y: Tensor, groups: Tensor | None, settings: MlpProbe | None = None) -> FitRows:
    """A hidden layer and a linear one, trained by `skel_eval.mlp_probe`."""
    del groups  # nothing is chosen

    def fit(rows: Tensor) -> Head:
        known = x[rows]
        probe = mlp_probe(known, y[rows], known[:1], torch.tensor([-1]), settings=settings)
        mean, scale = column_statistics(known.double())
        state = {name: value.double() for name, value in probe.encoder_state.items()}
        weight, bias = state["0.weight"], state["0.bias"]
        if "1.running_var" in state:
            factor = state["1.weight"] / (state["1.running_var"] + 1e-5).sqrt()
            weight, bias = (
                weight * factor[:, None],
                (bias - state["1.running_mean"]) * factor + state["1.bias"],
            )
        weight = weight / scale
        return Mlp(weight, bias - weight @ mean, torch.from_numpy(probe.weight), torch.from_numpy(probe.bias))

    return fit


def fit_knn(x: Tensor, y: Tensor, groups: Tensor | None, settings: None = None) -> FitRows:
    """The training rows themselves."""
    del groups, settings

    def fit(rows: Tensor) -> Head:
        return Neighbours(functional.normalize(x[rows], dim=1), y[rows])

    return fit


def fit_rbf(x: Tensor, y: Tensor, groups: Tensor | None, settings: RBFProbe | None = None) -> FitRows:
    """Kernel ridge regression by `skel_eval.rbf_probe`.

    The first call chooses width and strength on rows that it holds out; later ones keep them.
    """
    chosen: list[RBFProbe] = [settings or RBFProbe()]

    def fit(rows: Tensor) -> Head:
        known = None if groups is None else groups[rows]
        probe = rbf_probe(x[rows], y[rows], x[:1], torch.tensor([-1]), settings=chosen[-1], groups=known)
        chosen.append(evolve(chosen[0], gammas=(probe.gamma,), strengths=(probe.strength,)))
        return Rbf(**asdict(probe.regression, recurse=False))

    return fit


FITS: dict[str, Callable[[Tensor, Tensor, Tensor | None, Any], FitRows]] = {
    "linear": fit_linear,
    "mlp": fit_mlp,
    "knn": fit_knn,
    "rbf": fit_rbf,
}
HEADS: dict[str, Any] = {"linear": Linear, "mlp": Mlp, "knn": Neighbours, "rbf": Rbf, "finetune": Linear}
"""Heads by name; ``finetune`` trains the encoder too, and its head is linear."""
