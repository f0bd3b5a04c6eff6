"""CMAL (Liu et al., IEEE THMS 2024, arXiv 2307.07791): cross-model adversarial learning, CMCS's first stage.

As SkeletonBYOL, but what a student predicts from two views attracts each other, and is repelled by
what its slower teacher makes of the same view.
"""

from typing import Any

from attrs import define

from skel_recipes.methods.context import MethodContext
from skel_recipes.methods.skeletonbyol import SkeletonBYOL, SkeletonBYOLSettings
from skel_ssl_objectives import cmal


@define(frozen=True)
class CMALSettings(SkeletonBYOLSettings):
    """Settings of `CMAL`: those of `SkeletonBYOL`; the defaults are the paper's for NTU-60."""

    def build(self, encoder: Any, context: MethodContext) -> "CMAL":
        """The method around a fresh encoder."""
        return CMAL(self, encoder, context)


class CMAL(SkeletonBYOL):
    """A student whose predictions agree across views and leave its teacher's."""

    objective = staticmethod(cmal)
