from ._ntu_text import write_ntu_folder as write_ntu_folder, write_ntu_skeleton as write_ntu_skeleton
from ._settings import SynthSettings as SynthSettings
from ._synth import synth_clips as synth_clips, synth_store as synth_store
