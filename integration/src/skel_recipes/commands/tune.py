"""``skel eval finetune``, ``semi`` and ``transfer``: encoders that are trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from skel_recipes.commands.evaluate import COMMON, Common, CommonArgs, RunPath, tell

StorePath = Annotated[Path, tyro.conf.Positional]


@dataclass(frozen=True)
class Training:
    """How an encoder is trained on.

    Attributes:
        published: As the program of this method does, such as cmd or mamp; the last epoch counts.
        epochs: Length of the training.
        learning_rate: Largest learning rate.
        layer_decay: Factor of the learning rate from a layer to the one before it.
        view: Augmentation of the training clips: the name of a preset, such as compact.view.
        seed: Seed of the first training.
    """

    published: str | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    layer_decay: float | None = None
    view: str | None = None
    seed: int = 0


TrainingArgs = Annotated[Training, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="")]
TRAINING = Training()


def eval_finetune(
    run: RunPath,
    store: StorePath,
    /,
    *,
    repeats: int = 1,
    training: TrainingArgs = TRAINING,
    common: CommonArgs = COMMON,
) -> None:
    """Fine-tune the encoder with all labels.

    Args:
        run: A finished run; it stays as it is.
        store: The recordings.
        repeats: How often to train, with other seeds.
        training: How to train.
        common: Further options.
    """
    _tune(run, store, training, common, repeats=repeats)


def eval_semi(
    run: RunPath,
    store: StorePath,
    /,
    *,
    fraction: float = 0.1,
    uniform: bool = False,
    repeats: int = 5,
    training: TrainingArgs = TRAINING,
    common: CommonArgs = COMMON,
) -> None:
    """Fine-tune the encoder with few labels: the semi-supervised protocol.

    Args:
        run: A finished run; it stays as it is.
        store: The recordings.
        fraction: Part of the training clips whose labels are used, such as 0.01, 0.05, 0.1.
        uniform: Take the fraction of all clips, whatever their class, as CMD and MAMP do; else of each class.
        repeats: How often to train, with other labelled clips.
        training: How to train.
        common: Further options.
    """
    _tune(run, store, training, common, repeats=repeats, fraction=fraction, balanced=not uniform)


def eval_transfer(
    run: RunPath,
    store: StorePath,
    /,
    *,
    repeats: int = 1,
    training: TrainingArgs = TRAINING,
    common: CommonArgs = COMMON,
) -> None:
    """Fine-tune the encoder on recordings of another set; other joints are converted by their names.

    Args:
        run: A finished run; it stays as it is.
        store: The other recordings.
        repeats: How often to train, with other seeds.
        training: How to train.
        common: Further options.
    """
    _tune(run, store, training, common, repeats=repeats, convert=True)


def _tune(
    run: Path, store: Path, training: Training, common: Common, *, convert: bool = False, **options: Any
) -> None:
    from attrs import evolve

    from skel_augment import preset
    from skel_data import Store
    from skel_eval import Finetune, published_protocol
    from skel_recipes._run import Run
    from skel_recipes._tune import tune

    settings, decay = Finetune(), 1.0
    if training.published is not None:
        program = published_protocol(training.published)
        if program.finetune is None:
            raise ValueError(f"the program of {training.published} has no fine-tuning")
        settings, decay = program.finetune, program.layer_decay
    asked = {"epochs": training.epochs, "learning_rate": training.learning_rate, "seed": training.seed}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    evaluation = tune(
        Run.open(run),
        Store.open(store),
        settings=evolve(settings, **changes),
        layer_decay=decay if training.layer_decay is None else training.layer_decay,
        view=None if training.view is None else preset(training.view),
        stream_name=common.stream,
        split=common.split,
        convert=convert or common.convert,
        device=common.device,
        tag=common.tag or training.published or "",
        **options,
    )
    tell(evaluation, run, common)
