"""MAMP (Mao et al., ICCV 2023, arXiv 2308.07092), masked motion prediction, and its relatives.

Most joint-frame tokens of a body are hidden, those that move most of all. The encoder sees the others, and a
decoder predicts the motion of the hidden ones. With coordinates as the target and uniform masks it is the
masked autoencoder that the paper compares itself with.
"""

from typing import Any, ClassVar, Literal

import torch
from attrs import define, field, validators
from einops import rearrange
from torch import Tensor, nn

from skel_augment import View, preset
from skel_encoders import TokenDecoder, Transformer
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import (
    kept_tokens,
    masked_prediction,
    motion_energy,
    patchify,
    token_mask,
    token_motion,
    token_target,
)


@define(frozen=True)
class MAMPSettings:
    """Settings of `MAMP`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn, once for each clip.
        mask: How tokens are hidden: uniform; by motion; or in tubes, the parts of the layout.
        mask_ratio: Share of the tokens that is hidden.
        temperature: Of the motion-aware mask; 0.75 for NTU-120.
        published_count: Cut the number of kept tokens off as the program does, 74 of 750 in place of 75.
        target: What is predicted: motion or coordinates.
        motion_stride: Frames between the two ends of a motion.
        normalise: Take mean and deviation out of the target of each token.
        energy_weights: Weigh hidden tokens by their motion over windows of several lengths, after AMR.
        decoder: Attention of the decoder: self, or cross alone, after AMR.
        decoder_dim: Width of the decoder.
        decoder_layers: Blocks of the decoder.
        decoder_heads: Attention heads of the decoder.
        skip_absent: Leave bodies out that are zero throughout; the program counts their tokens.
    """

    one_view: ClassVar[bool] = True

    view: View = preset("mamp.view")
    mask: Literal["uniform", "motion", "tubes"] = "motion"
    mask_ratio: float = field(default=0.9, validator=[validators.gt(0), validators.lt(1)])
    temperature: float = field(default=0.8, validator=validators.ge(0))
    published_count: bool = False
    target: Literal["motion", "coordinates"] = "motion"
    motion_stride: int = field(default=1, validator=validators.ge(1))
    normalise: bool = True
    energy_weights: bool = False
    decoder: Literal["self", "cross"] = "self"
    decoder_dim: int = 256
    decoder_layers: int = 5
    decoder_heads: int = 8
    skip_absent: bool = True

    def build(self, encoder: Any, context: MethodContext) -> "MAMP":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder is no transformer of joint-frame tokens, or the layout has no parts and
                the mask is one of tubes.
        """
        if not isinstance(encoder, Transformer):
            raise ValueError(
                f"method mamp needs encoder transformer, of joint-frame tokens, got {type(encoder).__name__}"
            )
        if self.mask == "tubes" and not context.layout.parts:
            raise ValueError(f"layout {context.layout.name!r} has no parts: it takes no mask of tubes")
        return MAMP(self, encoder, context)


class MAMP(nn.Module):
    """A transformer that sees few tokens, and a decoder that predicts the others."""

    tubes: Tensor | None

    def __init__(self, settings: MAMPSettings, encoder: Transformer, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context, self.encoder = settings, context, encoder
        joints = context.layout.num_joints
        self.decoder = TokenDecoder(
            joints,
            len(encoder.time_position),
            encoder.feature_dim,
            encoder.tubelet * encoder.in_channels,
            width=settings.decoder_dim,
            layers=settings.decoder_layers,
            heads=settings.decoder_heads,
            mlp_ratio=encoder.mlp_ratio,
            attention=settings.decoder,
        )
        tubes = _tubes(context) if settings.mask == "tubes" else None
        self.register_buffer("tubes", tubes, persistent=False)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s = self.settings
        (view,) = self.context.views(clips, [s.view], generator)
        bodies = rearrange(view, "n c t v m -> (n m) c t v")
        steps = -(-bodies.shape[2] // self.encoder.tubelet)
        uniforms = self.context.uniforms((len(bodies), steps * bodies.shape[3]), generator, like=bodies)
        if s.skip_absent:
            present = (bodies != 0).flatten(1).any(1)
            bodies, uniforms = bodies[present], uniforms[present]
        return {"loss": self.context.mean_over_processes(self.prediction(bodies, uniforms), len(bodies))}

    def prediction(self, bodies: Tensor, uniforms: Tensor) -> Tensor:
        """Mean loss of bodies (B, C, T, V) whose masks the uniform numbers (B, L) decide."""
        s, joints, tubelet = self.settings, bodies.shape[3], self.encoder.tubelet
        motion = token_motion(patchify(bodies, tubelet), joints)
        mask = token_mask(
            uniforms,
            kept_tokens(uniforms.shape[1], s.mask_ratio, published=s.published_count),
            motion=motion if s.mask == "motion" else None,
            temperature=s.temperature,
            tubes=None if self.tubes is None else self.tubes.repeat(uniforms.shape[1] // joints),
        )
        target = token_target(
            bodies, tubelet, kind=s.target, motion_stride=s.motion_stride, normalise=s.normalise
        )
        tokens = self.encoder.embed(bodies[..., None])
        features = self.encoder.encode(tokens, mask.keep)
        predictions = self.decoder(features, mask.keep, uniforms.shape[1] // joints)
        weights = motion_energy(motion, joints) if s.energy_weights else None
        return masked_prediction(predictions, target, mask.hidden, weights)


def _tubes(context: MethodContext) -> Tensor:
    """The part of each joint (V,); joints of no part are one of their own."""
    layout = context.layout
    tubes = torch.zeros(layout.num_joints, dtype=torch.int64)
    for number, (_, joints) in enumerate(layout.parts, 1):
        tubes[list(joints)] = number
    found: Tensor = torch.unique(tubes, return_inverse=True)[1]
    return found
