"""Batched augmentation of skeleton clips on the device: sample parameters per clip, then apply.

Axis letters: n clips, c channels, t frames, v joints, m bodies; clips are (N, C, T, V, M).
"""

import lazy_loader

# What is public stands in __init__.pyi; it is imported on first use, as PyTorch takes seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
