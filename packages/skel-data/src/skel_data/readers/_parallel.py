"""Multiprocessing of an import, in the order of its files."""

import os
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from skel_data._clip import BadFile, Clip
from skel_data.readers import Work

if TYPE_CHECKING:
    from concurrent.futures import Future

Done = tuple[str, list[Clip | BadFile]]

_FIRST = 64
"""Shares done before processes are started: a small set is read by then."""
_TOGETHER = 8
"""Shares that are handed to a process at a time."""
_AHEAD = 2
"""Such handfuls in hand for each process. More would only fill memory."""


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def do_all(found: Iterator[Work | BadFile], workers: int) -> Iterator[Done]:
    """Do shares of work; give each one's name and clips, in the order of `found`.

    Args:
        found: The work, and what could not be read.
        workers: Processes.

    Raises:
        ChildProcessError: If a process died.
    """
    yield from map(_do, found if workers == 1 else islice(found, _FIRST))
    handfuls = iter(lambda: list(islice(found, _TOGETHER)), [])
    first = next(handfuls, None) if workers > 1 else None
    if first is None:
        return
    from concurrent.futures import ProcessPoolExecutor  # a small set is read without, and sooner
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # Fresh processes, not forks: those of a program with threads may hang
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    in_hand: deque[Future[list[Done]]] = deque()
    try:
        for handful in chain([first], handfuls):
            in_hand.append(pool.submit(_do_some, handful))
            if len(in_hand) >= _AHEAD * workers:
                yield from in_hand.popleft().result()
        while in_hand:
            yield from in_hand.popleft().result()
    except BrokenProcessPool as error:
        raise ChildProcessError("a process that reads files died; is there enough memory?") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _do_some(handful: list[Work | BadFile]) -> list[Done]:
    return [_do(work) for work in handful]


def _do(work: Work | BadFile) -> Done:
    return work.name, work.clips() if isinstance(work, Work) else [work]
