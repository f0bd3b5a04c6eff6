"""CRRL (Wang et al., TIP 2022, arXiv 2111.11051): contrast with velocity, reconstruction and distillation.

Two steps, each a run. In the first, `MotionContrast`, the feature of a clip's coordinates must find that of
its velocity, which the encoder's moving average computes. In the second, `CRRL`, a new encoder is trained to
reconstruct clips, and to give the features of the first one.
"""

from typing import Any, ClassVar, Literal

import torch
from attrs import define, field, validators
from torch import Tensor, nn
from torch.nn import functional

from skel_augment import View
from skel_data import SkeletonLayout, stream
from skel_encoders import GRU, GRUDecoder, last_frame, reverse_time
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Queue, Teacher, contrast, info_nce, mlp_head, sequence_mse


@define(frozen=True)
class MotionContrastSettings:
    """Settings of `MotionContrast`; the defaults are the program's.

    Attributes:
        view: The view that is drawn; the program varies nothing.
        views: How often it is drawn for each clip. 1: coordinates and velocity are of one draw, as in the
            program, where nothing varies. 2: of two.
        queue_size: Keys of past clips; 0 to scale them to the training set.
        temperature: Softmax temperature.
        momentum: EMA momentum of the key encoder.
        projection_dim: Dimension in which coordinates and velocity are compared.
        key_projector: own: random weights of its own that never change, as in the program. average: the
            moving average of the query's.
        batch_norm: Normalise within the projectors; the program does not.
    """

    view: View = View(())
    views: Literal[1, 2] = 1
    queue_size: int = 64
    temperature: float = field(default=0.1, validator=validators.gt(0))
    momentum: float = field(default=0.999, validator=[validators.ge(0), validators.le(1)])
    projection_dim: int = 512
    key_projector: Literal["own", "average"] = "own"
    batch_norm: bool = False

    @property
    def one_view(self) -> bool:
        """Whether one view is drawn, so that no second one can come from another recording."""
        return self.views == 1

    def build(self, encoder: Any, context: MethodContext) -> "MotionContrast":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder is no GRU.
        """
        return MotionContrast(self, _recurrent(encoder, "crrl-motion"), context)


class MotionContrast(nn.Module):
    """MoCo whose query is of coordinates and whose key is of velocity."""

    def __init__(self, settings: MotionContrastSettings, encoder: GRU, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context, self.encoder = settings, context, encoder
        width, dim = encoder.feature_dim, settings.projection_dim

        def head() -> nn.Module:
            return mlp_head(width, width, dim, batch_norm=settings.batch_norm)

        self.projector = head()
        self.teacher = Teacher(encoder)
        self.teacher_projector = Teacher(head() if settings.key_projector == "own" else self.projector)
        size = context.queue_size(settings.queue_size)
        self.queue = Queue(size, dim, gather=context.world.gather)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s = self.settings
        views = self.context.views(clips, [s.view] * s.views, generator)
        query = self.projector(self.encoder(views[0]))
        self.teacher.follow(self.encoder, s.momentum)
        if s.key_projector == "average":
            self.teacher_projector.follow(self.projector, s.momentum)
        lengths = self.encoder.lengths(views[-1])
        velocity = _velocity(views[-1], lengths, self.context.layout)
        key = self.teacher_projector(self.teacher(velocity, lengths))
        # A copy, because the queue changes before the backward pass reads it.
        logits = contrast(query, key, self.queue.keys.clone(), temperature=s.temperature)
        self.queue.push(key)
        return {"loss": info_nce(logits)}


@define(frozen=True)
class CRRLSettings:
    """Settings of `CRRL`; the defaults are the program's.

    Attributes:
        view: The view that is drawn, once for each clip; the program varies nothing.
        distillation: Weight of the distillation from the encoder that the run begins with, which then needs
            ``--init RUN``. 0: reconstruction alone, by the encoder that the run begins with.
        teacher_dropout: Whether dropout acts in the teacher, as it does in the program.
        decoder_layers: Layers of the decoder.
        decoder_dropout: Dropout between its layers.
    """

    tunes: ClassVar[bool] = True
    one_view: ClassVar[bool] = True

    view: View = View(())
    distillation: float = field(default=0.1, validator=validators.ge(0))
    teacher_dropout: bool = False
    decoder_layers: int = field(default=2, validator=validators.ge(1))
    decoder_dropout: float = field(default=0.2, validator=[validators.ge(0), validators.lt(1)])

    @property
    def needs_init(self) -> bool:
        """Whether there must be a finished run to learn from."""
        return self.distillation > 0

    def build(self, encoder: Any, context: MethodContext) -> "CRRL":
        """The method with an encoder that becomes the teacher.

        Raises:
            ValueError: If the encoder is no GRU.
        """
        return CRRL(self, _recurrent(encoder, "crrl"), context)


class CRRL(nn.Module):
    """An encoder with fresh weights, a decoder, and the encoder of a finished run as its teacher."""

    def __init__(self, settings: CRRLSettings, encoder: GRU, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context, self.encoder = settings, context, encoder
        width = encoder.feature_dim
        if settings.distillation:
            self.teacher = Teacher(encoder)
            for module in encoder.modules():
                if callable(reset := getattr(module, "reset_parameters", None)):
                    reset()
            self.mapper = mlp_head(width, width, width)
        self.decoder = GRUDecoder(
            width,
            encoder.layout.num_joints * encoder.in_channels * encoder.bodies,
            layers=settings.decoder_layers,
            dropout=settings.decoder_dropout,
        )

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s = self.settings
        (view,) = self.context.views(clips, [s.view], generator)
        lengths = self.encoder.lengths(view)
        features = self.encoder.forward_features(view, lengths)
        hidden = features[:, 0, :, 0].transpose(0, 1)
        frames = view.permute(2, 0, 3, 1, 4).flatten(2)  # joints, channels, bodies
        losses = self.reconstruction(hidden, frames, lengths)
        loss = losses["forward"] + losses["reverse"]
        if s.distillation:
            self.teacher.train(s.teacher_dropout and self.training)
            taught = self.teacher(view, lengths)
            losses["distillation"] = self.distillation(self.encoder.pool(features), taught)
            loss = loss + s.distillation * losses["distillation"]
        return {"loss": loss, **losses}

    def reconstruction(self, hidden: Tensor, frames: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
        """Losses of the sequences as the decoder tells them, forward and in reverse time.

        Absent bodies, which are zero throughout, are not reconstructed.

        Args:
            hidden: (T, N, D) what the encoder says at each frame. Of the first frame the decoder makes the
                sequence, of the last one the sequence in reverse time.
            frames: (T, N, F), the sequences.
            lengths: (N,) frames of each; T for all if None.
        """
        starts = {"forward": hidden[0], "reverse": last_frame(hidden, lengths)}
        targets = {"forward": frames, "reverse": reverse_time(frames, lengths)}
        present = frames.reshape(*frames.shape[:2], -1, self.encoder.bodies).any(2).any(0)  # (N, M)
        shown = present.repeat(1, frames.shape[2] // present.shape[1])[:, None]
        return {
            name: sequence_mse(
                self.decoder(start, len(frames)) * shown, targets[name].transpose(0, 1), lengths
            )
            for name, start in starts.items()
        }

    def distillation(self, feature: Tensor, taught: Tensor) -> Tensor:
        """Loss between mapped features (N, D) and those of the teacher: the mean of squared distances."""
        return sequence_mse(self.mapper(feature)[:, None], taught[:, None])


def _recurrent(encoder: Any, method: str) -> GRU:
    if not isinstance(encoder, GRU):
        raise ValueError(f"method {method} needs encoder gru, got {type(encoder).__name__}")
    return encoder


def _velocity(x: Tensor, lengths: Tensor | None, layout: SkeletonLayout) -> Tensor:
    """The step to the next frame of clips (N, C, T, V, M) of these lengths (N,), zero in the last frame."""
    if x.shape[1] == layout.channels:
        step = stream(x, "motion", layout)  # which keeps a confidence as it is
    else:
        step = functional.pad(x.diff(dim=2), (0, 0, 0, 0, 0, 1))
    if lengths is None:
        return step
    moves = torch.arange(1, x.shape[2] + 1, device=x.device) < lengths[:, None]
    return step * moves[:, None, :, None, None]
