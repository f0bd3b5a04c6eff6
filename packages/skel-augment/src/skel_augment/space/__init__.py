"""Augmentations of coordinates: matrices, rotations and noise."""
