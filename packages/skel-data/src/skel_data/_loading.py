"""Data loader: clips held on a device, or streamed to it batch by batch.

Needs torch, which is imported by the functions that use it.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._words import counted

if TYPE_CHECKING:
    import torch

Ints = NDArray[np.int64]

KEEP = ("auto", "device", "stream")
"""Where clips are kept: what fits best, on the device, or where they are."""

_AHEAD = 2
"""Batches read in advance while the device works on one."""


@define(frozen=True, eq=False)
class ClipLoader:
    """Data loader of clips, resident on a device or streamed to it; `clip_loader` makes one.

    Attributes:
        array: All clips (N, C, T, V, M): a tensor on the device, or an array that may be memory-mapped.
        rows: Which of them are loaded; None: all.
        device: Where batches go.
        dtype: Type of the batches.
    """

    array: Any
    rows: Ints | None
    device: "torch.device"
    dtype: "torch.dtype"

    def __len__(self) -> int:
        return len(self.array) if self.rows is None else len(self.rows)

    @property
    def resident(self) -> bool:
        """Whether all clips are on the device."""
        return not isinstance(self.array, np.ndarray)

    def take(self, index: Ints) -> "torch.Tensor":
        """The clips (N, C, T, V, M) at these indices, counted among those that are loaded."""
        return self._to_device(self._read(index))

    def batches(self, order: Iterable[Ints]) -> Iterator["torch.Tensor"]:
        """One tensor (N, C, T, V, M) for each array of indices, in their order.

        Where clips are streamed, the next batches are read by a thread meanwhile.
        """
        if self.resident:
            yield from map(self.take, order)
            return
        with ThreadPoolExecutor(1) as thread:
            ahead: deque[Future[torch.Tensor]] = deque()
            for index in order:
                ahead.append(thread.submit(self._read, index))
                if len(ahead) > _AHEAD:
                    yield self._to_device(ahead.popleft().result())
            while ahead:
                yield self._to_device(ahead.popleft().result())

    def _read(self, index: Ints) -> "torch.Tensor":
        import torch

        if self.resident:
            clips: torch.Tensor = self.array[torch.from_numpy(index).to(self.device)]
            return clips
        rows = index if self.rows is None else self.rows[index]
        batch = torch.from_numpy(self.array[rows])
        return batch.pin_memory() if self.device.type == "cuda" else batch

    def _to_device(self, batch: "torch.Tensor") -> "torch.Tensor":
        return batch.to(self.device, non_blocking=True).to(self.dtype)


def clip_loader(
    array: NDArray[Any],
    rows: Ints | None = None,
    *,
    device: "torch.device | str" = "cpu",
    dtype: "torch.dtype | None" = None,
    keep: str = "auto",
) -> ClipLoader:
    """Make a data loader of clips for a device.

    The batches are the same wherever the clips are kept. With float16 arrays a device holds twice as
    many clips; batches are converted.

    Args:
        array: Clips (N, C, T, V, M) of `build_clips`, memory-mapped where they may be streamed.
        rows: Which of them are loaded; None: all.
        device: Where batches go.
        dtype: Type of the batches; None: float32.
        keep: One of `KEEP`: ``device`` brings the clips there once; ``stream`` reads each batch when it is
            needed; ``auto`` brings them where they take at most half of the memory that is free.

    Raises:
        ValueError: If there is no such `keep`.
    """
    import torch

    if keep not in KEEP:
        raise ValueError(f"keep must be one of {', '.join(KEEP)}, got {keep!r}")
    device, dtype = torch.device(device), dtype or torch.float32
    count = len(array) if rows is None else len(rows)
    size = count * int(np.prod(array.shape[1:])) * array.itemsize
    if keep == "stream" or (keep == "auto" and size > _free(device) // 2):
        return ClipLoader(array, rows, device, dtype)
    chosen = array[rows] if rows is not None else array if array.flags.writeable else array.copy()
    return ClipLoader(torch.from_numpy(chosen).to(device), None, device, dtype)


def epoch_order(
    clips: int,
    batch: int,
    *,
    seed: int,
    rank: int = 0,
    ranks: int = 1,
    groups: NDArray[Any] | None = None,
    balance: float = 0.0,
) -> list[Ints]:
    """Shuffled batches of an epoch: indices of the clips in each, without an incomplete last batch.

    The order depends on the seed alone. Together the ranks see the batches that one rank would.

    Args:
        clips: How many there are.
        batch: Clips in a batch, over all ranks.
        seed: Decides the order.
        rank: Of this process.
        ranks: Processes that share each batch.
        groups: Group of each clip (N,), such as its data set; given, all clips of a batch are of one group.
        balance: How evenly groups get batches. 0: in proportion to their clips. 1: equally often, so that an
            epoch repeats clips of small groups and leaves out some of large ones.

    Raises:
        ValueError: If the ranks cannot share a batch evenly, or there is no whole batch, in all or in a
            group.
    """
    import torch

    if batch % ranks or not 0 < batch <= clips:
        raise ValueError(
            f"batches of {batch} of {counted(clips, 'clip')} cannot be shared by {ranks} ranks evenly"
        )
    generator = torch.Generator().manual_seed(seed)
    if groups is None:
        order = _shuffled(np.arange(clips), batch, generator)
    else:
        order = _grouped(groups, clips // batch, batch, balance, generator)
    return list(order.reshape(-1, ranks, batch // ranks)[:, rank])


def _shuffled(rows: Ints, batch: int, generator: "torch.Generator") -> Ints:
    """Whole batches of rows in random order (B, batch)."""
    import torch

    order: Ints = rows[torch.randperm(len(rows), generator=generator).numpy()]
    return order[: len(rows) // batch * batch].reshape(-1, batch)


def _grouped(
    groups: NDArray[Any], steps: int, batch: int, balance: float, generator: "torch.Generator"
) -> Ints:
    """Batches of one group each in random order (steps, batch)."""
    import torch

    codes, sizes = np.unique(groups, return_counts=True)
    if sizes.min() < batch:
        raise ValueError(
            f"each batch of {batch} clips is of one group, but group {codes[sizes.argmin()]} has "
            f"{counted(int(sizes.min()), 'clip')}"
        )
    share = sizes ** (1.0 - balance)
    wanted = steps * share / share.sum()
    counts = np.floor(wanted).astype(np.int64)
    counts[np.argsort(counts - wanted, kind="stable")[: steps - counts.sum()]] += 1  # largest remainders
    batches = []
    for code, size, count in zip(codes, sizes, counts, strict=True):
        rows = np.flatnonzero(groups == code)
        rounds = [_shuffled(rows, batch, generator) for _ in range(-(-count // (size // batch)))]
        batches += [np.concatenate(rounds)[:count]] if rounds else []
    order: Ints = np.concatenate(batches)[torch.randperm(steps, generator=generator).numpy()]
    return order


def _free(device: "torch.device") -> int:
    """Free memory in bytes; where that is not known, more than anything needs."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**62
