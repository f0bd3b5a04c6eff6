"""Stream of frames: a label for what happens now, from a ring buffer of the last frames."""

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from skel_data import SkeletonLayout, drop_low_scores
from skel_recipes.model.predictions import NONE
from skel_recipes.model.sources import slots

if TYPE_CHECKING:
    from skel_recipes.model.model import Model

Floats = NDArray[np.float32]


@define(frozen=True, eq=False)
class StreamPrediction:
    """What is happening now.

    Attributes:
        label: Most probable class; -1 for none of these: its probability is below the threshold, or nobody
            is seen.
        name: Its name.
        probability: Probability of the most probable class.
        age: Frames that have come since the label was computed; 0 for a new one.
        seconds: The same in seconds, where frames come with time stamps; None otherwise.
        probabilities: (classes,).
    """

    label: int
    name: str
    probability: float
    age: int
    seconds: float | None
    probabilities: NDArray[np.float64] = field(repr=False)


class Stream:
    """Stream of frames through a model; `Model.stream` makes one.

    Args:
        model: The model.
        window: Frames that a label is computed from, at the frame rate of the model.
        step: Frames from one label to the next, at that rate.
        fps: That rate, where it is not what the model says.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, model: "Model", *, window: int = 0, step: int = 5, fps: float | None = None) -> None:
        self.model = model
        self.window = window or model.clip_frames
        self.step = step
        self.fps = model.fps if fps is None else fps
        if self.window < 2 or step < 1 or not 0 < self.fps < np.inf:
            raise ValueError(
                "a stream needs a window of 2 frames or more, a step of 1 or more and fps above 0, got "
                f"window={window}, step={step}, fps={fps}"
            )
        self.clear()

    def clear(self) -> None:
        """Forget all frames, as before a new recording."""
        self._frames: deque[tuple[Floats, tuple[int, ...] | None]] = deque()
        self._times: deque[float] = deque()
        self._last: NDArray[np.float64] | None = None
        self._age = 0
        self._labelled_at = -np.inf

    def push(
        self,
        frames: NDArray[Any] | None,
        times: float | NDArray[Any] | None = None,
        *,
        tracks: NDArray[Any] | None = None,
    ) -> StreamPrediction | None:
        """Take one frame or a few, and give the label of now.

        A new label is computed every ``step`` frames, once half a window has come; between, the last one is
        given again with its age.

        Args:
            frames: One frame of one body (V, C) or of several (M, V, C), or several frames (T, M, V, C), in
                the joints of the model; None for a frame without anybody.
            times: Time stamps in seconds, one or (T,). With them frames may come at any rate: they are
                brought to that of the model. Give them always or never.
            tracks: Body ids, (M,) or (T, M), 0 where there is none, for bodies that may come in any order.

        Returns:
            The label; None as long as there is none.

        Raises:
            ValueError: If frames do not fit the layout, or time stamps do not rise or are not given always.
        """
        block = self._block(frames)
        stamps = self._stamps(times, len(block))
        ids = None if tracks is None else np.atleast_2d(np.asarray(tracks))
        if ids is not None and ids.shape != block.shape[:2]:
            raise ValueError(
                f"tracks must be {block.shape[:2]}, one for each body of a frame, got {ids.shape}"
            )
        for row, frame in enumerate(block):
            self._frames.append((frame, None if ids is None else tuple(ids[row].tolist())))
            self._age += 1
            if stamps is not None:
                self._times.append(stamps[row])
            self._forget()
            if self._due():
                self._label()
        return self._now()

    def _block(self, frames: NDArray[Any] | None) -> Floats:
        layout = self.model.layout
        shape = (layout.num_joints, layout.channels)
        if frames is None:
            return np.zeros((1, 1, *shape), np.float32)
        block = np.asarray(frames)
        if block.ndim not in (2, 3, 4) or block.shape[-2:] != shape or block.dtype.kind not in "fiu":
            raise ValueError(
                "a frame must be numbers (V, C) or (M, V, C), several (T, M, V, C), with "
                f"(V, C) = {shape}, the joints of {layout.name}; got {block.dtype} {block.shape}"
            )
        block = block.reshape(*(1,) * (4 - block.ndim), *block.shape)
        if block.shape[1] == 0:
            return np.zeros((len(block), 1, *shape), np.float32)
        return np.array(block, np.float32)  # a copy: a camera's program may use its array again

    def _stamps(self, times: Any, count: int) -> list[float] | None:
        if times is None:
            if self._times:
                raise ValueError(
                    "frames before this one had time stamps: give them always, or clear the stream"
                )
            return None
        stamps = np.asarray(times, np.float64).reshape(-1)
        before = [self._times[-1]] if self._times else []
        if self._frames and not before:
            raise ValueError(
                "frames before this one had no time stamps: give them always, or clear the stream"
            )
        rising = np.isfinite(stamps).all() and (np.diff([*before, *stamps]) > 0).all()
        if len(stamps) != count or not rising:
            after = f" after {before[0]}" if before else ""
            raise ValueError(
                f"expected {count} time stamps in seconds, each above the one before, "
                f"got {stamps.tolist()[:5]}{after}"
            )
        found: list[float] = stamps.tolist()
        return found

    def _forget(self) -> None:
        """Drop the frames that no window needs any more; one before its start is kept to interpolate from."""
        if self._times:
            start = self._times[-1] - (self.window - 1) / self.fps
            while len(self._times) > 2 and self._times[1] <= start:
                self._times.popleft()
                self._frames.popleft()
        elif len(self._frames) > self.window:
            self._frames.popleft()

    def _due(self) -> bool:
        if not self._times:
            return len(self._frames) >= self._least and (self._last is None or self._age >= self.step)
        enough = (self._times[-1] - self._times[0]) * self.fps + 1 >= self._least - 1e-6
        return enough and (self._times[-1] - self._labelled_at) * self.fps >= self.step - 1e-6

    @property
    def _least(self) -> int:
        return max(2, self.window // 2)

    def _label(self) -> None:
        embedder = self.model.embedder
        recording = drop_low_scores(self._recording(), embedder.layout, embedder.min_score)
        if self._times:
            recording = self._at_model_rate(recording)
            self._labelled_at = self._times[-1]
        clips = embedder.clips([recording], [slots(recording)])
        features = embedder.features_of_clip(clips)
        self._last = self.model.probabilities_of_features(features)[0] * bool(clips.any())
        self._age = 0

    def _recording(self) -> Floats:
        """The frames of the buffer as one recording (T, M, V, C), each body in a slot of its own."""
        if any(ids is not None for _, ids in self._frames):
            known = sorted({one for _, ids in self._frames for one in ids or () if one})
            place = {one: slot for slot, one in enumerate(known)}
            count = max(len(known), 1)
        else:
            place, count = {}, max(len(frame) for frame, _ in self._frames)
        first = self._frames[0][0]
        out = np.zeros((len(self._frames), count, *first.shape[1:]), np.float32)
        for row, (frame, ids) in enumerate(self._frames):
            if ids is None:
                out[row, : min(len(frame), count)] = frame[:count]
            else:
                for body, one in zip(frame, ids, strict=True):
                    if one:
                        out[row, place[one]] = body
        return out

    def _at_model_rate(self, recording: Floats) -> Floats:
        times = np.array(self._times)
        span = min(self.window - 1, (times[-1] - times[0]) * self.fps)
        wanted = times[-1] - np.arange(int(span + 1e-6), -1, -1) / self.fps
        return at_times(recording, times, wanted, self.model.layout)

    def _now(self) -> StreamPrediction | None:
        if self._last is None:
            return None
        label = int(self.model.labels_of(self._last[None])[0])
        seconds = self._times[-1] - self._labelled_at if self._times else None
        name = NONE if label < 0 else self.model.classes[label]
        return StreamPrediction(label, name, float(self._last.max()), self._age, seconds, self._last)


def at_times(
    recording: Floats, times: NDArray[np.float64], wanted: NDArray[np.float64], layout: SkeletonLayout
) -> Floats:
    """A recording at other moments, by linear interpolation; a missing joint takes no part.

    Beside a gap a joint keeps its nearer value, as in `skel_data.Default`.

    Args:
        recording: (T, M, V, C).
        times: Moment of each frame, rising, (T,).
        wanted: The moments that are wanted, (W,); held at both ends.
        layout: The joints.

    Returns:
        (W, M, V, C).
    """
    coordinates = recording[..., : layout.dims]
    there = np.isfinite(coordinates).all(-1) & (coordinates != 0).any(-1)
    if layout.confidence:
        there &= recording[..., layout.dims] > 0
    known = np.where(there[..., None], recording, np.float32(0))
    high = np.searchsorted(times, wanted).clip(1, max(len(times) - 1, 1)).clip(max=len(times) - 1)
    low = (high - 1).clip(0)
    gap = np.where(high > low, times[high] - times[low], 1)
    weight = ((wanted - times[low]) / gap).clip(0, 1).astype(np.float32)[:, None, None]
    seen = (there[low] & (weight <= 0.5)) | (there[high] & (weight >= 0.5))
    parts = np.where(there[low], 1 - weight, np.float32(0)), np.where(there[high], weight, np.float32(0))
    total = np.where(seen, parts[0] + parts[1], np.float32(1))[..., None]
    mixed = (known[low] * parts[0][..., None] + known[high] * parts[1][..., None]) / total
    return np.where(seen[..., None], mixed, 0).astype(np.float32)
