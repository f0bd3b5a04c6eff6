"""Methods, recipes, trainer and evaluation of self-supervised skeleton-based action recognition.

A name of ``__init__.pyi`` is imported when it is first used: the command line starts without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
