"""Evaluation protocols on feature arrays: probes, nearest neighbours, baselines, comparisons, reports.

Features are (N, D), labels are integers (N,); where they come from is not known here.
"""

import lazy_loader

__version__ = "0.1.0"

# names are listed in __init__.pyi; a name is imported when it is first used
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
