from ._ntu_text import write_ntu_folder, write_ntu_skeleton
from ._settings import SynthSettings
from ._synth import synth_clips, synth_store

__all__ = ["SynthSettings", "synth_clips", "synth_store", "write_ntu_folder", "write_ntu_skeleton"]
