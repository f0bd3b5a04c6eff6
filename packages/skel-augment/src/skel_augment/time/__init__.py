"""Augmentations of time: crops, order, speed and blur."""
