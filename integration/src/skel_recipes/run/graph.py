"""The default pipeline as a module of PyTorch, for graphs that take recordings as they are."""

import torch
from torch import Tensor, nn

from skel_data import Default, SkeletonLayout
from skel_data import stream as take_stream
from skel_recipes.run.run import Run

_BONE = 0.25  # what `Default` scales the mean bone to
_DOUBLINGS = 14
LONGEST = 2**_DOUBLINGS
"""Frames of the longest gap that the graph fills."""


class DefaultSteps(nn.Module):
    """Recordings (N, T, M, V, C) to clips (N, C, frames, V, M), as `skel_data.Default` makes them.

    Each slot is one body. Recordings of a batch that are shorter than T end with frames of zeros, and slots
    without a body are zeros.

    Args:
        pipeline: The settings.
        layout: The joints.

    Raises:
        ValueError: If a step cannot be exported; the message says which.
    """

    def __init__(self, pipeline: Default, layout: SkeletonLayout) -> None:
        super().__init__()
        if pipeline.bodies_by != "motion" and pipeline.bodies != 1:
            raise ValueError(f"the step bodies_by = {pipeline.bodies_by!r} cannot be exported")
        if pipeline.ghosts:
            raise ValueError(f"the step ghosts = {pipeline.ghosts} cannot be exported")
        self.pipeline, self.layout = pipeline, layout

    def forward(self, x: Tensor) -> Tensor:
        """Clips of recordings."""
        layout, pipeline = self.layout, self.pipeline
        dims = layout.dims
        size = x[..., :dims].abs().sum(-1)
        mask = (size > 0) & (size < torch.inf)
        if layout.confidence:
            mask = mask & (x[..., dims] > 0) & (x[..., dims] < torch.inf)
        x = torch.where(mask[..., None], x, torch.zeros_like(x))
        if x.shape[2] > 1:
            x, mask = _by_motion(x, mask, dims)
        x, mask, lengths = _trim(x, mask)
        x, mask = _fill(x, mask, dims)
        x = _centre(x, mask, layout.center, dims)
        if pipeline.face and dims == 3 and layout.facing:
            x = _face(x, mask, layout.facing)
        if pipeline.scale and layout.bones:
            factor = _factor(x, mask, layout.bones, dims)[:, None, None, None, None]
            x = torch.cat([x[..., :dims] * factor, x[..., dims:]], -1)
        return _resample(x, mask, lengths, pipeline.frames).permute(0, 4, 1, 3, 2)


class WholeGraph(nn.Module):
    """Pipeline, stream, encoder and, where there is one, a classifier: recordings to features or logits.

    Args:
        steps: The pipeline, from recordings to clips.
        stream: The stream that the encoder takes.
        layout: The joints.
        encoder: The encoder.
        head: From features (N, D) to logits (N, K); None gives features.
    """

    def __init__(
        self,
        steps: nn.Module,
        stream: str,
        layout: SkeletonLayout,
        encoder: nn.Module,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.steps, self.stream, self.layout = steps, stream, layout
        self.encoder, self.head = encoder, head

    def forward(self, recordings: Tensor) -> Tensor:
        """Features or logits of recordings (N, T, M, V, C)."""
        features: Tensor = self.encoder(take_stream(self.steps(recordings), self.stream, self.layout))
        return features if self.head is None else self.head(features)


def steps_of(run: Run) -> DefaultSteps:
    """The pipeline of a run as a module.

    Raises:
        ValueError: If the pipeline is another one, or one of its steps cannot be exported.
    """
    pipeline, data = run.pipeline, run.recipe.data
    if type(pipeline) is not Default:
        raise ValueError(
            f"the pipeline {pipeline.name} of {run.path} cannot be exported, only default can: "
            "export with pipeline=False (--no-pipeline), and prepare clips with skel_data"
        )
    if data.crop != 1 or run.shape.frames != pipeline.frames:
        raise ValueError(
            f"the step data.crop = {data.crop:g}, with {run.shape.frames} of {pipeline.frames} frames, of "
            f"{run.path} cannot be exported: export with pipeline=False (--no-pipeline)"
        )
    try:
        return DefaultSteps(pipeline, run.layout)
    except ValueError as error:
        raise ValueError(f"{run.path}: {error}: export with pipeline=False (--no-pipeline)") from None


def _by_motion(x: Tensor, mask: Tensor, dims: int) -> tuple[Tensor, Tensor]:
    """Bodies by how much they move, the first one first; one that is never there beside another shares."""
    count = mask.sum(1)[..., None].clamp(min=1)
    mean = x[..., :dims].sum(1) / count
    spread = (((x[..., :dims] - mean[:, None]).square() * mask[..., None]).sum(1) / count).sqrt()
    energy = spread.mean((2, 3)) * mask.any(3).float().mean(1)  # (N, M)
    slots = x.shape[2]
    places = torch.arange(slots)
    ahead = energy[:, None] > energy[:, :, None]
    ahead = ahead | ((energy[:, None] == energy[:, :, None]) & (places[None] < places[:, None]))
    rank = ahead.sum(2)
    out, out_mask = torch.zeros_like(x), torch.zeros_like(mask)
    for place in range(slots):
        this = (rank == place)[:, None, :, None]
        one_mask = (mask & this).any(2)  # (N, T, V)
        one = (x * this[..., None]).sum(2)
        there = one_mask.any(2)  # (N, T)
        free = ~(out_mask.any(3) & there[..., None]).any(1)  # (N, M)
        first = torch.where(free, places, slots).amin(1, keepdim=True)
        put = (places == first) & there.any(1, keepdim=True)
        into = put[:, None, :, None]
        out = out + one[:, :, None] * into[..., None]
        out_mask = out_mask | (one_mask[:, :, None] & into)
    return out, out_mask


def _trim(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    there = mask.any(3).any(2)  # (N, T)
    frames = torch.arange(x.shape[1])
    first = torch.where(there, frames, x.shape[1]).amin(1)
    last = torch.where(there, frames, -1).amax(1)
    seen = last >= 0
    first = torch.where(seen, first, 0)
    lengths = torch.where(seen, last - first + 1, 1)
    at = (first[:, None] + frames).clamp(max=x.shape[1] - 1)
    inside = (frames < lengths[:, None])[..., None, None]
    return _at(x, at) * inside[..., None], _at(mask, at) & inside, lengths


def _at(x: Tensor, frames: Tensor) -> Tensor:
    """The frames (N, F) of each clip."""
    return x[torch.arange(x.shape[0])[:, None], frames]


def _fill(x: Tensor, mask: Tensor, dims: int) -> tuple[Tensor, Tensor]:
    count = x.shape[1]
    frames = torch.arange(count)[:, None, None]
    before = torch.where(mask, frames, -1)
    after = torch.where(mask, frames, count)
    for doubling in range(_DOUBLINGS):  # the running maximum and minimum, in steps of 1, 2, 4, ...
        step = 2**doubling
        edge = torch.full_like(before[:, :1], -1).expand(-1, step, -1, -1)
        before = torch.maximum(before, torch.cat([edge, before], 1)[:, :count])
        edge = torch.ones_like(after[:, :1]).expand(-1, step, -1, -1) * count
        after = torch.minimum(after, torch.cat([after, edge], 1)[:, step:])
    body = mask.any(3)
    moments = frames[..., 0]
    start = torch.where(body, moments, count).amin(1, keepdim=True)
    stop = torch.where(body, moments, -1).amax(1, keepdim=True)
    span = (moments >= start) & (moments <= stop)
    filled = span[..., None] & mask.any(1)[:, None]
    low = torch.where(before < 0, after, before).clamp(0, count - 1)
    high = torch.where(after == count, before, after).clamp(0, count - 1)
    weight = ((frames - low) / (high - low).clamp(min=1))[..., None].to(x.dtype)
    places = x[..., :dims]
    ends = [places.gather(1, end[..., None].expand(-1, -1, -1, -1, dims)) for end in (low, high)]
    made = ends[0] * (1 - weight) + ends[1] * weight
    known = torch.where((filled & ~mask)[..., None], made, places)
    return torch.cat([known, x[..., dims:]], -1), filled


def _centre(x: Tensor, mask: Tensor, joint: int, dims: int) -> Tensor:
    count = x.shape[1]
    body_seen, joint_seen = mask[:, :, 0].any(2), mask[:, :, 0, joint]
    seen = torch.where(joint_seen.any(1, keepdim=True), joint_seen, body_seen)
    first = torch.where(seen, torch.arange(count), count).amin(1)
    first = torch.where(first == count, 0, first)[:, None]
    body, known = _at(x[:, :, 0, :, :dims], first)[:, 0], _at(mask[:, :, 0], first)[:, 0]
    mean = body.sum(1) / known.sum(1).clamp(min=1)[:, None]
    origin = torch.where(known[:, joint, None], body[:, joint], mean)[:, None, None, None]
    return torch.cat([x[..., :dims] - origin, x[..., dims:]], -1) * mask[..., None]


def _face(x: Tensor, mask: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    both = (mask[:, :, 0, left] & mask[:, :, 0, right])[..., None]
    vector = ((x[:, :, 0, right] - x[:, :, 0, left]) * both).double().sum((1, 2))
    length = (vector[:, 0].square() + vector[:, 2].square()).sqrt()
    known = length > 1e-6 * x.abs().amax((1, 2, 3, 4))
    safe = torch.where(known, length, 1.0)
    cos = torch.where(known, vector[:, 0] / safe, 1.0)[:, None, None, None].to(x.dtype)
    sin = torch.where(known, vector[:, 2] / safe, 0.0)[:, None, None, None].to(x.dtype)
    turned = (cos * x[..., 0] + sin * x[..., 2], x[..., 1], cos * x[..., 2] - sin * x[..., 0])
    return torch.cat([torch.stack(turned, -1), x[..., 3:]], -1)


def _factor(x: Tensor, mask: Tensor, bones: tuple[tuple[int, int], ...], dims: int) -> Tensor:
    child, parent = [bone[0] for bone in bones], [bone[1] for bone in bones]
    body, known = x[:, :, 0, :, :dims], mask[:, :, 0]
    both = known[..., child] & known[..., parent]
    lengths = (body[..., child, :] - body[..., parent, :]).square().sum(-1).sqrt() * both
    count = both.sum(2)
    mean = torch.where(count > 0, lengths.sum(2) / count.clamp(min=1), torch.inf).sort(1).values
    frames = (count > 0).sum(1)
    middle = torch.stack([(frames - 1).clamp(min=0) // 2, (frames // 2).clamp(max=x.shape[1] - 1)], 1)
    size = torch.where(frames > 0, mean.gather(1, middle).mean(1), 0.0)
    usable = size > 1e-6 * x[..., :dims].abs().amax((1, 2, 3, 4))
    return torch.where(usable, _BONE / torch.where(usable, size, 1.0), 1.0)


def _resample(x: Tensor, mask: Tensor, lengths: Tensor, frames: int) -> Tensor:
    last = (lengths - 1)[:, None]
    at = (torch.arange(frames).double() + 0.5) * lengths[:, None] / frames - 0.5
    at = torch.minimum(at.clamp(min=0), last.double())
    low = at.floor().long()
    high = torch.minimum(low + 1, last)
    weight = (at - low).to(x.dtype)[..., None, None]
    low_mask, high_mask = _at(mask, low), _at(mask, high)
    known = (low_mask & (weight <= 0.5)) | (high_mask & (weight >= 0.5))
    part_low, part_high = (1 - weight) * low_mask, weight * high_mask
    total = torch.where(known, part_low + part_high, 1.0)[..., None]
    out = (_at(x, low) * part_low[..., None] + _at(x, high) * part_high[..., None]) / total
    return torch.where(known[..., None], out, 0.0)
