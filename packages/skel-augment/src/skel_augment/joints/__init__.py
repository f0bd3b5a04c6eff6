"""Augmentations of joints: flips and distortion."""
