"""Methods, one readable file each.

A method is a module with an ``encoder`` that is kept in the end, ``settings`` with a ``view``, and a
forward pass from clips to losses. Its settings class, a frozen attrs class with a method ``build``, holds
what a recipe may say under ``[method]``.
"""

from typing import Any, Protocol

from torch import nn

from skel_recipes.methods._per_stream import PerStream
from skel_recipes.methods._sight import Sight
from skel_recipes.methods.aimclr import AimCLR, AimCLRSettings
from skel_recipes.methods.cmal import CMAL, CMALSettings
from skel_recipes.methods.cmcs import CMCS, CMCSSettings
from skel_recipes.methods.crossclr import CrosSCLR, CrosSCLRSettings
from skel_recipes.methods.pstl import PSTL, PSTLSettings
from skel_recipes.methods.scdnet import SCDNet, SCDNetSettings
from skel_recipes.methods.simclr import SimCLR, SimCLRSettings
from skel_recipes.methods.skeletonbyol import SkeletonBYOL, SkeletonBYOLSettings
from skel_recipes.methods.skeletonclr import SkeletonCLR, SkeletonCLRSettings


class MethodSettings(Protocol):
    """Settings of a method: a frozen attrs class.

    A class attribute ``cross_stream = True`` says that the method learns across streams: `build` then
    gets one encoder for each stream, in an `nn.ModuleDict`.
    """

    def build(self, encoder: Any, sight: Sight) -> nn.Module:
        """The method around a fresh encoder."""


METHODS: dict[str, type[MethodSettings]] = {
    "simclr": SimCLRSettings,
    "skeletonclr": SkeletonCLRSettings,
    "crossclr": CrosSCLRSettings,
    "aimclr": AimCLRSettings,
    "skeletonbyol": SkeletonBYOLSettings,
    "cmal": CMALSettings,
    "cmcs": CMCSSettings,
    "scdnet": SCDNetSettings,
    "pstl": PSTLSettings,
}
"""Settings of the methods by name."""

__all__ = [
    "CMAL",
    "CMCS",
    "METHODS",
    "PSTL",
    "AimCLR",
    "CrosSCLR",
    "MethodSettings",
    "PerStream",
    "SCDNet",
    "Sight",
    "SimCLR",
    "SkeletonBYOL",
    "SkeletonCLR",
]
