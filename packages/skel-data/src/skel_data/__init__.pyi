from ._clip import BadFile, Clip
from ._clip_shape import ClipShape
from ._convert import conversion, convert, explain_conversion
from ._layout import SkeletonLayout, get_layout, layout_names
from ._loading import KEEP, ClipLoader, clip_loader, epoch_order
from ._registry import Registry
from ._streams import STREAMS, stream
from .corruptions import CORRUPTIONS, Recording, corruption_names
from .pipelines._agcn300 import AGCN300
from .pipelines._apply import apply_pipeline, build_clips
from .pipelines._bodies import BODIES_BY
from .pipelines._crossclr50 import CrosSCLR50
from .pipelines._ctrgcn import CTRGCN
from .pipelines._default import Default
from .pipelines._pipeline import Pipeline
from .pipelines._registry import PIPELINES
from .readers._parallel import cores
from .readers._reader import Reader
from .readers._registry import READERS
from .readers._source import Source
from .readers.datasets._ntu import ntu_clip_table, read_ntu_skeleton
from .splits._clip_table import ClipTable
from .splits._split import Split, get_split, holdout_groups, split_names, without_copies
from .splits._subset import labelled_subset, without_seen
from .store._derive import convert_store, merge_stores
from .store._import import import_dataset
from .store._info import DatasetInfo
from .store._store import Store
from .store._summary import missing_joints, summarise
from .store._validate import validate_store
from .store._write import write_store
from .synth._ntu_text import write_ntu_folder, write_ntu_skeleton
from .synth._settings import SynthSettings
from .synth._synth import synth_clips, synth_store

__all__ = [
    "AGCN300",
    "BODIES_BY",
    "CORRUPTIONS",
    "CTRGCN",
    "KEEP",
    "PIPELINES",
    "READERS",
    "STREAMS",
    "BadFile",
    "Clip",
    "ClipLoader",
    "ClipShape",
    "ClipTable",
    "CrosSCLR50",
    "DatasetInfo",
    "Default",
    "Pipeline",
    "Reader",
    "Recording",
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
    "corruption_names",
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
    "ntu_clip_table",
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
__version__: str
