"""The default pipeline as a module of PyTorch, for graphs that take recordings as they are."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from skel_data import Default, SkeletonLayout, check_min_score
from skel_data import stream as take_stream
from skel_recipes.model.embedder import Embedder
from skel_recipes.model.heads import Neighbours
from skel_recipes.model.model import Model

_BONE = 0.25  # what `Default` scales the mean bone to
_DOUBLINGS = 20
LONGEST = 2**_DOUBLINGS
"""Frames of the longest recording that the graph takes."""


class DefaultSteps(nn.Module):
    """Recordings (N, T, M, V, C) to clips (N, C, frames, V, M), as `skel_data.Default` makes them.

    Each slot is one body. Recordings of a batch that are shorter than T end with frames of zeros, and slots
    without a body are zeros.

    Args:
        pipeline: The settings.
        layout: The joints.
        min_score: Score of a pose estimator below which a joint is missing.

    Raises:
        ValueError: If a step cannot be exported; the message says which.
    """

    def __init__(self, pipeline: Default, layout: SkeletonLayout, min_score: float = 0.0) -> None:
        super().__init__()
        check_min_score(layout, min_score)
        if pipeline.bodies_by != "motion" and pipeline.bodies != 1:
            raise ValueError(f"the step bodies_by = {pipeline.bodies_by!r} cannot be exported")
        if pipeline.ghosts:
            raise ValueError(f"the step ghosts = {pipeline.ghosts} cannot be exported")
        if pipeline.centre_bodies:
            raise ValueError(f"the step centre_bodies = {pipeline.centre_bodies!r} cannot be exported")
        self.pipeline, self.layout, self.min_score = pipeline, layout, min_score

    def forward(self, x: Tensor) -> Tensor:
        """Clips of recordings."""
        layout, pipeline = self.layout, self.pipeline
        dims = layout.dims
        size = x[..., :dims].abs().sum(-1)
        mask = (size > 0) & (size < torch.inf)
        if layout.confidence:
            score = x[..., dims]
            mask = mask & (score > 0) & (score >= self.min_score) & (score < torch.inf)
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


class Graph(nn.Module):
    """Pipeline, streams, encoders and classifier as one module, from recordings to an answer.

    Args:
        embedder: Pipeline and encoders.
        model: The classifier with its temperature and threshold; None gives features.
        pipeline: Whether the pipeline is inside; otherwise it takes clips (N, C, T, V, M) of the joint
            stream.

    Raises:
        ValueError: If a step of the pipeline cannot be exported; the message says which.
    """

    def __init__(self, embedder: Embedder, model: Model | None = None, *, pipeline: bool = True) -> None:
        super().__init__()
        self.steps = _steps_of(embedder) if pipeline else nn.Identity()
        self.encoders = nn.ModuleList(deepcopy(encoder).cpu() for encoder in embedder.encoders)
        self.embedder, self.model = embedder, model

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Features (N, D); of a model labels (N,), -1 for none of these, and probabilities (N, classes)."""
        streams, layout = self.embedder.streams, self.embedder.layout
        clips = self.steps(x)
        pairs = zip(self.encoders, streams, strict=True)
        features = [encoder(take_stream(clips, name, layout)) for encoder, name in pairs]
        weights, model = self.embedder.weights, self.model
        if model is None:
            return _side_by_side(features, weights)
        if model.heads[0].fuses == "features":
            features = [_side_by_side(features, weights)]
        classes = len(model.classes)
        logits = [
            head.logits(part, classes) if isinstance(head, Neighbours) else head(part)
            for head, part in zip(model.heads, features, strict=True)
        ]
        fused = _fuse(logits, weights, classes)
        seen = (clips.abs().amax((1, 2, 3, 4)) > 0)[:, None]
        probabilities = (fused / model.calibration.temperature).softmax(1) * seen
        best = probabilities.amax(1)
        sure = (best >= model.threshold) & (best > 0)
        return torch.where(sure, probabilities.argmax(1), -1), probabilities.float()


def _steps_of(embedder: Embedder) -> DefaultSteps:
    pipeline, shape = embedder.pipeline, embedder.shape
    instead = "export with pipeline=False (--no-pipeline), and prepare clips with skel_data"
    if type(pipeline) is not Default:
        raise ValueError(f"the pipeline {pipeline.name} cannot be exported, only default can: {instead}")
    if embedder.crop != 1 or shape.frames != pipeline.frames:
        raise ValueError(
            f"the step data.crop = {embedder.crop:g}, from {pipeline.frames} to {shape.frames} frames, "
            f"cannot be exported: {instead}"
        )
    try:
        return DefaultSteps(pipeline, shape.layout, embedder.min_score)
    except ValueError as error:
        raise ValueError(f"{error}: {instead}") from None


def _side_by_side(features: list[Tensor], weights: tuple[float, ...]) -> Tensor:
    """`skel_eval.side_by_side`."""
    if len(features) == 1:
        return features[0]
    pairs = zip(weights, features, strict=True)
    return torch.cat([weight**0.5 * functional.normalize(part, dim=1) for weight, part in pairs], 1)


def _fuse(logits: list[Tensor], weights: tuple[float, ...], classes: int) -> Tensor:
    """`skel_recipes.model.model.fuse_logits`; a stream of weight 0 is left out."""
    wide = [functional.pad(one, (0, classes - one.shape[1]), value=-torch.inf) for one in logits]
    if len(wide) == 1:
        return wide[0]
    used = [weight * one for weight, one in zip(weights, wide, strict=True) if weight]
    return torch.stack(used).sum(0) / sum(weights)


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
    moments = torch.arange(count)
    for doubling in range(_DOUBLINGS):  # the running maximum and minimum, in steps of 1, 2, 4, ...
        step = 2**doubling
        before = torch.maximum(before, before[:, (moments - step).clamp(min=0)])
        after = torch.minimum(after, after[:, (moments + step).clamp(max=count - 1)])
    body = mask.any(3)
    moments = moments[:, None]
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
    known = joint_seen.any(1, keepdim=True)
    seen = (joint_seen & known) | (body_seen & ~known)  # runtimes have no choice between booleans
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
