"""PCM3 (Zhang et al., ACM MM 2023, arXiv 2308.03975) without its prompts: contrast and masked prediction.

A GRU reads four forms of a clip: a plain view, a view with hidden parts, the same with what a decoder
predicts in the holes, and the plain view mixed with another clip. The query of each must find the clip's
key, and to see the whole queue at the distances at which the key sees it. The decoder is to predict what is
hidden.
"""

from typing import Any, cast

import torch
from attrs import define, field, validators
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_augment import Mix, PartMix, View, preset
from skel_data import ClipShape
from skel_encoders import GRU
from skel_recipes.methods.context import MethodContext, ends_in_masks
from skel_recipes.methods.skeletonclr import SkeletonCLR, SkeletonCLRSettings
from skel_ssl_objectives import contrast, info_nce, masked_mse, mlp_head, neighbor_distillation


@define(frozen=True)
class PCM3Settings(SkeletonCLRSettings):
    """Settings of `PCM3`: those of `SkeletonCLR` and more; the defaults are the paper's for NTU-60.

    Attributes:
        masked: The view that has hidden parts.
        squeezed: Probability that a clip is mixed with another one's parts at twice the speed, see `PartMix`.
        blended: Probability that it is mixed with the whole of another one.
        weight: Weight of the distillation.
        student_temperature: Softmax temperature of the queries in the distillation.
        teacher_temperature: Softmax temperature of the keys in the distillation.
        prediction_weight: Weight of the mean squared error of hidden coordinates.
        decoder_dim: Width of the decoder.
    """

    view: View = preset("pcm3.view")
    masked: View = field(default=preset("pcm3.masked"), validator=ends_in_masks)
    squeezed: float = 0.25
    blended: float = 0.25
    queue_size: int = 16384
    weight: float = field(default=1.0, validator=validators.ge(0))
    student_temperature: float = field(default=0.1, validator=validators.gt(0))
    teacher_temperature: float = field(default=0.05, validator=validators.gt(0))
    prediction_weight: float = field(default=40.0, validator=validators.ge(0))
    decoder_dim: int = field(default=512, validator=validators.ge(1))

    def __attrs_post_init__(self) -> None:
        self.mix  # noqa: B018 (refuses probabilities that are none)

    @property
    def mix(self) -> PartMix:
        """How a clip is mixed with another one."""
        return PartMix(squeezed=self.squeezed, blended=self.blended)

    def build(self, encoder: Any, context: MethodContext) -> "PCM3":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder has no feature of each frame.
        """
        if not isinstance(encoder, GRU):
            raise ValueError(
                f"method pcm3 needs encoder gru, with a feature of each frame, got {type(encoder).__name__}"
            )
        return PCM3(self, encoder, context)


class PCM3(SkeletonCLR):
    """SkeletonCLR with masked, predicted and mixed queries, a decoder, and distillation from the keys."""

    settings: PCM3Settings

    def __init__(self, settings: PCM3Settings, encoder: GRU, context: MethodContext) -> None:
        super().__init__(settings, encoder, context)
        self.decoder = _Decoder(encoder, settings.decoder_dim)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s, context, encoder = self.settings, self.context, self.encoder
        query_view, key_view = context.views(clips, [s.view, s.view], generator)
        shown, visible = context.masked_view(clips, s.masked, generator)
        student = nn.Sequential(encoder, self.projector)
        self.teacher.follow(student, s.momentum)
        key = functional.normalize(self.teacher(key_view), dim=1)
        mixed_view, mixed_key = self.mixed(query_view, key, generator)

        features = encoder.forward_features(shown.where(visible, 0))
        # what is filled in teaches the decoder by the contrast, but not the features that it was made of
        filled = shown.where(visible, self.decoder(features.detach()).to(shown.dtype))
        queries = {
            "plain": student(query_view),
            "masked": self.projector(encoder.pool(features)),
            "predicted": student(filled),
            "mixed": student(mixed_view),
        }
        # A copy, because the queue changes before the backward pass reads it.
        negatives = self.queue.keys.clone()
        self.queue.push(key)
        contrasts, distillations = [], []
        for name, query in queries.items():
            own = mixed_key if name == "mixed" else key
            contrasts.append(info_nce(contrast(query, own, negatives, temperature=s.temperature)))
            student_sees, teacher_sees = (
                contrast(x, x, negatives, temperature=1.0)[:, 1:] for x in (query, own)
            )
            distillations.append(
                neighbor_distillation(
                    student_sees,
                    teacher_sees,
                    k=len(negatives),
                    student_temperature=s.student_temperature,
                    teacher_temperature=s.teacher_temperature,
                )
            )
        distillation = torch.stack(distillations).sum()
        predicted, target = (x.movedim(1, -1).flatten(1, 3) for x in (self.decoder(features), shown))
        hidden = ~visible[:, 0].flatten(1)
        prediction = masked_mse(predicted, target, hidden, gather=context.world.gather)
        loss = torch.stack(contrasts).sum() + s.weight * distillation + s.prediction_weight * prediction
        terms = dict(zip(queries, contrasts, strict=True))
        return {"loss": loss, **terms, "distillation": distillation, "prediction": prediction}

    @torch.no_grad()
    def mixed(self, view: Tensor, key: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """The view mixed with others of the global batch, and the keys (N, D) mixed by the same shares."""
        context, mix, n = self.context, self.settings.mix, len(view)
        shape = ClipShape(context.layout, view.shape[2], view.shape[4])
        uniforms = context.uniforms(view, mix.num_uniforms(shape), generator, whole=True)
        params = cast("Mix", mix.params(uniforms, shape))
        gather, first = context.world.gather, context.world.rank * n
        if gather is not None:
            view, key = gather(view), gather(key)
        share = params.share[:, None].to(key.dtype)
        keys = (1 - share) * key + share * key[params.partner]
        return params.apply(view)[first:][:n], functional.normalize(keys[first:][:n], dim=1)


class _Decoder(nn.Module):
    """What a GRU of two layers predicts from features (N, 1, T, 1, D): clips (N, C, T, V, M)."""

    def __init__(self, encoder: GRU, width: int) -> None:
        super().__init__()
        self.joints, self.channels = encoder.layout.num_joints, encoder.in_channels
        self.head = mlp_head(encoder.feature_dim, width, width, batch_norm=True)
        self.gru = nn.GRU(width, width, num_layers=2, batch_first=True)
        self.linear = nn.Linear(width, self.joints * self.channels * encoder.bodies)

    def forward(self, features: Tensor) -> Tensor:
        x = rearrange(self.head(features.flatten(0, 3)), "(n t) d -> n t d", t=features.shape[2])
        x = self.linear(self.gru(x)[0])
        clips: Tensor = rearrange(x, "n t (v c m) -> n c t v m", v=self.joints, c=self.channels)
        return clips
