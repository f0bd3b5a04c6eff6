"""Fine-tuning of an encoder with a linear head: all labels, few labels, or transfer."""

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any, Literal

import torch
from attrs import define, field, validators
from torch import Generator, Tensor, nn
from torch.nn import functional

from skel_eval._arrays import Array, as_labels, as_tensor, labelled_rows, refuse_nan
from skel_eval._metrics import accuracy
from skel_eval._ranks import same_on_all_ranks
from skel_eval.protocols.task import ProbeResult, with_absent_classes
from skel_eval.protocols.training import (
    ABOVE_0,
    AT_LEAST_0,
    SHARE,
    TrainingSettings,
    build_optimizer,
    step_sizes,
    whole,
)

Augment = Callable[[Tensor, Generator], Tensor]
ParameterGroups = Callable[[nn.Module], Iterable[dict[str, Any]]]


@define(frozen=True, kw_only=True)
class Finetune(TrainingSettings):
    """Settings of `finetune`; the defaults are CMD's for few labels and for transfer.

    Attributes:
        epochs: Passes over the training clips; the last one is reported.
        batch_size: Clips per step, at least 2.
        optimizer: "sgd", "adam" or "adamw".
        learning_rate: Initial learning rate.
        head_learning_rate: The one of the linear head; None for the same.
        momentum: sgd: momentum of the gradient.
        nesterov: sgd: whether the momentum is Nesterov's.
        milestones: step: epochs after which the learning rate is multiplied by gamma.
        label_smoothing: Share of each label that is spread over all classes.
        mode: "train", or "eval": BatchNorm uses its stored statistics and dropout is off while the weights
            are trained, as in the programs of AimCLR and CMCS.
        precision: "float32", that is the encoder's own, or "bfloat16" where autocast allows it.
        head_std: Standard deviation of the initial weights of the linear head; its biases start at 0.
        hidden: Units of a hidden layer before the linear head, with BatchNorm and ReLU, as MAMP has it; 0 for
            none.
        dropout: Share of the features that is dropped in training, before the head.
    """

    epochs: int = field(default=80, validator=whole(1))
    batch_size: int = field(default=64, validator=whole(2))
    optimizer: Literal["sgd", "adam", "adamw"] = field(
        default="sgd", validator=validators.in_(("sgd", "adam", "adamw"))
    )
    learning_rate: float = field(default=0.01, validator=ABOVE_0)
    head_learning_rate: float | None = field(default=None, validator=validators.optional(ABOVE_0))
    momentum: float = field(default=0.9, validator=SHARE)
    nesterov: bool = False
    milestones: tuple[int, ...] = (50, 70)
    label_smoothing: float = field(default=0.0, validator=SHARE)
    mode: Literal["train", "eval"] = field(default="train", validator=validators.in_(("train", "eval")))
    precision: Literal["float32", "bfloat16"] = field(
        default="float32", validator=validators.in_(("float32", "bfloat16"))
    )
    head_std: float = field(default=0.01, validator=AT_LEAST_0)
    hidden: int = field(default=0, validator=whole(0))
    dropout: float = field(default=0.0, validator=SHARE)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.optimizer != "sgd":
            self._refuse("momentum", "nesterov", because=f"optimizer {self.optimizer!r}")


@define(frozen=True, eq=False, kw_only=True)
class FinetuneResult(ProbeResult):
    """A fine-tuned encoder and its head after the last epoch, and their predictions of test clips.

    Attributes:
        weight: Of the linear head.
        bias: Of the linear head.
        losses: Mean loss of the train clips of each epoch, while it ran.
        encoder_state: State dict of the tuned encoder, on the CPU.
        hidden_state: State dict of the hidden layer, ``linear`` and ``norm``, on the CPU; empty without one.
    """

    losses: tuple[float, ...] = field(repr=False)
    encoder_state: dict[str, Tensor] = field(repr=False)
    hidden_state: dict[str, Tensor] = field(repr=False, factory=dict)


def finetune(
    encoder: nn.Module,
    train_clips: Array,
    train_y: Array,
    test_clips: Array,
    test_y: Array,
    *,
    settings: Finetune | None = None,
    augment: Augment | None = None,
    parameter_groups: ParameterGroups | None = None,
    objective: nn.Module | None = None,
    device: torch.device | str | None = None,
    progress: Callable[[int], object] | None = None,
) -> FinetuneResult:
    """Train a copy of an encoder and a linear head on labelled clips, and apply them to test clips.

    With a part of the train clips it is the semi-supervised protocol, with an encoder that was pretrained on
    other recordings the transfer protocol. Nothing is chosen on the test clips; `test_y` is used for the
    accuracy alone. The encoder that is passed in stays as it is, and so does PyTorch's random state.

    A single clip that is left over at the end of an epoch joins the step before it, so that BatchNorm always
    sees two clips; with one train clip in all, it is trained as with ``mode="eval"``.

    Args:
        encoder: A module from clips to features (N, D). Parameters that require no gradient stay as they are.
        train_clips: (N_train, ...), for instance (N, C, T, V, M); each step is moved to `device`.
        train_y: Classes, (N_train,); clips with a negative label are dropped.
        test_clips: (N_test, ...).
        test_y: Classes, (N_test,); clips with a negative label do not count.
        settings: How to train; None means `Finetune()`.
        augment: Changes the clips of a step, on the device; the generator is one of the CPU.
        parameter_groups: From the copy of the encoder to groups for the optimizer, for instance of lower
            learning rates ``"lr"`` for lower layers; parameters that it leaves out stay as they are. The
            schedule scales all learning rates alike.
        objective: What is minimised in place of the cross-entropy of the labels, for instance with a term for
            unlabelled clips of another set. It is called with the classifier, the clips of a step, their
            classes among those that are present, and a generator of the CPU, and gives a scalar. The
            classifier has ``features(clips)``, (N, D), and ``head(features)``, logits. Weights of the module
            are trained in place, with the head's learning rate.
        device: Where to compute; None means where the encoder is.
        progress: Called with the number of epochs so far, after each.

    Raises:
        RuntimeError: If the labels are not the same in all processes of a `torch.distributed` group.
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a train or test clip is not finite, no train clip is labelled, or
            the encoder does not give (N, D) or has nothing to train.
    """
    settings = settings or Finetune()
    train, test = _clips(train_clips, "train_clips"), _clips(test_clips, "test_clips")
    labels, truth = as_labels(train_y, len(train), "train_y"), as_labels(test_y, len(test), "test_y")
    known = labelled_rows(labels)
    same_on_all_ranks(labels, "train_y")
    present, target = torch.unique(labels[known], return_inverse=True)
    first = next(chain(encoder.parameters(), encoder.buffers()), torch.empty(0))
    where = torch.device(first.device if device is None else device)
    with torch.random.fork_rng([where] if where.type == "cuda" else [], device_type="cuda"):
        torch.manual_seed(settings.seed)
        generator = Generator().manual_seed(settings.seed)
        model = _Classifier(encoder, train[known[:1]], len(present), where, settings, generator)
        aim = _CrossEntropy(settings.label_smoothing) if objective is None else objective
        aim.to(where, model.dtype)
        optimizer = _optimizer(model, aim, settings, parameter_groups)
        losses = _train(model, aim, optimizer, train, known, target, settings, augment, generator, progress)
    weight, bias = with_absent_classes(model.weight.detach(), model.bias.detach(), present)
    logits = _features(model, test, torch.arange(len(test)), settings) @ weight.T + bias
    train_logits = _features(model, train, known, settings) @ weight.T + bias
    refuse_nan(logits, "logits of the test clips")
    predictions = logits.argmax(1).cpu()
    return FinetuneResult(
        predictions=predictions.numpy(),
        logits=logits.cpu().numpy(),
        accuracy=accuracy(predictions, truth),
        train_accuracy=accuracy(train_logits.argmax(1), labels[known]),
        losses=losses,
        encoder_state=_state(model.encoder),
        hidden_state=_state(model.hidden),
        weight=weight.cpu().numpy(),
        bias=bias.cpu().numpy(),
    )


class _Classifier(nn.Module):
    """A copy of the encoder and a head, from clips on any device to logits on that of the copy."""

    def __init__(
        self,
        encoder: nn.Module,
        clip: Tensor,
        classes: int,
        device: torch.device,
        settings: Finetune,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.encoder = deepcopy(encoder).to(device).eval()
        self.device = device
        self.dtype = next((x.dtype for x in self.encoder.parameters()), torch.float32)
        self.autocast = settings.precision == "bfloat16"
        with torch.no_grad():
            width = self.encode(self.placed(clip)).shape[1]
        self.dropout = nn.Dropout(settings.dropout)
        self.hidden = nn.Sequential()
        if settings.hidden:
            self.hidden.add_module("linear", nn.Linear(width, settings.hidden))
            self.hidden.add_module("norm", nn.BatchNorm1d(settings.hidden))
            self.hidden.add_module("relu", nn.ReLU())
            self.hidden.to(device, self.dtype).eval()
            width = settings.hidden
        weight = torch.randn(classes, width, generator=generator, dtype=self.dtype) * settings.head_std
        self.weight = nn.Parameter(weight.to(device))
        self.bias = nn.Parameter(torch.zeros(classes, dtype=self.dtype, device=device))

    def placed(self, clips: Tensor) -> Tensor:
        return clips.to(self.device, self.dtype)

    def encode(self, clips: Tensor) -> Tensor:
        """Features of the encoder, (N, D)."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            features = self.encoder(clips)
        if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(clips):
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(f"the encoder must give features ({len(clips)}, D), got {got}")
        return features.to(self.dtype)

    def features(self, clips: Tensor) -> Tensor:
        """What the linear head sees, (N, D)."""
        features: Tensor = self.hidden(self.dropout(self.encode(clips)))
        return features

    def forward(self, clips: Tensor) -> Tensor:
        return self.head(self.features(clips))

    def head(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of features (N, D)."""
        return functional.linear(features, self.weight, self.bias)


class _CrossEntropy(nn.Module):
    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, model: nn.Module, clips: Tensor, labels: Tensor, _: Generator) -> Tensor:
        return functional.cross_entropy(model(clips), labels, label_smoothing=self.label_smoothing)


def _train(
    model: _Classifier,
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    clips: Tensor,
    known: Tensor,
    target: Tensor,
    settings: Finetune,
    augment: Augment | None,
    generator: Generator,
    progress: Callable[[int], object] | None,
) -> tuple[float, ...]:
    """Train on the clips of the rows `known`, (L,), of classes `target`, (L,); the mean loss per epoch."""
    peaks = [group["lr"] for group in optimizer.param_groups]
    views = Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
    sizes = step_sizes(len(known), settings.batch_size, drop_last=settings.drop_last, least=2)
    _set_mode(model, "eval" if len(known) == 1 else settings.mode)
    losses = []
    with torch.enable_grad():
        for epoch in range(settings.epochs):
            order = torch.randperm(len(known), generator=generator)[: sum(sizes)]
            total = torch.zeros((), device=model.device)
            for step, rows in enumerate(torch.split(order, sizes)):
                scale = settings.learning_rate_at(epoch, step, len(sizes)) / settings.learning_rate
                for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                    group["lr"] = peak * scale
                batch = model.placed(clips.index_select(0, known[rows].to(clips.device)))
                if augment is not None:
                    batch = augment(batch, views)
                wanted = target[rows].to(model.device)
                loss = objective(model, batch, wanted, views)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                total += loss.detach() * len(rows)
            losses.append(float(total) / sum(sizes))
            if not math.isfinite(losses[-1]):
                raise ValueError(
                    f"training diverged: the loss of epoch {epoch + 1} is {losses[-1]} at "
                    f"learning rate {settings.learning_rate:g} ({settings.optimizer})"
                )
            if progress is not None:
                progress(epoch + 1)
    model.eval()
    return tuple(losses)


@torch.no_grad()
def _features(model: _Classifier, clips: Tensor, rows: Tensor, settings: Finetune) -> Tensor:
    """Features of the clips of these rows, (L, D)."""
    parts = torch.split(rows.to(clips.device), settings.batch_size)
    return torch.cat([model.features(model.placed(clips.index_select(0, part))) for part in parts])


def _optimizer(
    model: _Classifier, objective: nn.Module, settings: Finetune, parameter_groups: ParameterGroups | None
) -> torch.optim.Optimizer:
    made = parameter_groups(model.encoder) if parameter_groups else [{"params": model.encoder.parameters()}]
    groups = [{**group, "params": [x for x in group["params"] if x.requires_grad]} for group in made]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("no parameter of the encoder requires a gradient, so there is nothing to fine-tune")
    rate = settings.head_learning_rate or settings.learning_rate
    heads = [*model.hidden.parameters(), model.weight, model.bias, *objective.parameters()]
    groups.append({"params": heads, "lr": rate})
    return build_optimizer(
        groups,
        settings.optimizer,
        settings.learning_rate,
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
    )


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.cpu().clone() for name, value in module.state_dict().items()}


def _set_mode(model: nn.Module, mode: str) -> None:
    model.train(mode == "train")
    for part in model.modules():
        if isinstance(part, nn.RNNBase) and part.dropout == 0:
            part.train()  # changes nothing but that cuDNN gives gradients


def _clips(values: Array, name: str) -> Tensor:
    clips = as_tensor(values, name)
    if clips.ndim < 2 or 0 in clips.shape:
        raise ValueError(f"{name} must have shape (N, ...) with no axis of 0, got {tuple(clips.shape)}")
    if not bool(torch.isfinite(clips).all()):
        raise ValueError(f"{name} holds values that are not finite")
    return clips
