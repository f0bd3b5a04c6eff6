"""Skeleton sequences: layouts, readers, one store, pipelines, streams, splits, synthetic data."""

from skel_data._clip import BadFile, Clip
from skel_data._clip_shape import ClipShape
from skel_data._convert import conversion, convert, explain_conversion
from skel_data._derive import convert_store, merge_stores
from skel_data._facts import ClipFacts
from skel_data._import import import_dataset
from skel_data._layout import SkeletonLayout, get_layout, layout_names
from skel_data._loading import KEEP, ClipLoader, clip_loader, epoch_order
from skel_data._parallel import cores
from skel_data._pipeline import apply_pipeline, build_clips
from skel_data._presence import presence
from skel_data._registry import Registry
from skel_data._source import Source
from skel_data._split import Split, get_split, holdout_groups, split_names, without_copies
from skel_data._store import Store
from skel_data._streams import STREAMS, stream
from skel_data._subset import labelled_subset, without_seen
from skel_data._summary import missing_joints, summarise
from skel_data._validate import validate_store
from skel_data._write import write_store
from skel_data.pipelines import AGCN300, BODIES_BY, CTRGCN, PIPELINES, CrosSCLR50, Default, Pipeline
from skel_data.readers import READERS, Reader
from skel_data.readers._ntu import ntu_facts, read_ntu_skeleton
from skel_data.synth import SynthSettings, synth_clips, synth_store, write_ntu_folder, write_ntu_skeleton

__all__ = [
    "AGCN300",
    "BODIES_BY",
    "CTRGCN",
    "KEEP",
    "PIPELINES",
    "READERS",
    "STREAMS",
    "BadFile",
    "Clip",
    "ClipFacts",
    "ClipLoader",
    "ClipShape",
    "CrosSCLR50",
    "Default",
    "Pipeline",
    "Reader",
    "Registry",
    "SkeletonLayout",
    "Source",
    "Split",
    "Store",
    "SynthSettings",
    "apply_pipeline",
    "build_clips",
    "clip_loader",
    "conversion",
    "convert",
    "convert_store",
    "cores",
    "epoch_order",
    "explain_conversion",
    "get_layout",
    "get_split",
    "holdout_groups",
    "import_dataset",
    "labelled_subset",
    "layout_names",
    "merge_stores",
    "missing_joints",
    "ntu_facts",
    "presence",
    "read_ntu_skeleton",
    "split_names",
    "stream",
    "summarise",
    "synth_clips",
    "synth_store",
    "validate_store",
    "without_copies",
    "without_seen",
    "write_ntu_folder",
    "write_ntu_skeleton",
    "write_store",
]
__version__ = "0.1.0"
