"""How often something can be done in a second."""

import time
from collections.abc import Callable

import torch


def rate(work: Callable[[], object], seconds: float, device: torch.device, units: int = 1) -> float:
    """Units per second of work that does so many at a time, after one call to warm up."""

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
    return calls * units / (time.perf_counter() - started)
