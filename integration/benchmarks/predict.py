"""A model at work: recordings, a stream of frames, and one recording from a cold start."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from rate import rate
from skel_data import SynthSettings, synth_store
from skel_recipes import Model, fit, load_recipe, pretrain

_FRAMES, _STARTS = 600, 3


def measure(seconds: float, device: torch.device, folder: Path) -> dict[str, float]:
    """Speed of a model with the TCN of ``compact`` on one core, and seconds from a cold start."""
    settings = SynthSettings(classes=4, subjects=4, repetitions=1)
    store = synth_store(folder / "store", settings)
    recipe = load_recipe("compact", {"train.epochs": 1, "train.min_steps": 0, "optim.warmup_epochs": 0})
    model = fit(pretrain(recipe, store, folder / "run"), store, device=str(device))
    recordings = [store.clip(row) for row in range(len(store))]
    frames = np.concatenate(recordings)[:_FRAMES]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = {
            "recordings recognised, compact": rate(
                lambda: model.predict(recordings), seconds, device, len(recordings)
            ),
            "milliseconds of CPU for a frame of a stream, a label every 5 frames": _stream(model, frames, 5),
            "milliseconds of CPU for a frame of a stream, a label every frame": _stream(model, frames, 1),
        }
    finally:
        torch.set_num_threads(threads)
    model.save(folder / "model")
    np.save(folder / "one.npy", recordings[0])
    command = ["-m", "skel_recipes", "predict", str(folder / "model"), str(folder / "one.npy")]
    bare, cold = _seconds("-c", "import torch"), _seconds(*command)
    return found | {"seconds of `import torch`": bare, "seconds of `skel predict`, cold, one recording": cold}


def _stream(model: Model, frames: np.ndarray, step: int) -> float:
    stream = model.stream(step=step)
    for frame in frames[:100]:
        stream.push(frame)
    started = time.process_time()
    for frame in frames:
        stream.push(frame)
    return 1000 * (time.process_time() - started) / len(frames)


def _seconds(*words: str) -> float:
    """The quickest of a few starts of Python."""
    taken = []
    for _ in range(_STARTS):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return min(taken)
