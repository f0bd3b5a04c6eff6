"""Base class of the encoders."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from skel_encoders.published import rename_weights


class PublishedEncoder(nn.Module):
    """Base of the encoders that take the weights of a published program."""

    takes_joint_subsets: ClassVar[bool] = False
    """Whether calling takes ``joints``."""
    program: ClassVar[str]
    """What the weights must be of, for messages."""
    left_out: ClassVar[str]
    """Pattern of the published names that have no place here, such as those of a classifier."""
    forward_features: Callable[[Tensor], Tensor]
    """Features before pooling, of clips (N, C, T, V, M)."""
    pool: Callable[[Tensor], Tensor]
    """Features (N, D), of those before pooling."""
    _find: ClassVar[Any]
    """Our name of a published weight, and which of the parts joined under it this is."""

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M): `pool` of `forward_features`."""
        return self.pool(self.forward_features(clips))

    @classmethod
    def rename_published(cls, state: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
        """Published weights under the names of this class, for `load_state_dict`.

        Classifiers, projection heads and decoders are left out.

        Args:
            state: The published state dict.
            prefix: Prefix of the wanted network inside it, such as ``encoder_q.``.

        Raises:
            ValueError: If a key under the prefix is not one of the published network, or there is none.
        """
        return rename_weights(
            state, cls._find, cls._join, prefix=prefix, skip=cls.left_out, program=cls.program
        )

    @staticmethod
    def _join(ours: str, parts: list[Tensor]) -> Tensor:  # noqa: ARG004 (of its name)
        """One weight, laid out as here, of its published parts."""
        return parts[0]


class TwoSequenceEncoder(PublishedEncoder):
    """Base of the encoders whose features are frame tokens, then joint tokens, (N, 1, T + M V, 1, D)."""

    frames: int
    stacks: ClassVar[dict[str, int]] = {"temporal_layers": 1, "spatial_layers": 1}
    """Layers for `IntermediateFeatures`."""

    def pool(self, features: Tensor) -> Tensor:
        """Maximum over frames and over joints: (N, 1, T + M V, 1, D) to (N, 2 D)."""
        tokens = features[:, 0, :, 0]
        frames, joints = tokens[:, : self.frames], tokens[:, self.frames :]
        return torch.cat([frames.amax(1), joints.amax(1)], dim=1)

    def frame_features(self, features: Tensor) -> Tensor:
        """Each frame token, and the mean joint token: (N, 1, T + M V, 1, D) to (N, T, 2 D)."""
        tokens = features[:, 0, :, 0]
        frames, joints = tokens[:, : self.frames], tokens[:, self.frames :]
        return torch.cat([frames, joints.mean(1, keepdim=True).expand_as(frames)], dim=2)
