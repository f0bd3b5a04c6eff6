"""Masked prediction on skeletons: targets of tokens, weights of their motion, and the loss on hidden ones."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from skel_ssl_objectives._common import Gather, at_least_float32

_VARIANCE = 1e-6
_TINY = 1e-12


def token_target(
    bodies: Tensor,
    *,
    tubelet: int,
    kind: Literal["motion", "coordinates"] = "motion",
    stride: int = 1,
    normalize: bool = True,
) -> Tensor:
    """Target of each joint-time token: what MAMP (Mao et al., ICCV 2023, arXiv 2308.07092) predicts of it.

    A token is ``tubelet`` frames of one joint; token t * V + v is joint v at time t. Its numbers are those
    of its frames one after the other, in each the coordinates.

    Args:
        bodies: (B, C, T, V), coordinates; T a multiple of ``tubelet``.
        tubelet: Frames of a token.
        kind: ``motion``: x[t + stride] - x[t], zero in the last ``stride`` frames. ``coordinates``: x.
        stride: motion: frames that a step spans, 1 or more.
        normalize: Per-patch normalisation: the numbers of each token minus their mean, divided by the root of
            their unbiased variance plus 1e-6.

    Returns:
        (B, T / tubelet * V, tubelet * C), without gradient, in float32 at least.

    Raises:
        ValueError: If the bodies do not fit, there is no such kind, ``stride`` is below 1, or a token has one
            number and must be normalised.
    """
    if kind not in ("motion", "coordinates"):
        raise ValueError(f"kind must be motion or coordinates, got {kind!r}")
    points = at_least_float32(_checked(bodies, tubelet).detach())
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    if kind == "motion":
        points = _step(points, stride)
    count, channels, frames, joints = points.shape
    tokens = points.reshape(count, channels, frames // tubelet, tubelet, joints)
    patches = tokens.permute(0, 2, 4, 3, 1).flatten(1, 2).flatten(2)
    if not normalize:
        return patches
    numbers = patches.shape[2]
    if numbers < 2:
        raise ValueError("a token of one number cannot be normalised")
    centred = patches - patches.mean(2, keepdim=True)
    variance = centred.square().sum(2, keepdim=True) / (numbers - 1)
    return centred * (variance + _VARIANCE).rsqrt()


def motion_energy(bodies: Tensor, *, tubelet: int, windows: Sequence[int] = (1, 2, 4)) -> Tensor:
    """Motion energy of each joint-time token, relative to the whole body, as a weight for `masked_mse`.

    The energy over a window of s frames is the mean square of x[t + s] - x[t] over the frames of the token.
    It is divided by its mean over all tokens of the body, and then averaged over the windows. A step from or
    to a frame without the body, where all numbers are 0, is no motion. After AMR (arXiv 2606.11450), whose
    windows are not public.

    Args:
        bodies: (B, C, T, V), coordinates; T a multiple of ``tubelet``.
        tubelet: Frames of a token.
        windows: Frames that a step spans, one or more numbers of at least 1.

    Returns:
        (B, T / tubelet * V), without gradient: 1 on average, or 0 for a body that does not move. A
        window of T frames or more adds nothing.

    Raises:
        ValueError: If the bodies or windows do not fit.
    """
    points = at_least_float32(_checked(bodies, tubelet).detach())
    if not windows or min(windows) < 1:
        raise ValueError(f"windows must be numbers of frames, one or more of at least 1, got {windows}")
    count, _, frames, joints = points.shape
    there = points.ne(0).any(3, keepdim=True).any(1, keepdim=True).to(points.dtype)
    total = torch.zeros((), device=points.device)
    for window in windows:
        squares = _step(points, window).masked_fill(_step(there, window).bool(), 0).square().sum(1)
        energy = squares.reshape(count, frames // tubelet, tubelet, joints).mean(2).flatten(1)
        total = total + energy / energy.mean(1, keepdim=True).clamp(min=_TINY)
    return total / len(windows)


def masked_mse(
    prediction: Tensor,
    target: Tensor,
    hidden: Tensor,
    *,
    weight: Tensor | None = None,
    gather: Gather | None = None,
) -> Tensor:
    """Masked prediction loss: the mean squared error of the hidden tokens.

    sum(hidden * weight * error) / sum(hidden * weight), where error is the mean over the numbers of a token.
    Computed in float32 also under autocast.

    Args:
        prediction: (B, L, D).
        target: (B, L, D), a constant.
        hidden: (B, L), true or 1 where a token is hidden.
        weight: (B, L) weights of the tokens, constants, such as `motion_energy`; all alike unless given.
        gather: Joins the rows of all processes, see `Gather`; then the sum below is over the whole batch. The
            processes may have different numbers of rows. None for one process.

    Returns:
        The loss, a scalar; 0 if nothing is hidden.

    Raises:
        ValueError: If the shapes differ.
    """
    tokens = prediction.shape[:2]
    weights = hidden if weight is None else weight
    if (
        prediction.ndim != 3
        or target.shape != prediction.shape
        or not hidden.shape == tokens == weights.shape
    ):
        shapes = ", ".join(str(tuple(x.shape)) for x in (prediction, target, hidden, weights))
        raise ValueError(f"expected (B, L, D), (B, L, D), (B, L), (B, L), got {shapes}")
    with torch.autocast(prediction.device.type, enabled=False):
        prediction, target = at_least_float32(prediction), at_least_float32(target.detach())
        error = (prediction - target).square().mean(2)
        share = hidden.to(error.dtype)
        if weight is not None:
            share = share * weight.detach()
        total = share.sum()
        if gather is not None:
            total = gather(total[None]).mean()  # so that the mean over processes is that of the whole batch
        return (share * error).sum() / total.clamp(min=_TINY)


def _step(points: Tensor, window: int) -> Tensor:
    """Displacement over this many frames, zero in the last ones."""
    frames = points.shape[2]
    steps = points[:, :, window:] - points[:, :, : max(frames - window, 0)]
    return torch.cat([steps, torch.zeros_like(points[:, :, : min(window, frames)])], 2)


def _checked(bodies: Tensor, tubelet: int) -> Tensor:
    if bodies.ndim != 4 or tubelet < 1 or bodies.shape[2] == 0 or bodies.shape[2] % tubelet:
        raise ValueError(
            f"expected bodies (B, C, T, V), T a multiple of tubelet {tubelet}, got {tuple(bodies.shape)}"
        )
    return bodies
