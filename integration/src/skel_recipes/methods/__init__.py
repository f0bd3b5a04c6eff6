"""Methods, one readable file each.

A method is a module with an ``encoder`` that is kept in the end, and a forward pass from clips to
losses. Its settings class is what a recipe may say under ``[method]``.
"""

from skel_recipes.methods._sight import Sight
from skel_recipes.methods.aimclr import AimCLR, AimCLRSettings
from skel_recipes.methods.simclr import SimCLR, SimCLRSettings
from skel_recipes.methods.skeletonclr import SkeletonCLR, SkeletonCLRSettings

Method = SimCLR | SkeletonCLR | AimCLR
MethodSettings = SimCLRSettings | SkeletonCLRSettings | AimCLRSettings
METHODS: dict[str, type[Method]] = {"simclr": SimCLR, "skeletonclr": SkeletonCLR, "aimclr": AimCLR}

__all__ = ["METHODS", "AimCLR", "Method", "MethodSettings", "Sight", "SimCLR", "SkeletonCLR"]
