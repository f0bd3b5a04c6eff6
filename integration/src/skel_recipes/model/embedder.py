"""Embedder: the frozen encoders of a run with all that stands before them, from recordings to features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from attrs import define, field
from numpy.typing import NDArray
from torch import nn

from skel_data import ClipShape, Pipeline, SkeletonLayout, apply_pipeline, drop_low_scores
from skel_data import stream as take_stream
from skel_eval import side_by_side
from skel_recipes.evaluate.inputs import EncoderRef
from skel_recipes.run.clips import Floats, centre_windows
from skel_recipes.run.embedding import embed_array

_CHUNK = 1024


@define(frozen=True, eq=False)
class Embedder:
    """Frozen encoders with the pipeline and the joints that they were trained on.

    It needs no run folder, and pickles whole.

    Attributes:
        shape: Layout, frames and bodies of the clips that the encoders take.
        pipeline: The pipeline, with the number of bodies.
        crop: Length of the window in the middle of a recording, as a share of it.
        streams: The stream of each encoder.
        weights: The weight of each in the late fusion.
        encoders: In eval mode.
        device: Where to compute.
        min_score: Score of a pose estimator below which a joint is missing, as in the labelled recordings.
    """

    shape: ClipShape
    pipeline: Pipeline
    crop: float
    streams: tuple[str, ...]
    weights: tuple[float, ...]
    encoders: tuple[nn.Module, ...] = field(repr=False)
    device: torch.device = torch.device("cpu")
    min_score: float = 0.0

    @classmethod
    def of(cls, encoders: Sequence[EncoderRef], device: torch.device, min_score: float = 0.0) -> "Embedder":
        """The encoders of one run.

        Raises:
            ValueError: If pretraining has not ended.
        """
        run = encoders[0].run
        return cls(
            run.shape,
            run.pipeline,
            run.recipe.data.crop,
            tuple(encoder.stream for encoder in encoders),
            tuple(encoder.weight for encoder in encoders),
            tuple(run.encoder(encoder.stream) for encoder in encoders),
            device,
            min_score,
        )

    @property
    def layout(self) -> SkeletonLayout:
        """The joints."""
        return self.shape.layout

    def clips(
        self, recordings: Sequence[NDArray[Any]], tracks: Sequence[NDArray[Any]] | None = None
    ) -> Floats:
        """Clips (N, C, T, V, M) of the joint stream, from recordings (T, M, V, C) of any length.

        Raises:
            ValueError: If a recording or its tracks do not fit the layout.
        """
        kept = [drop_low_scores(one, self.layout, self.min_score) for one in recordings]
        made = apply_pipeline(self.pipeline, self.layout, kept, tracks)
        return centre_windows(made, self.shape.frames, self.crop)

    def features_of_clips(self, clips: Floats) -> list[Floats]:
        """Features (N, D) from each encoder, of prepared clips (N, C, T, V, M)."""
        pairs = zip(self.encoders, self.streams, strict=True)
        return [embed_array(one, clips, self.device, stream=name, layout=self.layout) for one, name in pairs]

    @torch.inference_mode()
    def features_of_clip(self, clip: Floats) -> list[Floats]:
        """The same of one prepared clip (1, C, T, V, M), at the least cost: for streams of frames."""
        x = torch.from_numpy(clip).to(self.device)
        pairs = zip(self.encoders, self.streams, strict=True)
        return [one(take_stream(x, name, self.layout)).float().cpu().numpy() for one, name in pairs]

    def features(
        self, recordings: Sequence[NDArray[Any]], tracks: Sequence[NDArray[Any]] | None = None
    ) -> list[Floats]:
        """Features (N, D) from each encoder, of recordings (T, M, V, C) of any length."""
        parts = []
        for start in range(0, len(recordings), _CHUNK):
            some = slice(start, start + _CHUNK)
            clips = self.clips(recordings[some], None if tracks is None else tracks[some])
            parts.append(self.features_of_clips(clips))
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def embed(
        self, recordings: Sequence[NDArray[Any]], tracks: Sequence[NDArray[Any]] | None = None
    ) -> Floats:
        """The same of all encoders side by side, (N, D)."""
        return side_by_side(self.features(recordings, tracks), self.weights)
