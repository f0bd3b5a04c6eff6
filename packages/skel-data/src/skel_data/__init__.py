"""Skeleton sequences: layouts, readers, one store, pipelines, streams, splits, synthetic data."""

from skel_data._layout import SkeletonLayout, get_layout, layout_names

__all__ = ["SkeletonLayout", "get_layout", "layout_names"]
__version__ = "0.1.0"
