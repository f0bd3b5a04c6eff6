"""Skeleton sequences: layouts, readers, one store, pipelines, streams, splits, synthetic data.

Public names are listed in ``__init__.pyi`` and imported when they are used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
