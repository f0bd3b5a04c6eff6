"""Self-supervised objectives on feature tensors: losses, queue, EMA teacher, heads."""

from skel_ssl_objectives._aimclr import attention_drop, d3m, nearest_neighbors
from skel_ssl_objectives._barlow_twins import barlow_twins
from skel_ssl_objectives._byol import byol, cosine_distance
from skel_ssl_objectives._cmal import cmal
from skel_ssl_objectives._cmd import cmd, neighbor_distillation
from skel_ssl_objectives._common import Gather
from skel_ssl_objectives._contrast import contrast, info_nce
from skel_ssl_objectives._crossclr import cross_view, crossclr
from skel_ssl_objectives._cscl import TwoViews, cscl
from skel_ssl_objectives._cubism import cubism
from skel_ssl_objectives._masked import masked_mse, motion_energy, token_target
from skel_ssl_objectives._mmd import mmd
from skel_ssl_objectives._modules import Queue, Teacher, mlp_head
from skel_ssl_objectives._nnclr import nnclr, queue_neighbor
from skel_ssl_objectives._nt_xent import nt_xent
from skel_ssl_objectives._prototypes import (
    Centre,
    PrototypeHead,
    cosine_schedule,
    koleo,
    patch_loss,
    prototype_loss,
    sinkhorn_knopp,
)
from skel_ssl_objectives._scd import Clues, scd
from skel_ssl_objectives._sequence import sequence_mse
from skel_ssl_objectives._slim import slim
from skel_ssl_objectives._tubes import tube_mask
from skel_ssl_objectives._vicreg import (
    covariance_loss,
    cross_correlation,
    umurl,
    usdrl,
    variance_loss,
    vicreg,
)

__all__ = [
    "Centre",
    "Clues",
    "Gather",
    "PrototypeHead",
    "Queue",
    "Teacher",
    "TwoViews",
    "attention_drop",
    "barlow_twins",
    "byol",
    "cmal",
    "cmd",
    "contrast",
    "cosine_distance",
    "cosine_schedule",
    "covariance_loss",
    "cross_correlation",
    "cross_view",
    "crossclr",
    "cscl",
    "cubism",
    "d3m",
    "info_nce",
    "koleo",
    "masked_mse",
    "mlp_head",
    "mmd",
    "motion_energy",
    "nearest_neighbors",
    "neighbor_distillation",
    "nnclr",
    "nt_xent",
    "patch_loss",
    "prototype_loss",
    "queue_neighbor",
    "scd",
    "sequence_mse",
    "sinkhorn_knopp",
    "slim",
    "token_target",
    "tube_mask",
    "umurl",
    "usdrl",
    "variance_loss",
    "vicreg",
]
__version__ = "0.1.0"
