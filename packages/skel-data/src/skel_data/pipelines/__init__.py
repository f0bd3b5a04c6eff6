"""Pipelines: from recorded clips to a batch of one size, by name and settings. One file each."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
