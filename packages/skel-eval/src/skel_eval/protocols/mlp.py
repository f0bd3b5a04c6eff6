"""The MLP probe: what a classifier with one hidden layer can read from frozen features."""

from typing import Any, ClassVar, Literal

import torch
from attrs import asdict, define, field
from torch import nn

from skel_eval._arrays import Array
from skel_eval._feature_set import FeatureSet
from skel_eval.protocols.finetune import Finetune, FinetuneResult, finetune
from skel_eval.protocols.protocol import Outcome, classified
from skel_eval.protocols.task import column_statistics, task_of
from skel_eval.protocols.training import ABOVE_0, AT_LEAST_0, SHARE, whole


@define(frozen=True)
class MlpProbe:
    """Probe with one hidden layer on frozen features; no setting is chosen from the data.

    Attributes:
        width: Units of the hidden layer.
        batch_norm: Whether there is a BatchNorm between the hidden layer and its ReLU.
        dropout: Share of the hidden units that is dropped while training.
        epochs: Passes over the train set; the last one is reported.
        batch_size: Rows per step, at least 2; one row that is left over joins the step before it.
        learning_rate: Learning rate of AdamW; it falls to 0 as a half cosine, step by step.
        weight_decay: Decay of the weights, not of the hidden biases or of the BatchNorm.
        seed: Seed of the initial weights, of the order of the rows and of dropout.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "logits"
    title: ClassVar[str] = "mlp"
    width: int = field(default=512, validator=whole(1))
    batch_norm: bool = True
    dropout: float = field(default=0.0, validator=SHARE)
    epochs: int = field(default=50, validator=whole(1))
    batch_size: int = field(default=256, validator=whole(2))
    learning_rate: float = field(default=1e-3, validator=ABOVE_0)
    weight_decay: float = field(default=0.05, validator=AT_LEAST_0)
    seed: int = field(default=0, validator=whole(0))

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Train on the training rows, predict the test rows; the main metric is the accuracy."""
        probe = mlp_probe(*features.arrays(), settings=self, device=device)
        return classified(features, probe.predictions, probe.logits, asdict(self))


def mlp_probe(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    *,
    settings: MlpProbe | None = None,
    device: torch.device | str | None = None,
) -> FinetuneResult:
    """Train a classifier with one hidden layer on the train features and apply it to the test features.

    Features are standardised by the columns of the train rows. Nothing is fitted to or chosen on the test
    rows; `test_y` is used for the accuracy alone. One train row in all is trained on with BatchNorm as it
    starts. The encoder of the result is the hidden layer, on standardised features.

    Args:
        train_x: Features, (N_train, D); rows of more than one axis are flattened.
        train_y: Classes, (N_train,); rows with a negative label are dropped.
        test_x: Features, (N_test, D).
        test_y: Classes, (N_test,); rows with a negative label do not count.
        settings: How to train; None means `MlpProbe()`.
        device: Where to compute; None means where `train_x` is.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a feature is not finite, or no train row is labelled.
    """
    settings = settings or MlpProbe()
    task = task_of(train_x, train_y, test_x, test_y, None, device, torch.float32)
    mean, scale = (x.float() for x in column_statistics(task.train.double()))
    with torch.random.fork_rng([]):
        torch.manual_seed(settings.seed)
        hidden = nn.Sequential(
            nn.Linear(task.train.shape[1], settings.width),
            nn.BatchNorm1d(settings.width) if settings.batch_norm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
        )
    names = ("epochs", "batch_size", "learning_rate", "weight_decay", "seed")
    shared = {name: getattr(settings, name) for name in names}
    return finetune(
        hidden,
        (task.train - mean) / scale,
        task.train_y,
        (task.test - mean) / scale,
        task.test_y,
        settings=Finetune(optimizer="adamw", schedule="cosine", per_step=True, **shared),
        parameter_groups=_matrices_and_vectors,
        device=task.train.device,
    )


def _matrices_and_vectors(module: nn.Module) -> list[dict[str, Any]]:
    parameters = list(module.parameters())
    return [
        {"params": [x for x in parameters if x.ndim > 1]},
        {"params": [x for x in parameters if x.ndim < 2], "weight_decay": 0.0},
    ]
