"""Masked prediction of joint-time tokens: MAMP (Mao et al., ICCV 2023, arXiv 2308.07092), MAE, and after AMR.

A Transformer sees a tenth of the tokens of a clip, and a decoder predicts what the others hold: their motion
(MAMP), or their coordinates (the MAE baseline of MAMP's paper, as SkeletonMAE, arXiv 2209.02399). With a
decoder of queries, longer patches and weights of motion energy it comes close to AMR (arXiv 2606.11450).
"""

from typing import Any, ClassVar, Literal

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset, token_mask, token_uniforms
from skel_encoders import TokenDecoder, Transformer
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import masked_mse, motion_energy, token_target


@define(frozen=True)
class MaskedPredictionSettings:
    """Settings of `MaskedPrediction`; the defaults are MAMP's for NTU-60.

    Attributes:
        view: The view that is drawn, once for each clip.
        mask: How hidden tokens are chosen: uniform, motion (those that move more often), or tubes (joints of
            one part of the body over some time).
        ratio: Share of the tokens that is hidden.
        rounding: Whether the number of kept tokens is rounded to the nearest, or down as MAMP's program does
            by accident: 74 of 750.
        temperature: Of mask motion: the lower, the more those that move are hidden.
        target: What is predicted: motion or coordinates.
        stride: Of target motion: frames that a step spans.
        normalize: Normalise the target of each token by its mean and variance.
        weighting: Weights of the hidden tokens: none, or energy, in proportion to their motion energy.
        windows: Of weighting energy: frames over which motion is taken.
        decoder: self: hidden and seen tokens attend to each other; cross: queries attend to seen tokens.
        decoder_dim: Width of the decoder.
        decoder_heads: Attention heads of the decoder.
        decoder_layers: Transformer blocks of the decoder.
        patch: Of decoder cross: tokens in time that one query predicts.
        absent_bodies: Let bodies that are zero throughout count as others do, as in MAMP's program; their
            motion is zero, so on clips of one person in two places half of the loss is trivial.
    """

    one_view: ClassVar[bool] = True

    view: View = preset("mamp.view")
    mask: Literal["uniform", "motion", "tubes"] = "motion"
    ratio: float = field(default=0.9, validator=[validators.gt(0), validators.lt(1)])
    rounding: Literal["nearest", "down"] = "nearest"
    temperature: float = field(default=0.8, validator=validators.gt(0))
    target: Literal["motion", "coordinates"] = "motion"
    stride: int = field(default=1, validator=validators.ge(1))
    normalize: bool = True
    weighting: Literal["none", "energy"] = "none"
    windows: tuple[int, ...] = (1, 2, 4)
    decoder: Literal["self", "cross"] = "self"
    decoder_dim: int = 256
    decoder_heads: int = 8
    decoder_layers: int = 5
    patch: int = 1
    absent_bodies: bool = False

    def build(self, encoder: Any, context: MethodContext) -> "MaskedPrediction":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder does not let a method hide its tokens, mask tubes finds no parts in
                the layout, or clips are too short for the stride or all windows.
        """
        if not isinstance(encoder, Transformer):
            raise ValueError(
                f"method masked needs encoder transformer, of joint-time tokens, got {type(encoder).__name__}"
            )
        if self.mask == "tubes" and not encoder.layout.parts:
            raise ValueError(f"layout {encoder.layout.name!r} has no parts, of which mask tubes hides some")
        frames = -(-encoder.frames // encoder.tubelet) * encoder.tubelet
        spans: dict[str, tuple[int, ...]] = {"stride": (self.stride,)} if self.target == "motion" else {}
        if self.weighting == "energy":
            spans["windows"] = self.windows
        for name, values in spans.items():
            if not values or not 1 <= min(values) < frames:
                raise ValueError(
                    f"{name} of method masked must be from 1 to {frames - 1} frames, got {values}"
                )
        return MaskedPrediction(self, encoder, context)


class MaskedPrediction(nn.Module):
    """Hide tokens, encode the others, and predict the hidden ones."""

    def __init__(
        self, settings: MaskedPredictionSettings, encoder: Transformer, context: MethodContext
    ) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        layout = encoder.layout
        # a confidence is seen, but not predicted
        self.dims = layout.dims if encoder.in_channels == layout.channels else encoder.in_channels
        self.decoder = TokenDecoder(
            layout.num_joints,
            -(-encoder.frames // encoder.tubelet),
            encoder.feature_dim,
            self.dims * encoder.tubelet,
            width=settings.decoder_dim,
            heads=settings.decoder_heads,
            layers=settings.decoder_layers,
            mlp_ratio=encoder.mlp_ratio,
            attention=settings.decoder,
            patch=settings.patch,
        )

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s, tubelet, joints = self.settings, self.encoder.tubelet, self.encoder.layout.num_joints
        (view,) = self.context.views(clips, [s.view], generator)
        bodies = view.movedim(4, 1).flatten(0, 1)  # (N M, C, T, V)
        steps = -(-view.shape[2] // tubelet)
        draws = token_uniforms(s.mask, steps * joints)
        uniforms = self.context.uniforms(view, view.shape[4] * draws, generator).view(-1, draws)
        if not s.absent_bodies:
            present = bodies.flatten(1).any(1)
            bodies, uniforms = bodies[present], uniforms[present]
        points = _whole_tokens(bodies[:, : self.dims], steps * tubelet)
        mask = token_mask(
            points,
            uniforms,
            tubelet=tubelet,
            keep=self._kept(steps * joints),
            kind=s.mask,
            temperature=s.temperature,
            layout=self.encoder.layout,
        )
        features = self.encoder.encode(self.encoder.embed(bodies[..., None]), mask.keep)
        weight = None
        if s.weighting == "energy":
            weight = motion_energy(points, tubelet=tubelet, windows=s.windows)
        loss = masked_mse(
            self.decoder(features, mask.keep, steps),
            token_target(points, tubelet=tubelet, kind=s.target, stride=s.stride, normalize=s.normalize),
            mask.hidden,
            weight=weight,
            gather=self.context.world.gather,
        )
        return {"loss": loss}

    def _kept(self, tokens: int) -> int:
        """How many tokens are seen: at least one, and not all."""
        share = tokens * (1 - self.settings.ratio)
        count = int(share) if self.settings.rounding == "down" else round(share)
        return max(1, min(count, tokens - 1))


def _whole_tokens(bodies: Tensor, frames: int) -> Tensor:
    """Bodies (B, C, T, V) whose last frame is repeated up to this many frames, as the encoder does."""
    missing = frames - bodies.shape[2]
    return torch.cat([bodies, bodies[:, :, -1:].expand(-1, -1, missing, -1)], 2) if missing else bodies
