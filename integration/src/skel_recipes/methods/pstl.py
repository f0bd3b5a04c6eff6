"""PSTL (Zhou et al., AAAI 2023, arXiv 2302.09018): features of a whole clip and of its parts agree.

Barlow Twins between a view of the whole clip and a view without its central joints, and between the
former and a view without the frames of most motion. No queue, no teacher.
"""

from typing import Any, cast

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import CentralSpatialMask, JointMap, View, preset
from skel_data import ClipShape
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import barlow_twins, mlp_head


@define(frozen=True)
class PSTLSettings:
    """Settings of `PSTL`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view of the whole clip, and of the one that then loses joints.
        temporal: The view that loses frames.
        hidden_joints: Share of the joints that the spatial part loses, central ones more often.
        off_diagonal: Weight of Barlow Twins' redundancy term.
        projection_dim: Width of all three layers of the projector.
        per_batch: As the released program has it: all clips of a batch share their draws, and joints are
            drawn from a list in which each stands as often as it has neighbours, so that fewer may go.
    """

    view: View = preset("pstl.view")
    temporal: View = preset("pstl.temporal")
    hidden_joints: float = 0.32
    off_diagonal: float = field(default=2e-4, validator=validators.ge(0))
    projection_dim: int = 6144
    per_batch: bool = False

    def build(self, encoder: Any, context: MethodContext) -> "PSTL":
        """The method around a fresh encoder."""
        return PSTL(self, encoder, context)


class PSTL(nn.Module):
    """Barlow Twins between a clip and its spatial and temporal parts."""

    def __init__(self, settings: PSTLSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        dim = settings.projection_dim
        self.projector = mlp_head(encoder.feature_dim, dim, dim, layers=3, batch_norm=True)
        self.hide = CentralSpatialMask(ratio=settings.hidden_joints, duplicates=settings.per_batch)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s, gather = self.settings, self.context.world.gather
        whole, later, shown = self.context.views(
            clips, [s.view, s.temporal, s.view], generator, same=s.per_batch
        )
        anchor = self.projector(self.encoder(whole))
        temporal = self.projector(self.encoder(later))
        spatial = self.projector(self._encode_part(shown, generator))
        losses = {
            name: barlow_twins(anchor, part, off_diagonal=s.off_diagonal, gather=gather)
            for name, part in (("temporal", temporal), ("spatial", spatial))
        }
        return {"loss": losses["temporal"] + losses["spatial"], **losses}

    def _encode_part(self, clips: Tensor, generator: torch.Generator | None) -> Tensor:
        """Features of clips without their central joints.

        A graph loses the joints; for an encoder without one they are missing, that is zero.
        """
        same = self.settings.per_batch
        ((params,),) = self.context.sample(clips, [View((self.hide,))], generator, same=same)
        mask = cast("JointMap", params)
        feature: Tensor
        if not getattr(self.encoder, "takes_joint_subsets", False):
            feature = self.encoder(mask.apply(clips))
            return feature
        if same:
            joints = cast("Tensor", mask.keep)[0].nonzero()[:, 0]
        else:
            shape = ClipShape(self.context.layout, clips.shape[2], clips.shape[4])
            joints = mask.kept(shape.joints - self.hide.num_masked(shape))
        feature = self.encoder(clips, joints=joints)
        return feature
