"""Methods, one readable file each.

A method is a module with an ``encoder`` that is kept in the end, ``settings`` with a ``view``, and a
forward pass from clips to losses. Its settings class, a frozen attrs class with a method ``build``, holds
what a recipe may say under ``[method]``.
"""

from typing import Any, Protocol

from attrs import has

from skel_data import Registry


class MethodSettings(Protocol):
    """Settings of a method: a frozen attrs class.

    A class attribute ``cross_stream = True`` says that the method learns across streams: `build` then
    gets one encoder for each stream, in an `nn.ModuleDict`. ``one_view = True`` says that it draws one view
    of a clip, so that no second one can come from another recording. ``tunes = True`` says that it is meant
    to go on with a finished run: on the command line ``--init`` then brings that run's encoder and data, too.
    ``needs_init = True`` says that it cannot do without.
    """

    def build(self, encoder: Any, context: Any) -> Any:
        """The method around a fresh encoder, as a module.

        Args:
            encoder: The encoder; with ``cross_stream`` one for each stream, in an `nn.ModuleDict`.
            context: A `MethodContext`.
        """


METHODS: Registry[type[MethodSettings]] = Registry(
    "method",
    {
        "simclr": "skel_recipes.methods.simclr:SimCLRSettings",
        "nnclr": "skel_recipes.methods.nnclr:NNCLRSettings",
        "vicreg": "skel_recipes.methods.vicreg:VICRegSettings",
        "skeletonclr": "skel_recipes.methods.skeletonclr:SkeletonCLRSettings",
        "crossclr": "skel_recipes.methods.crossclr:CrosSCLRSettings",
        "aimclr": "skel_recipes.methods.aimclr:AimCLRSettings",
        "hiclr": "skel_recipes.methods.hiclr:HiCLRSettings",
        "skeletonbyol": "skel_recipes.methods.skeletonbyol:SkeletonBYOLSettings",
        "cmal": "skel_recipes.methods.cmal:CMALSettings",
        "cmcs": "skel_recipes.methods.cmcs:CMCSSettings",
        "isc": "skel_recipes.methods.isc:ISCSettings",
        "cmd": "skel_recipes.methods.cmd:CMDSettings",
        "crrl": "skel_recipes.methods.crrl:CRRLSettings",
        "crrl-motion": "skel_recipes.methods.crrl:MotionContrastSettings",
        "pcm3": "skel_recipes.methods.pcm3:PCM3Settings",
        "scdnet": "skel_recipes.methods.scdnet:SCDNetSettings",
        "usdrl": "skel_recipes.methods.usdrl:USDRLSettings",
        "umurl": "skel_recipes.methods.umurl:UmURLSettings",
        "slim": "skel_recipes.methods.slim:SLiMSettings",
        "pstl": "skel_recipes.methods.pstl:PSTLSettings",
        "prediction": "skel_recipes.methods.prediction:PosePredictionSettings",
        "cubism": "skel_recipes.methods.cubism:CubismSettings",
        "masked": "skel_recipes.methods.masked:MaskedPredictionSettings",
    },
    fits=lambda part: isinstance(part, type) and has(part) and callable(getattr(part, "build", None)),
    expected="an attrs class with a method build",
    by_module=True,
)
"""Settings of the methods by name."""
