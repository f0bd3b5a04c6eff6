"""Self-supervised objectives on feature tensors: losses, queue, EMA teacher, heads."""

from skel_ssl_objectives._aimclr import d3m, nearest_neighbors
from skel_ssl_objectives._attention_drop import attention_drop
from skel_ssl_objectives._contrast import contrast, info_nce
from skel_ssl_objectives._heads import mlp_head
from skel_ssl_objectives._nt_xent import nt_xent
from skel_ssl_objectives._queue import Queue
from skel_ssl_objectives._teacher import Teacher

__all__ = [
    "Queue",
    "Teacher",
    "attention_drop",
    "contrast",
    "d3m",
    "info_nce",
    "mlp_head",
    "nearest_neighbors",
    "nt_xent",
]
__version__ = "0.1.0"
