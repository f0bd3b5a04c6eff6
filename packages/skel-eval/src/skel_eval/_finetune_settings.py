"""Settings of fine-tuning."""

from attrs import define, field, validators

from skel_eval._settings import (
    ABOVE_0,
    AT_LEAST_0,
    SHARE,
    only,
    refuse_long_warmup,
    refuse_unused,
    whole,
)

_STEP, _COSINE = only(schedule=("step",)), only(schedule=("cosine",))


@define(frozen=True)
class Finetune:
    """Settings of `finetune`; the defaults are CMD's for few labels and for transfer.

    A setting that the optimizer or the schedule does not use can only have its default.

    Attributes:
        epochs: Passes over the train clips; the last one is reported.
        batch_size: Clips per step, at least 2.
        drop_last: Whether clips that do not fill a last step of an epoch are left out of it.
        optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: Initial learning rate.
        head_learning_rate: The one of the linear head; None for the same.
        momentum: sgd: momentum of the gradient.
        nesterov: sgd: whether the momentum is Nesterov's.
        weight_decay: Weight decay, the optimizer's own kind.
        schedule: ``"step"``, ``"cosine"`` or ``"constant"``.
        milestones: step: epochs after which the learning rate is multiplied by gamma.
        gamma: step: that factor.
        per_step: cosine: whether the learning rate changes with every step, not with every epoch.
        min_learning_rate: cosine: the learning rate at the end.
        warmup_epochs: Epochs in which the learning rate first rises from 0, step by step.
        label_smoothing: Share of each label that is spread over all classes.
        mode: ``"train"``, or ``"eval"``: BatchNorm uses its stored statistics and dropout is off while the
            weights are trained, as in the programs of AimCLR and CMCS.
        precision: ``"float32"``, that is the encoder's own, or ``"bfloat16"`` where autocast allows it.
        head_std: Standard deviation of the initial weights of the head; its biases start at 0.
        seed: Seed of the head, of the order of the clips, of the augmentation and of dropout.
    """

    epochs: int = field(default=80, validator=whole(1))
    batch_size: int = field(default=64, validator=whole(2))
    drop_last: bool = False
    optimizer: str = field(default="sgd", validator=validators.in_(("sgd", "adam", "adamw")))
    learning_rate: float = field(default=0.01, validator=ABOVE_0)
    head_learning_rate: float | None = field(default=None, validator=validators.optional(ABOVE_0))
    momentum: float = field(default=0.9, validator=SHARE, metadata=only(optimizer=("sgd",)))
    nesterov: bool = field(default=False, metadata=only(optimizer=("sgd",)))
    weight_decay: float = field(default=0.0, validator=AT_LEAST_0)
    schedule: str = field(default="step", validator=validators.in_(("step", "cosine", "constant")))
    milestones: tuple[int, ...] = field(default=(50, 70), metadata=_STEP)
    gamma: float = field(default=0.1, validator=ABOVE_0, metadata=_STEP)
    per_step: bool = field(default=False, metadata=_COSINE)
    min_learning_rate: float = field(default=0.0, validator=AT_LEAST_0, metadata=_COSINE)
    warmup_epochs: int = field(default=0, validator=whole(0))
    label_smoothing: float = field(default=0.0, validator=SHARE)
    mode: str = field(default="train", validator=validators.in_(("train", "eval")))
    precision: str = field(default="float32", validator=validators.in_(("float32", "bfloat16")))
    head_std: float = field(default=0.01, validator=AT_LEAST_0)
    seed: int = field(default=0, validator=whole(0))

    def __attrs_post_init__(self) -> None:
        refuse_unused(self)
        refuse_long_warmup(self.warmup_epochs, self.epochs)
