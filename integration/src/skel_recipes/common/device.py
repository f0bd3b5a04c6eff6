"""Where to compute: device, precision, and the processes that `torchrun` starts to train together."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from attrs import define
from torch import Tensor, distributed

from skel_ssl_objectives import Gather


def pick_device(name: str = "auto") -> torch.device:
    """The named device; ``auto`` is a GPU where there is one.

    Raises:
        ValueError: If the device does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"no device {name!r} here: {error}") from error
    return device


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; without them it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


_LOST = re.compile(
    r"closed by peer|reset by peer|connection (closed|refused|reset)|broken pipe|remote process|timed ?out",
    re.IGNORECASE,
)
"""What the libraries that connect processes say when one is gone."""
_AT_WORK = timedelta(minutes=30)
"""How long a process waits for the others once all are connected: PyTorch's default."""


@define(frozen=True)
class World:
    """One of the processes that share a global batch.

    Attributes:
        rank: Its number, from 0. Rank 0 writes files.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def gather(self) -> Gather | None:
        """Joins the rows of all processes, with gradients; None for one process."""
        return None if self.size == 1 else _gather

    def mean(self, x: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        if self.size > 1:
            x = x.clone()
            distributed.all_reduce(x)
            x /= self.size
        return x

    def on_rank0(self, work: Callable[[], Any]) -> Any:
        """Run a function on rank 0; what it returns or raises is returned or raised on all ranks."""
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, None]  # what it returned, what it raised
        if self.rank == 0:
            try:
                outcome[0] = work()
            except Exception as error:
                outcome[1] = error
        distributed.broadcast_object_list(outcome)
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]


def launched_processes() -> int:
    """Number of processes that `torchrun` started; outside of it there is one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined(device: str = "auto") -> Iterator[tuple[World, torch.device]]:
    """This process's place among those that `torchrun` started, and its device.

    Outside of `torchrun` there is one process. Every process takes the GPU of its local rank, or all of them
    the CPU. A process group that is there already is used and left as it is.

    The processes wait for one another for 45 seconds, or as many as the environment variable
    SKEL_CONNECT_SECONDS says. Under `torchrun`, which ends all when one has ended, it is 30 minutes.

    Args:
        device: See `pick_device`.

    Raises:
        ConnectionError: If another of the processes has ended, or does not come.
        ValueError: If SKEL_CONNECT_SECONDS is not a number of seconds.
    """
    launched = launched_processes() > 1
    where = pick_device(device)
    if launched and str(where) == "cuda":
        where = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if where.type == "cuda":
        torch.cuda.set_device(where)
    ours = launched and not distributed.is_initialized()
    if ours:
        _connect("nccl" if where.type == "cuda" else "gloo")
    try:
        if distributed.is_available() and distributed.is_initialized():
            rank, size = distributed.get_rank(), distributed.get_world_size()
            try:
                yield World(rank, size), where
            except RuntimeError as error:
                if size > 1 and _LOST.search(str(error)):
                    raise ConnectionError(
                        f"process {rank + 1} of {size} lost another one, which has ended; start all "
                        "again, with skel pretrain --resume"
                    ) from error
                raise
        else:
            yield World(), where
    finally:
        if ours and distributed.is_initialized():
            distributed.destroy_process_group()


def _connect(backend: str) -> None:
    """Make the process group; a process that does not come in time is an error.

    PyTorch has one timeout for this and for what follows, of 30 minutes. The first process listens, and the
    others ask it. So nobody notices that one ended before all are connected.
    """
    from torch.distributed.rendezvous import rendezvous

    seconds = _connect_seconds()
    deadline = time.monotonic() + seconds
    try:
        tries = 1
        if os.environ.get("RANK", "0") != "0":
            _wait_for_first(deadline)
            # If the first ends right after it began to listen, PyTorch waits, pauses, and waits again.
            tries = 1 if _by_torchrun() else 3
        left = timedelta(seconds=max(1.0, (deadline - time.monotonic()) / tries))
        store, rank, size = next(rendezvous("env://", timeout=left))
        left = timedelta(seconds=max(1.0, deadline - time.monotonic()))
        store.set_timeout(left)
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=left)
        _set_timeout(_AT_WORK)
        store.set_timeout(_AT_WORK)
    except (RuntimeError, OSError) as error:
        if distributed.is_initialized():
            distributed.destroy_process_group()
        number, size = int(os.environ.get("RANK", "0")) + 1, os.environ["WORLD_SIZE"]
        raise ConnectionError(
            f"process {number} of {size} did not reach all others in {seconds:g} seconds, or one has ended; "
            "start all again; if they need longer, set SKEL_CONNECT_SECONDS"
        ) from error


def _wait_for_first(deadline: float) -> None:
    """Wait until the first process listens. PyTorch waits longer and longer between its tries."""
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT", "")
    if not host or not port.isdecimal():
        return  # PyTorch says what is expected
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _set_timeout(timeout: timedelta) -> None:
    """Set the timeout of the process group, by the name that the release of PyTorch has for it."""
    name = "set_timeout" if hasattr(distributed.distributed_c10d, "set_timeout") else "_set_pg_timeout"
    getattr(distributed.distributed_c10d, name)(timeout, distributed.group.WORLD)


def _by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _connect_seconds() -> float:
    """Seconds in which all processes must be connected."""
    text = os.environ.get("SKEL_CONNECT_SECONDS", "")
    if not text:
        return _AT_WORK.total_seconds() if _by_torchrun() else 45.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise ValueError(f"SKEL_CONNECT_SECONDS must be from 1 to 86400, got {text!r}")
    return seconds


class _Gather(torch.autograd.Function):
    """All rows, in the order of ranks; the gradient of a row is the sum over all processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.count = len(x)
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        start = distributed.get_rank() * ctx.count
        return total[start : start + ctx.count]


def _gather(x: Tensor) -> Tensor:
    gathered: Tensor = _Gather.apply(x)
    return gathered
