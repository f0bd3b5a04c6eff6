"""Masked prediction of MAMP (Mao et al., ICCV 2023, arXiv 2308.07092): masks, targets and loss on tokens.

A token is ``tubelet`` frames of one joint of one body. Tokens of a body come time-major: token t * V + v.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

TINY = 1e-10


class TokenMask(NamedTuple):
    """Which tokens an encoder sees.

    Attributes:
        keep: Indices (B, K) of the tokens that are kept, in the order in which they were chosen.
        hidden: (B, L) true for the others.
    """

    keep: Tensor
    hidden: Tensor


def patchify(bodies: Tensor, tubelet: int) -> Tensor:
    """Patches of bodies (B, C, T, V): the numbers of each token, (B, T' V, tubelet C).

    T' = ceil(T / tubelet); the last frame is repeated to fill the last token. A patch holds frame after
    frame, and in a frame channel after channel.
    """
    count, channels, frames, joints = bodies.shape
    if missing := -frames % tubelet:
        bodies = torch.cat([bodies, bodies[:, :, -1:].expand(-1, -1, missing, -1)], 2)
    x = bodies.reshape(count, channels, -1, tubelet, joints)
    return x.permute(0, 2, 4, 3, 1).reshape(count, -1, tubelet * channels)


def token_motion(patches: Tensor, joints: int) -> Tensor:
    """Motion intensity of tokens (B, L): mean absolute difference to the token before.

    The first token of a joint has that of the second.

    Args:
        patches: (B, L, P), as of `patchify`.
        joints: V; L is T' V.
    """
    x = patches.reshape(len(patches), patches.shape[1] // joints, joints, patches.shape[2])
    if x.shape[1] == 1:
        return torch.zeros_like(patches[..., 0])
    steps = (x[:, 1:] - x[:, :-1]).abs().mean(-1)
    return torch.cat([steps[:, :1], steps], 1).flatten(1)


def motion_energy(motion: Tensor, joints: int, windows: tuple[int, ...] = (1, 3, 5)) -> Tensor:
    """Weights of tokens (B, L) by their motion over windows of several lengths, with mean 1 for each body.

    It follows the idea of AMR (arXiv 2606.11450), whose windows and scale were not published.

    Args:
        motion: (B, L), as of `token_motion`.
        joints: V; L is T' V.
        windows: Odd numbers of tokens, over which motion is averaged.

    Raises:
        ValueError: If a window is even or below 1.
    """
    if not windows or any(one < 1 or one % 2 == 0 for one in windows):
        raise ValueError(f"windows must be odd numbers of tokens, got {windows}")
    x = motion.reshape(len(motion), motion.shape[1] // joints, joints).transpose(1, 2)  # (B, V, T')
    pooled = [
        torch.nn.functional.avg_pool1d(x, one, stride=1, padding=one // 2, count_include_pad=False)
        for one in windows
    ]
    energy = torch.stack(pooled).mean(0).transpose(1, 2).flatten(1)
    mean = energy.mean(1, keepdim=True)
    return torch.where(mean > 0, energy / mean.clamp(min=torch.finfo(mean.dtype).tiny), 1.0)


def kept_tokens(tokens: int, mask_ratio: float, *, published: bool = False) -> int:
    """Number of tokens that are kept, one at least.

    Args:
        tokens: Number of tokens of a body.
        mask_ratio: Share that is hidden.
        published: As MAMP's program cuts it off in floating point: 74 of 750 at 0.9, in place of 75.
    """
    share = tokens * (1 - mask_ratio)
    return max(1, int(share) if published else round(share))


def token_mask(
    uniforms: Tensor,
    keep: int,
    *,
    motion: Tensor | None = None,
    temperature: float = 0.8,
    tubes: Tensor | None = None,
) -> TokenMask:
    """Random masks of tokens: uniform, motion-aware, or in semantic tubes.

    Motion-aware (MAMP, equation 5): tokens are hidden with the probabilities softmax(m / (temperature
    max m)), by the Gumbel trick, so that those that move are hidden more often. In semantic tubes (SLiM,
    arXiv 2603.10648) the tokens of one body part are hidden together: parts are kept in random order, and of
    the last one so many tokens, at random, as are missing.

    Args:
        uniforms: (B, L) uniform numbers in [0, 1), which decide.
        keep: Number of tokens that are kept, K.
        motion: (B, L), as of `token_motion`; None for uniform masks.
        temperature: Of the softmax over motion; 0 for uniform masks.
        tubes: The tube of each token, (L,) int64; None for none.

    Raises:
        ValueError: If K is not in 1..L - 1, the shapes differ, the temperature is below 0, or there are both
            motion and tubes.
    """
    if uniforms.ndim != 2 or not 0 < keep < uniforms.shape[1]:
        raise ValueError(f"keep must be in 1..L - 1 of uniforms (B, L), got {keep}, {tuple(uniforms.shape)}")
    if temperature < 0:
        raise ValueError(f"temperature must be 0 or more, got {temperature}")
    if motion is not None and tubes is not None:
        raise ValueError("a mask is motion-aware or in tubes, not both")
    score = uniforms
    if tubes is not None:
        if tubes.shape != uniforms.shape[1:]:
            raise ValueError(f"expected tubes ({uniforms.shape[1]},), got {tuple(tubes.shape)}")
        first = torch.zeros(int(tubes.max()) + 1, dtype=torch.int64, device=tubes.device)
        first.scatter_(0, tubes, torch.arange(len(tubes), device=tubes.device))
        # one number of each tube decides its place; the others that within it
        place = uniforms[:, first].argsort(1).argsort(1)[:, tubes]
        score = place + uniforms
    elif motion is not None and temperature > 0:
        if motion.shape != uniforms.shape:
            raise ValueError(f"expected motion {tuple(uniforms.shape)}, got {tuple(motion.shape)}")
        logits = motion / (motion.amax(1, keepdim=True) * temperature + TINY)
        score = logits.log_softmax(1) - torch.log(-torch.log(uniforms + TINY) + TINY)
    chosen = score.argsort(1)[:, :keep]
    hidden = torch.ones_like(uniforms, dtype=torch.bool).scatter_(1, chosen, False)
    return TokenMask(chosen, hidden)


def token_target(
    bodies: Tensor,
    tubelet: int,
    *,
    kind: Literal["motion", "coordinates"] = "motion",
    motion_stride: int = 1,
    normalise: bool = True,
) -> Tensor:
    """What is predicted of each token, (B, L, tubelet C): its motion (MAMP) or its coordinates (MAE).

    Args:
        bodies: (B, C, T, V).
        tubelet: Frames of a token.
        kind: Motion is x[t + stride] - x[t], zero in the last frames.
        motion_stride: Frames between the two.
        normalise: Take mean and deviation out of each patch; the variance is the unbiased one.

    Raises:
        ValueError: If there is no such kind, or the stride is below 1.
    """
    if kind not in ("motion", "coordinates"):
        raise ValueError(f"no target {kind!r}; there are motion, coordinates")
    if motion_stride < 1:
        raise ValueError(f"motion_stride must be 1 or more, got {motion_stride}")
    if kind == "motion":
        steps = bodies[:, :, motion_stride:] - bodies[:, :, :-motion_stride]
        bodies = torch.nn.functional.pad(steps, (0, 0, 0, bodies.shape[2] - steps.shape[2]))
    patches = patchify(bodies, tubelet)
    if normalise:
        patches = (patches - patches.mean(-1, keepdim=True)) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()
    return patches


def masked_prediction(
    predictions: Tensor, targets: Tensor, hidden: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Mean squared error of the hidden tokens; computed in float32 also under autocast.

    Args:
        predictions: (B, L, P).
        targets: (B, L, P).
        hidden: (B, L) true for the tokens that count.
        weights: Of the tokens, (B, L); equal unless given.

    Returns:
        The mean over hidden tokens, weighted; 0 if there are none.

    Raises:
        ValueError: If the shapes differ.
    """
    if predictions.shape != targets.shape or predictions.shape[:2] != hidden.shape:
        raise ValueError(
            f"predictions {tuple(predictions.shape)}, targets {tuple(targets.shape)} and hidden "
            f"{tuple(hidden.shape)} do not fit: expected (B, L, P), (B, L, P), (B, L)"
        )
    wide = torch.promote_types(predictions.dtype, torch.float32)
    errors = (predictions.to(wide) - targets.to(wide)).square().mean(-1)
    counts = hidden.to(wide) if weights is None else hidden * weights.to(wide)
    return (errors * counts).sum() / hidden.sum().clamp(min=1)
