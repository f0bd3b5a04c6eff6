"""Identity of processes: whether the one that wrote a file still lives."""

import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """Identity of this machine since it started; process ids mean something only within it."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):  # containers count their processes on their own
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def start_time(pid: int) -> int | None:
    """When a process of this machine started, in ticks of its clock; None where that is not told."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])  # the name, in brackets, may hold anything


def alive(pid: int, started: int | None = None) -> bool:
    """Whether a process of this machine lives.

    Args:
        pid: Its number.
        started: When it started; another process may have come to its number since.
    """
    if os.name == "nt":
        return True  # no way to ask that does no harm there
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    now = start_time(pid)
    if started is None or now is None:
        return True
    return now == started and not _ended(pid)


def _ended(pid: int) -> bool:
    """Whether it has ended and only waits for its parent to notice."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] in ("Z", "X")
