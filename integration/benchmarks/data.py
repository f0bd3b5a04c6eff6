"""Reading, storing and preparing recordings."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rate import rate
from skel_data import (
    READERS,
    CrosSCLR50,
    Default,
    Source,
    Store,
    SynthSettings,
    apply_pipeline,
    cores,
    get_layout,
    import_dataset,
    synth_clips,
    synth_store,
    write_ntu_skeleton,
)

_FILES = 3000
_STATUS = Path("/proc/self/status")
# The import alone, which then tells the most memory that it took; getrusage would tell its parent's too.
_IMPORT = f"""
import sys
from pathlib import Path
from skel_data import import_dataset
import_dataset("ntu60", sys.argv[1], sys.argv[2])
print(next(line.split()[1] for line in Path("{_STATUS}").read_text().splitlines() if "VmHWM" in line))
"""


def measure(seconds: float, device: torch.device, folder: Path) -> dict[str, float]:
    """Clips and files per second, and MiB of memory."""
    clips = [clip.positions for clip in list(synth_clips(SynthSettings()))[:200]]
    few, many = folder / "few", folder / "many"
    _write_files(few, clips, 8)
    _write_files(many, clips, _FILES)
    store = synth_store(folder / "synth.store", SynthSettings())
    order = np.random.default_rng(0).integers(len(store), size=1000).tolist()
    layout = get_layout("ntu-25")
    found = {
        "raw NTU files read": rate(lambda: list(READERS["ntu60"].read(Source(few))), seconds, device, 8),
    }
    for workers in sorted({1, cores()}):
        found[f"NTU files imported, {workers} processes"] = _imported(many, folder / "ntu.store", workers)
    kept = Store.open(folder / "ntu.store")
    recorded = [kept.clip(row) for row in range(200)]
    found |= {
        "clips read from a store, in random order": rate(
            lambda: [store.clip(row).sum() for row in order], seconds, device, 1000
        ),
        "clips through crossclr50": rate(
            lambda: apply_pipeline(CrosSCLR50(), layout, recorded), seconds, device, 200
        ),
        "clips through default": rate(lambda: apply_pipeline(Default(), layout, clips), seconds, device, 200),
    }
    if _STATUS.exists():
        for name, source in (("8", few), (str(_FILES), many)):
            found[f"MiB of memory to import {name} NTU files"] = _memory(source, folder / f"{name}.store")
    return found


def _write_files(folder: Path, clips: list[NDArray[np.float32]], count: int) -> None:
    """Files of 100 frames of two bodies, about 330 KB each; eight in all, under many names."""
    folder.mkdir()
    files = [
        folder / f"S001C001P{number // 60 + 1:03d}R001A{number % 60 + 1:03d}.skeleton"
        for number in range(count)
    ]
    for number, file in enumerate(files):
        if number < 8:
            two = np.concatenate([clips[number], clips[number]], 1)[:100]
            write_ntu_skeleton(file, two, np.broadcast_to(np.array([1, 2]), two.shape[:2]))
        else:
            file.hardlink_to(files[number % 8])


def _imported(source: Path, store: Path, workers: int) -> float:
    started = time.perf_counter()
    made = import_dataset("ntu60", source, store, workers=workers, overwrite=True)
    return len(made) / (time.perf_counter() - started)


def _memory(source: Path, store: Path) -> float:
    words = [sys.executable, "-c", _IMPORT, str(source), str(store)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return int(told) / 1024
