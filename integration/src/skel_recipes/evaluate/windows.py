"""Features of windows around the frames of untrimmed recordings."""

from collections.abc import Callable

import numpy as np
from attrs import define

from skel_eval import HANDMADE
from skel_recipes.evaluate.handmade import LARGEST, handmade_features
from skel_recipes.evaluate.inputs import EncoderRef, EvaluationInputs, Ints, Source
from skel_recipes.run.clips import Floats, clips_of_recordings
from skel_recipes.run.embedding import embed_array
from skel_recipes.run.run import Run

WIDEST = 2048
"""Numbers of a hand-made feature of a window; wider ones are thinned."""
_CHUNK = 1024


@define(frozen=True, eq=False)
class CentredWindows:
    """Windows around every so manyth frame of recordings, cut off at their ends.

    Attributes:
        clips: Row of the recording of each window, (W,).
        centres: The frame in its middle, (W,).
        length: Frames of a window.
        inputs: Where the recordings are.
    """

    clips: Ints
    centres: Ints
    length: int
    inputs: EvaluationInputs

    @classmethod
    def of(cls, inputs: EvaluationInputs, rows: Ints, length: int, step: int) -> "CentredWindows":
        """Windows over some recordings of a store, in the order of the rows."""
        centres = [
            np.arange(min(step // 2, frames - 1), frames, step) for frames in inputs.store.lengths[rows]
        ]
        return cls(np.repeat(rows, [len(one) for one in centres]), np.concatenate(centres), length, inputs)

    def features(self, source: Source) -> list[Floats]:
        """Features (W, D) of each encoder, or the one of a hand-made kind.

        Args:
            source: "trained" or "untrained" encoders, or "coordinates" or "distances".
        """
        if source in HANDMADE:
            width = min(WIDEST, max(1, LARGEST // len(self.clips)))
            layout = self.inputs.store.layout
            return [self._of(self.inputs.run, lambda clips: handmade_features(source, clips, layout, width))]
        return [self._embedded(encoder, source == "trained") for encoder in self.inputs.encoders]

    def _embedded(self, encoder: EncoderRef, trained: bool) -> Floats:
        module = encoder.run.encoder(encoder.stream, trained=trained)
        layout, device = self.inputs.store.layout, self.inputs.device
        return self._of(
            encoder.run,
            lambda clips: embed_array(module, clips, device, stream=encoder.stream, layout=layout),
        )

    def _of(self, run: Run, take: Callable[[Floats], Floats]) -> Floats:
        store, found = self.inputs.store, []
        for first in range(0, len(self.clips), _CHUNK):
            spans = [self._span(window) for window in range(len(self.clips))[first : first + _CHUNK]]
            clips = clips_of_recordings(
                run,
                store.layout,
                [store.clip(row)[start:stop] for row, start, stop in spans],
                [store.tracks(row)[start:stop] for row, start, stop in spans],
            )
            found.append(take(clips))
        return np.concatenate(found)

    def _span(self, window: int) -> tuple[int, int, int]:
        row, centre = int(self.clips[window]), int(self.centres[window])
        start = max(0, centre - self.length // 2)
        stop = min(int(self.inputs.store.lengths[row]), centre - self.length // 2 + self.length)
        return row, start, stop
