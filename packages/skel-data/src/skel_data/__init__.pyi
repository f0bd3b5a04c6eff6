from ._class_map import ClassMap as ClassMap, class_map_names as class_map_names
from ._class_map import match_classes as match_classes, read_class_map as read_class_map
from ._clip import BadFile as BadFile, Clip as Clip, keep_origin as keep_origin
from ._clip_shape import ClipShape as ClipShape
from ._convert import conversion as conversion, convert as convert, explain_conversion as explain_conversion
from ._layout import SkeletonLayout as SkeletonLayout, get_layout as get_layout, layout_names as layout_names
from ._loading import KEEP as KEEP, ClipLoader as ClipLoader, clip_loader as clip_loader
from ._loading import epoch_order as epoch_order
from ._registry import Registry as Registry
from ._scores import check_min_score as check_min_score, drop_low_scores as drop_low_scores
from ._clip_shape import STREAMS as STREAMS, stream as stream, stream_channels as stream_channels
from .checks._claims import broken_claims as broken_claims
from .checks._copies import Copy as Copy, find_copies as find_copies
from .corruptions import CORRUPTIONS as CORRUPTIONS, Recording as Recording
from .corruptions import corruption_names as corruption_names
from .pipelines._agcn300 import AGCN300 as AGCN300
from .pipelines._apply import apply_pipeline as apply_pipeline, build_clips as build_clips
from .pipelines._steps import BODIES_BY as BODIES_BY
from .pipelines._crossclr50 import CrosSCLR50 as CrosSCLR50
from .pipelines._ctrgcn import CTRGCN as CTRGCN
from .pipelines._default import Default as Default
from .pipelines._pipeline import Pipeline as Pipeline
from .pipelines._registry import PIPELINES as PIPELINES
from .readers._find_format import find_format as find_format
from .readers._parallel import cores as cores
from .readers._reader import Reader as Reader
from .readers._registry import READERS as READERS
from .readers._source import Source as Source
from .readers.datasets._ntu import ntu_clip_table as ntu_clip_table, read_ntu_skeleton as read_ntu_skeleton
from .store._info import ClipTable as ClipTable
from .splits._performances import names_contain_class as names_contain_class
from .splits._performances import performance_groups as performance_groups
from .splits._split import Split as Split, get_split as get_split, holdout_groups as holdout_groups
from .splits._split import split_names as split_names, without_copies as without_copies
from .splits._subset import labelled_subset as labelled_subset, without_seen as without_seen
from .store._derive import (
    convert_store as convert_store,
    label_store as label_store,
    with_labels as with_labels,
)
from .store._derive import merge_stores as merge_stores
from .store._import import import_dataset as import_dataset
from .store._info import DatasetInfo as DatasetInfo
from .store._join import join_clips as join_clips
from .store._layout_of import layout_of as layout_of, layout_toml as layout_toml
from .store._pool import (
    METRES as METRES,
    in_units as in_units,
    pool_digests as pool_digests,
    pool_source as pool_source,
    pool_stores as pool_stores,
)
from .store._store import Store as Store
from .store._summary import missing_joints as missing_joints, summarise as summarise
from .store._summary import warnings_of as warnings_of
from .store._validate import validate_store as validate_store
from .store._write import write_store as write_store
from .synth._ntu_text import write_ntu_folder as write_ntu_folder, write_ntu_skeleton as write_ntu_skeleton
from .synth._settings import SynthSettings as SynthSettings
from .synth._synth import synth_clips as synth_clips, synth_store as synth_store

__version__: str
