"""Model: a recogniser of actions that needs neither run nor store, as an object and as a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from attrs import define, evolve
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from skel_data import SkeletonLayout
from skel_eval import fuse, side_by_side
from skel_recipes.common.device import pick_device
from skel_recipes.common.words import count
from skel_recipes.model.calibration import Calibration
from skel_recipes.model.embedder import Embedder
from skel_recipes.model.heads import Head
from skel_recipes.model.predictions import ClassPredictions
from skel_recipes.model.sources import Recordings, Taken, take, windows_of
from skel_recipes.run.joints import scales

if TYPE_CHECKING:
    from skel_recipes.model.stream import Stream

Floats = NDArray[np.float32]
_CHUNK = 1024


@define(frozen=True, eq=False, repr=False)
class Model:
    """Recogniser of actions: pipeline, encoders and a classifier, with all that is needed to use it.

    `fit` makes one from a run and labelled recordings, `load_model` opens the folder of one.

    Attributes:
        embedder: The encoders and what stands before them.
        head_name: Kind of the classifier: linear, mlp, knn, rbf or finetune.
        heads: The classifier; one for each encoder, or one for all.
        classes: Name of each class.
        calibration: Temperature and threshold, and what they were chosen on.
        clip_frames: Median number of frames of the labelled clips: the window of a stream.
        fps: Frames per second of the labelled clips.
        origin: The settings it came from, as JSON holds them: run, recipe, store, labels, versions.
        held_out: The accuracy on clips that nothing was fitted to, as JSON holds it; None if there were none.
    """

    embedder: Embedder
    head_name: str
    heads: tuple[Head, ...]
    classes: tuple[str, ...]
    calibration: Calibration
    clip_frames: int
    fps: float
    origin: Mapping[str, Any]
    held_out: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        embedder = self.embedder
        kinds = " + ".join(dict.fromkeys(type(encoder).__name__ for encoder in embedder.encoders))
        streams = " + ".join(embedder.streams)
        return (
            f"Model({self.head_name} on {kinds}, {streams}, {count(len(self.classes), 'class')},\n"
            f"  layout {self.layout.name!r}, {embedder.shape.frames} frames, "
            f"pipeline {embedder.pipeline.name},\n"
            f"  threshold {self.threshold:.3f}, device {embedder.device})"
        )

    @property
    def layout(self) -> SkeletonLayout:
        """The joints of the recordings that it takes."""
        return self.embedder.layout

    @property
    def units(self) -> str:
        """Units of the recordings that it takes; "unknown" too if its pipeline brings bodies to one size."""
        known = self.origin.get("store", {}).get("units", "unknown")
        return "unknown" if scales(self.embedder.pipeline, self.layout) else str(known)

    @property
    def threshold(self) -> float:
        """Probability of the most probable class below which a clip is "none of these"."""
        return self.calibration.threshold

    def to(self, device: str) -> "Model":
        """The same model on a device: cpu, cuda, cuda:1, ... or auto."""
        return evolve(self, embedder=evolve(self.embedder, device=pick_device(device)))

    def predict(
        self,
        source: Recordings,
        *,
        window: int = 0,
        step: int = 0,
        file_format: str | None = None,
        file_layout: SkeletonLayout | str | Path | None = None,
        convert: bool = False,
        **imported: Any,
    ) -> ClassPredictions:
        """Class and probability of each recording, or of each window of it.

        Args:
            source: Recordings: a store; a path of a store, or of a file or folder of any format; an array
                (T, V, C), (T, M, V, C) or (N, T, M, V, C); a `skel_data.Clip`; or a sequence of these two.
            window: Frames of a window that slides over each recording; 0 for whole recordings.
            step: Frames from one window to the next; half a window if 0.
            file_format: Format of a file or folder, as `skel_data.READERS` has them.
            file_layout: Joints of its files, where the format does not fix them.
            convert: Convert recordings with other joints to those of the model, by the names of the joints.
            imported: Arguments of `skel_data.import_dataset` for files of a format: up, zeros, rate, fps.

        Raises:
            FileNotFoundError: If there is nothing at a path.
            ValueError: If nothing can be read, the joints differ, or window or step is out of range.
        """
        options: Any = {"file_format": file_format, "file_layout": file_layout, "convert_joints": convert}
        found = take(source, self.layout, units=self.units, **options, **imported)
        return self.predict_taken(found, window=window, step=step)

    def predict_taken(self, found: Taken, *, window: int = 0, step: int = 0) -> ClassPredictions:
        """`predict` of recordings that `skel_recipes.model.sources.take` gave."""
        if window < 0 or step < 0 or (step and not window):
            raise ValueError(
                "window and step must be 0 or more frames, and a step goes with a window, "
                f"got {window}, {step}"
            )
        if window:
            spans = list(windows_of(found, window, step or max(1, window // 2)))
        else:
            spans = [(row, 0, len(one)) for row, one in enumerate(found.positions)]
        parts = [self._probabilities(found, spans[at : at + _CHUNK]) for at in range(0, len(spans), _CHUNK)]
        probabilities = np.concatenate(parts)
        rows, starts, stops = np.array(spans, np.int64).T
        return ClassPredictions(
            tuple(found.names[row] for row in rows.tolist()),
            starts,
            stops,
            probabilities,
            self.labels_of(probabilities),
            self.classes,
            self.threshold,
        )

    def stream(self, *, window: int = 0, step: int = 5, fps: float | None = None) -> "Stream":
        """A stream of frames, which gives the label of now; see `Stream.push`.

        Args:
            window: Frames that a label is computed from; the median of the labelled clips if 0.
            step: Frames from one label to the next.
            fps: Frames per second that these two count in, where frames come with time stamps; that of the
                labelled clips if None.

        Raises:
            ValueError: If a number is out of range.
        """
        from skel_recipes.model.stream import Stream

        return Stream(self, window=window, step=step, fps=fps)

    def embed(self, source: Recordings, *, convert: bool = False) -> Floats:
        """Features (N, D) of recordings, those of all encoders side by side; see `predict` for them."""
        found = take(source, self.layout, units=self.units, convert_joints=convert)
        return self.embedder.embed(found.positions, found.tracks)

    def _probabilities(self, found: Taken, spans: list[tuple[int, int, int]]) -> NDArray[np.float64]:
        clips = self.embedder.clips(
            [found.positions[row][start:stop] for row, start, stop in spans],
            [found.tracks[row][start:stop] for row, start, stop in spans],
        )
        return self.probabilities_of(clips)

    def probabilities_of(self, clips: Floats) -> NDArray[np.float64]:
        """Probabilities (N, classes) of prepared clips (N, C, T, V, M); all 0 for a clip without a body."""
        probabilities = self.probabilities_of_features(self.embedder.features_of_clips(clips))
        probabilities[~(clips != 0).any((1, 2, 3, 4))] = 0
        return probabilities

    def probabilities_of_features(self, features: list[Floats]) -> NDArray[np.float64]:
        """Probabilities (N, classes), from the features (N, D) of each encoder."""
        logits = apply_heads(self.heads, features, self.embedder.weights, len(self.classes))
        probabilities: NDArray[np.float64] = (logits / self.calibration.temperature).softmax(1).numpy()
        return probabilities

    def labels_of(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Most probable class (N,), -1 where its probability is below the threshold or nobody is seen."""
        best = probabilities.max(1)
        sure = (best >= self.threshold) & (best > 0)
        labels: NDArray[np.int64] = np.where(sure, probabilities.argmax(1), -1)
        return labels

    def save(self, path: str | Path) -> Path:
        """Write the model to a folder that needs neither run nor store, whole or not at all.

        Raises:
            FileExistsError: If there is something at the path already.
            FileNotFoundError: If there is no folder for it.
            ValueError: If an encoder cannot be saved; see `skel_encoders.save_pretrained`.
        """
        from skel_recipes.model.files import save_model

        return save_model(self, Path(path))


def apply_heads(
    heads: tuple[Head, ...], features: list[Floats], weights: tuple[float, ...], classes: int
) -> Tensor:
    """Fused logits (N, classes), float64, of the features (N, D) of each encoder."""
    if not len(features[0]):
        return torch.zeros(0, classes, dtype=torch.float64)
    if heads[0].fuses == "features":
        features = [side_by_side(features, weights)]
    logits = [head(torch.from_numpy(x)) for head, x in zip(heads, features, strict=True)]
    return fuse_logits(logits, weights, classes)


def fuse_logits(logits: Sequence[Tensor], weights: Sequence[float], classes: int) -> Tensor:
    """Weighted mean of the logits (N, K) of each encoder; -inf for the classes behind the K."""
    wide = [functional.pad(one, (0, classes - one.shape[1]), value=-torch.inf) for one in logits]
    return wide[0] if len(wide) == 1 else torch.from_numpy(fuse(wide, weights)) / sum(weights)
