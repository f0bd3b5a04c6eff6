"""Encoders of skeleton sequences: clips (N, C, T, V, M) in, features (N, D) out."""

import lazy_loader

# What is public stands in __init__.pyi; it is imported on first use, as PyTorch and timm take seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
