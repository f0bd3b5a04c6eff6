"""``skel bench``: speed on this machine."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# The recipe "aimclr" has a narrower encoder; published speeds are of this one.
PAPER_SIZE = {"encoder.base_channels": 16, "encoder.feature_dim": 256, "data.pipeline.frames": 50}


def bench(*, seconds: float = 2.0, device: str = "auto", json: bool = False) -> None:
    """Measure the parts of the main job on synthetic data of the usual size.

    Args:
        seconds: Time spent on each part, warm-up aside.
        device: cpu, cuda, or auto.
        json: Print JSON.
    """
    import torch

    from skel_recipes._device import pick_device
    from skel_recipes.commands._say import say, say_json, table

    where = pick_device(device)
    with TemporaryDirectory() as folder:
        parts = _parts(where, Path(folder))
        speeds = {
            name: round(_rate(work, seconds, where) * units, 1) for name, (units, work) in parts.items()
        }
    facts = {"device": str(where), "threads": torch.get_num_threads(), "torch": torch.__version__}
    if json:
        say_json({**facts, "per_second": speeds})
    else:
        say(", ".join(f"{key} {value}" for key, value in facts.items()))
        say(table([("", "per second"), *((name, f"{speed:,.1f}") for name, speed in speeds.items())]))


def _parts(device: "torch.device", folder: Path) -> dict[str, tuple[int, Callable[[], object]]]:
    """Work by name, with the number of units that one call does."""
    import numpy as np
    import torch

    from skel_augment import ClipShape, preset
    from skel_data import (
        READERS,
        CrosSCLR50,
        Default,
        Source,
        SynthSettings,
        apply_pipeline,
        get_layout,
        synth_clips,
        synth_store,
        write_ntu_skeleton,
    )
    from skel_recipes._recipe import load_recipe
    from skel_recipes._trainer import build_method, build_optimizer, precision_of
    from skel_recipes.methods import Sight

    clips = list(synth_clips(SynthSettings()))[:200]
    layout = get_layout("ntu-25")
    positions = [clip.positions for clip in clips]
    generator = np.random.default_rng(0)
    raw = folder / "nturgb+d_skeletons"
    raw.mkdir()
    for number in range(8):
        two = np.concatenate([positions[number], positions[number]], 1)[:100]
        tracks = np.broadcast_to(np.array([1, 2]), two.shape[:2])
        write_ntu_skeleton(raw / f"S001C001P{number + 1:03d}R001A001.skeleton", two, tracks)
    store = synth_store(folder / "synth.store", SynthSettings())
    order = generator.integers(len(store), size=1000)
    batch = torch.randn(128, 3, 50, 25, 2, device=device)
    views = [preset(name) for name in ("aimclr.normal", "aimclr.normal", "aimclr.extreme")]

    def training(name: str, layout_name: str, bodies: int) -> Callable[[], object]:
        recipe = load_recipe(name, PAPER_SIZE if name == "aimclr" else {})
        joints = get_layout(layout_name)
        sight = Sight(ClipShape(joints, recipe.data.pipeline.frames, bodies), "joint", 1000)
        method = build_method(recipe, sight).to(device)
        optimizer = build_optimizer(recipe.optim, method)
        x = torch.randn(
            recipe.train.batch_size, 3, recipe.data.pipeline.frames, joints.num_joints, bodies, device=device
        )
        draws = torch.Generator(device).manual_seed(0)

        def step() -> None:
            with precision_of(recipe.train, device):
                losses = method(x, epoch=0, generator=draws)
            optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            optimizer.step()

        return step

    batches = {name: load_recipe(name).train.batch_size for name in ("aimclr", "compact")}
    return {
        "raw NTU files read": (8, lambda: list(READERS["ntu60"].read(Source(raw)))),
        "clips read from a store": (1000, lambda: [store.clip(int(i)).sum() for i in order]),
        "clips through crossclr50": (200, lambda: apply_pipeline(CrosSCLR50(), layout, positions)),
        "clips through default": (200, lambda: apply_pipeline(Default(), layout, positions)),
        "AimCLR view triples": (128, lambda: [view(batch, layout) for view in views]),
        "clips trained, AimCLR on ST-GCN-16, 20 joints, 1 body": (
            batches["aimclr"],
            training("aimclr", "utd-20", 1),
        ),
        "clips trained, AimCLR on ST-GCN-16, 25 joints, 2 bodies": (
            batches["aimclr"],
            training("aimclr", "ntu-25", 2),
        ),
        "clips trained, compact, 20 joints, 1 body": (batches["compact"], training("compact", "utd-20", 1)),
    }


def _rate(work: Callable[[], object], seconds: float, device: "torch.device") -> float:
    """Calls per second, after one call to warm up."""
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    work()
    wait()
    calls, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        work()
        wait()
        calls += 1
    return calls / (time.perf_counter() - started)
