"""What the bits of trained weights depend on beside recipe, store and seed."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import torch

from skel_recipes.run.run import Run


def compute_facts(processes: int, device: torch.device) -> dict[str, Any]:
    """Processes, threads, processor features and device, as ``run.json`` holds them."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "processes": processes,
        "threads": torch.get_num_threads(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "device": name,
    }


def changed_facts(run: Run, now: Mapping[str, Any]) -> list[str]:
    """What differs from when a run began, one phrase each: facts of computing, and library versions."""
    return list(_changed(run.info.get("compute", {}), now)) + list(
        _changed(run.info["versions"], {name: version(name) for name in run.info["versions"]})
    )


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, value in then.items():
        if name in now and now[name] != value:
            yield f"{name} {value}, now {now[name]}"
