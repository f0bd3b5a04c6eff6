from ._agcn300 import AGCN300
from ._bodies import BODIES_BY
from ._crossclr50 import CrosSCLR50
from ._ctrgcn import CTRGCN
from ._default import Default
from ._pipeline import Pipeline
from ._registry import PIPELINES

__all__ = ["AGCN300", "BODIES_BY", "CTRGCN", "PIPELINES", "CrosSCLR50", "Default", "Pipeline"]
