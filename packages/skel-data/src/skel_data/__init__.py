"""Skeleton sequences: layouts, readers, one store, pipelines, streams, splits, synthetic data."""

from skel_data._clip import BadFile, Clip
from skel_data._import import import_dataset
from skel_data._layout import SkeletonLayout, get_layout, layout_names
from skel_data._loading import ClipLoader, clip_loader, epoch_order
from skel_data._merge import merge_stores
from skel_data._parallel import cores
from skel_data._pipeline import PIPELINES, CrosSCLR50, Default, Pipeline, apply_pipeline, build_clips
from skel_data._source import Source
from skel_data._split import Split, get_split, holdout_groups, split_names, without_copies
from skel_data._store import Store
from skel_data._streams import STREAMS, stream
from skel_data._summary import missing_joints, summarise
from skel_data._validate import validate_store
from skel_data._write import write_store
from skel_data.readers import READERS, Reader
from skel_data.synth import SynthSettings, synth_clips, synth_store, write_ntu_skeleton

__all__ = [
    "PIPELINES",
    "READERS",
    "STREAMS",
    "BadFile",
    "Clip",
    "ClipLoader",
    "CrosSCLR50",
    "Default",
    "Pipeline",
    "Reader",
    "SkeletonLayout",
    "Source",
    "Split",
    "Store",
    "SynthSettings",
    "apply_pipeline",
    "build_clips",
    "clip_loader",
    "cores",
    "epoch_order",
    "get_layout",
    "get_split",
    "holdout_groups",
    "import_dataset",
    "layout_names",
    "merge_stores",
    "missing_joints",
    "split_names",
    "stream",
    "summarise",
    "synth_clips",
    "synth_store",
    "validate_store",
    "without_copies",
    "write_ntu_skeleton",
    "write_store",
]
__version__ = "0.1.0"
