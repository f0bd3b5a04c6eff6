"""Pose prediction: the encoder sees the beginning of a clip, and a decoder predicts how it goes on.

What CD-JBF-GCN (Tu et al., TMM 2022, arXiv 2202.04075) is pretrained by, as far as its abstract says.
Horizon, decoder and loss are this project's own.
"""

from typing import Any, ClassVar

import torch
from attrs import define, field, validators
from einops import rearrange
from torch import Tensor, nn

from skel_augment import View, preset
from skel_data import stream_channels
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import masked_mse


@define(frozen=True)
class PosePredictionSettings:
    """Settings of `PosePrediction`.

    Attributes:
        view: The view that is drawn, once for each clip.
        horizon: Share of the frames that is predicted: the last ones.
        hidden_dim: Width of the decoder's hidden layer.
    """

    one_view: ClassVar[bool] = True

    view: View = preset("compact.view")
    horizon: float = field(default=0.5, validator=[validators.gt(0), validators.lt(1)])
    hidden_dim: int = field(default=512, validator=validators.ge(1))

    def build(self, encoder: Any, context: MethodContext) -> "PosePrediction":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the clips have a single frame, or the encoder takes no shorter clips, has no
                features before pooling, or none of each body.
        """
        return PosePrediction(self, encoder, context)


class PosePrediction(nn.Module):
    """Encode the first frames of a clip, and predict the displacement of each joint in the last ones.

    The decoder, a perceptron with one hidden layer, sees of each body the features averaged over joints:
    their mean over time, and those of the last time step.
    """

    def __init__(self, settings: PosePredictionSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        layout, frames = context.layout, context.shape.frames
        # a confidence is seen, but not predicted
        channels = stream_channels(context.stream, layout)
        self.dims = layout.dims if channels == layout.channels else channels
        self.seen = _seen(frames, settings.horizon)
        self.decoder = nn.Sequential(
            nn.Linear(2 * self._width(channels), settings.hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(settings.hidden_dim, (frames - self.seen) * layout.num_joints * self.dims),
        )

    def _width(self, channels: int) -> int:
        """Width of the encoder's features before pooling, from a clip of zeros."""
        training, shape = self.encoder.training, self.context.shape
        clip = torch.zeros(1, channels, self.seen, shape.layout.num_joints, shape.bodies)
        try:
            with torch.no_grad():
                features = self.encoder.eval().forward_features(clip)
        except (AttributeError, ValueError) as error:
            raise ValueError(
                f"method prediction shows the encoder the first {self.seen} of {shape.frames} frames, "
                f"and {type(self.encoder).__name__} does not take them: {error}"
            ) from error
        finally:
            self.encoder.train(training)
        if features.shape[1] != shape.bodies:
            raise ValueError(
                f"method prediction needs features of each body, which {type(self.encoder).__name__} has not"
            )
        width: int = features.shape[-1]
        return width

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        (view,) = self.context.views(clips, [self.settings.view], generator)
        past, future = view[:, :, : self.seen], view[:, : self.dims, self.seen :]
        last = past[:, : self.dims, -1:]
        steps = self.encoder.forward_features(past).mean(3)  # (N, M, T', D)
        predicted = self.decoder(torch.cat([steps.mean(2), steps[:, :, -1]], 2))
        target = rearrange(future - last, "n c t v m -> (n m) (t v) c")
        # a joint that is missing now or then has no displacement
        present = rearrange((future != 0).any(1) & (last != 0).any(1), "n t v m -> (n m) (t v)")
        loss = masked_mse(predicted.view(target.shape), target, present, gather=self.context.world.gather)
        return {"loss": loss}


def _seen(frames: int, horizon: float) -> int:
    """How many frames the encoder sees: at least one, and not all."""
    if frames < 2:
        raise ValueError(f"method prediction needs clips of 2 frames or more, got {frames}")
    return min(max(frames - round(horizon * frames), 1), frames - 1)
