"""Fine-tuning protocols: with all labels, with few, on other recordings."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import count as counter
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from attrs import asdict, define, evolve, field, validators
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from tyro.conf import Suppress
from tyro.constructors import PrimitiveConstructorSpec

from skel_augment import View, describe_view, preset
from skel_data import labelled_subset
from skel_data.files import write_file
from skel_encoders import layer_groups
from skel_eval import Finetune, FinetuneResult, Outcome, Result, finetune, fuse
from skel_recipes.common.progress import progress_bar
from skel_recipes.evaluate.baselines import accuracy_of, kept_baselines, simple_classifiers
from skel_recipes.evaluate.inputs import EncoderRef, EvaluationInputs, Ints, Source
from skel_recipes.methods.context import MethodContext
from skel_recipes.run.folder import save_folder


def _view(value: Any) -> Any:
    return preset(value) if isinstance(value, str) else value


ByName = PrimitiveConstructorSpec(
    nargs=1,
    metavar="VIEW",
    instance_from_str=lambda words: preset(words[0]),
    is_instance=lambda value: value is None or isinstance(value, View),
    str_from_instance=lambda _: ["none"],
)
"""How the command line reads a view: by the name of a preset."""


@define(frozen=True)
class FineTune:
    """Fine-tuning: the encoder and a head are trained with all labels.

    They are tested after the last epoch. The same training from the untrained encoder is the baseline: what
    labels alone reach.

    Attributes:
        settings: How to train; its seed is that of the first repeat.
        repeats: How often to train, with other seeds; the result is the mean.
        layer_decay: Layer-wise learning-rate decay: factor from a layer to the one before it.
        drop_path: Probability to skip the last block of a Transformer in training, growing linearly from 0 at
            the first; as in pretraining unless given.
        keep_joints: Give the head the features of all joints, and not their mean, as MAMP does.
        view: Augmentation of the training clips: the name of a preset such as compact.view; in Python also
            a view.
        keep: New folder for the tuned encoder, which every command takes instead of a run. Its head.npz has
            the head; a hidden layer has the names ``hidden.*``. With several streams it has a folder for
            each; with several repeats the first is kept.
        progress: Show a progress bar.
    """

    convert: ClassVar[bool] = False

    settings: Finetune = Finetune()
    repeats: int = field(default=1, validator=validators.ge(1))
    layer_decay: float = 1.0
    drop_path: float | None = None
    keep_joints: bool = False
    view: Annotated[View | None, ByName] = field(default=None, converter=_view)
    # no number depends on these
    keep: Path | None = field(default=None, kw_only=True, repr=False)
    progress: Annotated[bool, Suppress] = field(default=False, kw_only=True, repr=False)

    @property
    def title(self) -> str:
        """What the protocol is called with its settings."""
        return "finetune"

    def __call__(self, inputs: EvaluationInputs, name: str) -> tuple[Outcome, tuple[Result, ...]]:
        """Train with other seeds, and the same from the untrained encoder.

        Raises:
            FileExistsError: If the folder to keep the encoder in is there and not empty.
        """
        self.check_keep()
        seeds = range(self.settings.seed, self.settings.seed + self.repeats)
        subsets = [self.labelled(inputs, seed) for seed in seeds]

        def measure(source: Source) -> Outcome:
            trained = source == "trained"
            with self._epochs(self.repeats * len(inputs.encoders), trained=trained) as progress:
                runs = [
                    self._logits(inputs, rows, seed, progress, trained=trained)
                    for rows, seed in zip(subsets, seeds, strict=True)
                ]
            predictions = np.stack([logits.argmax(1) for logits in runs])
            labels = np.unique(inputs.store.labels[subsets[0]])
            return Outcome(
                {"accuracy": accuracy_of(inputs, predictions)},
                self._described(),
                predictions,
                runs[0],
                details={"labelled_classes": len(labels)},
                counts={"train": len(subsets[0])},
            )

        outcome = measure("trained")
        few = [rows for rows in subsets if len(rows) < len(inputs.split.train)]
        untrained = kept_baselines(inputs, name, self, measure, handmade=False)
        return outcome, (*untrained, *simple_classifiers(inputs, few))

    @contextmanager
    def _epochs(self, networks: int, *, trained: bool) -> Iterator[Callable[[int], object]]:
        """What is called after each epoch of each network, and moves the progress bar."""
        title, epochs = self.title if trained else f"{self.title}, untrained encoder", counter(1)
        total = networks * self.settings.epochs
        with progress_bar(title, "epoch", total) if self.progress else nullcontext(int) as advance:
            yield lambda _: advance(next(epochs))

    def check_keep(self) -> None:
        """Check that the folder to keep the encoder in is free.

        Raises:
            FileExistsError: If it is there and not empty.
        """
        if self.keep is not None and self.keep.exists() and any(self.keep.iterdir()):
            raise FileExistsError(f"{self.keep} exists already; name another folder")

    def labelled(self, inputs: EvaluationInputs, seed: int) -> Ints:  # noqa: ARG002
        """Rows of the training clips whose labels are used."""
        return inputs.split.train

    def _described(self) -> dict[str, Any]:
        view = self.view
        return {
            **asdict(self.settings),
            **asdict(
                self,
                recurse=False,
                filter=lambda one, _: one.name not in ("settings", "view", "keep", "progress"),
            ),
            "view": [] if view is None else describe_view(view),
        }

    def _logits(
        self,
        inputs: EvaluationInputs,
        rows: Ints,
        seed: int,
        progress: Callable[[int], object],
        *,
        trained: bool,
    ) -> NDArray[Any]:
        """Fused logits of the test clips after training on the clips of these rows."""
        labels, test = inputs.store.labels, inputs.split.test
        settings, view, logits = evolve(self.settings, seed=seed), self.view, []
        for encoder in inputs.encoders:
            context = MethodContext(encoder.run.shape, encoder.stream, len(rows))
            clips = (
                inputs.clips_of(encoder, rows)
                if view is None
                else np.array(inputs.joint_clips_of(encoder)[rows])
            )
            result = finetune(
                self._prepared(encoder.run.encoder(encoder.stream, trained=trained)),
                clips,
                labels[rows],
                inputs.clips_of(encoder, test),
                labels[test],
                settings=settings,
                augment=None if view is None else partial(augmented, context, view),
                parameter_groups=None if self.layer_decay == 1 else self._groups,
                device=inputs.device,
                progress=progress,
            )
            logits.append(result.logits)
            if self.keep is not None and trained and seed == self.settings.seed:
                keep_tuned(result, encoder, inputs, self.keep)
        return fuse(logits, inputs.weights)

    def _prepared(self, encoder: Any) -> nn.Module:
        """The encoder with the drop path and the pooling of the settings."""
        name = type(encoder).__name__
        if self.drop_path is not None:
            if not hasattr(encoder, "set_drop_path"):
                raise ValueError(f"drop_path is for encoder transformer, got {name}")
            encoder.set_drop_path(self.drop_path)
        if self.keep_joints:
            if not hasattr(encoder, "pool_joints"):
                raise ValueError(
                    f"keep_joints is for encoder transformer, got {name}: its features have no joints"
                )
            encoder.pool = encoder.pool_joints
        prepared: nn.Module = encoder
        return prepared

    def _groups(self, encoder: nn.Module) -> Sequence[dict[str, Any]]:
        settings = self.settings
        return layer_groups(
            encoder, settings.learning_rate, self.layer_decay, weight_decay=settings.weight_decay
        )


@define(frozen=True)
class SemiSupervised(FineTune):
    """Semi-supervised protocol: fine-tuning with few labels, repeated with other labelled clips.

    Attributes:
        repeats: How often to train, with other labelled clips; the result is the mean.
        fraction: Part of the training clips that have a label, such as 0.01, 0.05, 0.1.
        balanced: Whether the fraction is taken of each class, or else of all clips, whatever their class, as
            CMD and MAMP do.
    """

    repeats: int = field(default=5, validator=validators.ge(1))
    fraction: float = field(default=0.1, validator=[validators.gt(0), validators.le(1)])
    balanced: bool = True

    @property
    def title(self) -> str:
        """What the protocol is called with its settings."""
        return f"{100 * self.fraction:g} % of the labels" + ", drawn uniformly" * (not self.balanced)

    def labelled(self, inputs: EvaluationInputs, seed: int) -> Ints:
        """Rows of the training clips whose labels are used."""
        train = inputs.split.train
        labels = inputs.store.labels[train]
        rows: Ints = train[labelled_subset(labels, self.fraction, seed=seed, balanced=self.balanced)]
        return rows


@define(frozen=True)
class Transfer(FineTune):
    """Transfer protocol: fine-tuning on another set, whose joints are converted by their names."""

    convert: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """What the protocol is called with its settings."""
        return "transfer"


def augmented(context: MethodContext, view: View, clips: Tensor, generator: Generator) -> Tensor:
    """A view of joints, in the stream of the encoder."""
    return context.views(clips, [view], generator)[0]


def keep_tuned(result: FinetuneResult, encoder: EncoderRef, inputs: EvaluationInputs, folder: Path) -> None:
    """Write a tuned encoder and its head; what it was pretrained on is no longer all that it has seen."""
    run = encoder.run
    tuned = run.encoder(encoder.stream, trained=False)
    tuned.load_state_dict(result.encoder_state)
    if len(inputs.encoders) > 1:
        folder /= f"{list(inputs.encoders).index(encoder)}-{encoder.stream}"
    classes = inputs.store.classes
    data = evolve(run.recipe.data, stream=encoder.stream)
    name = f"{run.recipe.name}, fine-tuned"
    save_folder(tuned, folder, data, name=name, bodies=run.shape.bodies, classes=classes)
    head = {"weight": result.weight, "bias": result.bias, "classes": np.array(classes)}
    head |= {f"hidden.{name}": value.numpy() for name, value in result.hidden_state.items()}
    with write_file(folder / "head.npz") as file:
        np.savez(file, allow_pickle=False, **head)
