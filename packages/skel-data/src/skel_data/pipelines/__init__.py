"""Pipelines: from recorded clips to a batch of one size, by name and settings. One file each."""

from skel_data._registry import Registry
from skel_data.pipelines._agcn300 import AGCN300
from skel_data.pipelines._bodies import BODIES_BY
from skel_data.pipelines._crossclr50 import CrosSCLR50
from skel_data.pipelines._ctrgcn import CTRGCN
from skel_data.pipelines._default import Default
from skel_data.pipelines._pipeline import Pipeline

__all__ = ["AGCN300", "BODIES_BY", "CTRGCN", "PIPELINES", "CrosSCLR50", "Default", "Pipeline"]

PIPELINES = Registry(
    "pipeline", {"default": Default, "crossclr50": CrosSCLR50, "agcn300": AGCN300, "ctrgcn": CTRGCN}
)
"""Pipelines by name."""
