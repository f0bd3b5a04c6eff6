"""Synthetic recordings with labels, and writers for the text format of NTU RGB+D."""

from skel_data.synth._ntu_text import write_ntu_folder, write_ntu_skeleton
from skel_data.synth._synth import SynthSettings, synth_clips, synth_store

__all__ = ["SynthSettings", "synth_clips", "synth_store", "write_ntu_folder", "write_ntu_skeleton"]
