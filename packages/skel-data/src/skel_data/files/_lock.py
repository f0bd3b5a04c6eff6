"""Who writes: locks and partial files, and whether their process still lives.

One process at a time holds a lock, on one machine and on folders that several machines share.
"""

import json
import logging
import os
import platform
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from attrs import define, field


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


_PARTIAL = re.compile(r"\.(.+)\.partial-(?:(.*)-)?(\d+)(?:\.[\w-]+)?", re.DOTALL)
_OLD = 24 * 3600
"""Seconds after which a partial file of another machine is taken for left behind."""
_TIDIED: set[tuple[int, str]] = set()
"""Folders that this process has looked through."""


def partial_path(path: Path) -> Path:
    """A new hidden name beside `path`, which tells the machine and the process that writes.

    What dead processes left in the folder is removed, when this process first asks for a name in it.
    """
    key = os.getpid(), str(path.parent.absolute())
    if key not in _TIDIED:
        _TIDIED.add(key)
        remove_partials(path.parent)
    ending = f"{os.getpid()}.{os.urandom(4).hex()}"
    name = f".{path.name.lstrip('.')}.partial-{platform.node()}-{ending}"
    if len(os.fsencode(name)) > 255 >= len(os.fsencode(path.name)):
        short = blake2b(os.fsencode(path.name), digest_size=4).hexdigest()
        name = f".{short}.partial-{platform.node()[:64]}-{ending}"
    return path.with_name(name)


def remove_partials(*folders: Path) -> None:
    """Remove the partial files that dead processes left in folders.

    Those of this machine go if their process has ended, those of others after a day. A partial folder goes
    only if it is of this machine. A folder that is not there or cannot be written to is passed over.
    """
    nodes = platform.node(), platform.node()[:64]
    for folder in folders:
        try:
            left = [
                (entry, found)
                for entry in os.scandir(folder)
                if ".partial-" in entry.name and (found := _PARTIAL.fullmatch(entry.name))
            ]
        except OSError:
            continue
        for entry, found in left:
            _, node, pid = found.groups()
            with suppress(OSError):
                if node in nodes:
                    dead = not alive(int(pid))
                else:
                    dead = time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD
                if dead and entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink()
                elif dead and node in nodes and entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)


BEAT = 10.0
"""Seconds from one sign of life to the next: the time of the lock file is renewed."""
STALE = 60.0
"""Seconds without a sign of life after which the lock of another machine is taken over."""
_POLL = 0.2
_LOGGER = logging.getLogger("skel_data")


class InUseError(FileExistsError):
    """Another process holds the lock, or has taken it over."""


@define(eq=False)
class Lock:
    """Lock file that this process holds; `hold` takes one.

    Attributes:
        path: The file.
        what: What is locked, for messages.
        holder: Content of the file: host, process id, start time of the process, token, time.
    """

    path: Path
    what: str
    holder: dict[str, Any]
    _ended: threading.Event = field(factory=threading.Event)

    def check(self) -> None:
        """Make sure that the lock is still this process's, before something is written.

        Raises:
            InUseError: If another machine has taken it over, as this process gave no sign of life for long.
        """
        found = _read(self.path)
        if found is None or found.get("token") != self.holder["token"]:
            by = f" by {_who(found)}" if found else ""
            raise InUseError(
                f"{self.what} was taken over{by}, as this process gave no sign of life for {STALE:g} seconds"
            )

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            found = _read(self.path)
            if found is not None and found.get("token") != self.holder["token"]:
                return
            with suppress(OSError):
                os.utime(self.path)


@contextmanager
def hold(path: Path, what: Any = None, *, wait: bool = False) -> Iterator[Lock]:
    """Hold a lock file while something is written that only one process may write.

    The file says who holds it, and its time is renewed every `BEAT` seconds. A lock that was left behind is
    taken over: at once if its process ran on this machine and has ended, and after `STALE` seconds without a
    sign of life if it ran elsewhere. Times are compared by the clock of the file system.

    Args:
        path: The lock file; its folder must exist.
        what: What is locked, for messages; the folder of the file if None.
        wait: Wait for the other process, and say so, in place of an error.

    Raises:
        InUseError: If another process holds it; the message says which.
        OSError: If the folder cannot be written to.
    """
    mine = {
        "host": platform.node(),
        "machine": machine(),
        "pid": os.getpid(),
        "started": _own_start(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "token": os.urandom(16).hex(),
    }
    lock = Lock(path, str(what or path.parent), mine)
    _acquire(lock, wait=wait)
    thread = threading.Thread(target=lock._beat, name=f"lock {path.name}", daemon=True)
    thread.start()
    try:
        yield lock
    finally:
        lock._ended.set()
        if os.getpid() == mine["pid"]:  # a fork does not hold it
            found = _read(path)
            if found is not None and found.get("token") == mine["token"]:
                path.unlink(missing_ok=True)
            thread.join()  # at the end, as Ctrl-C can interrupt it


_own_start = cache(start_time)
"""When this process started; a fork has another id, and so asks for itself."""


def remove_left_behind(*folders: Path) -> None:
    """Remove what dead processes left in folders: partial files, and locks of single files.

    Locks go if they are of this machine. The ``.lock`` of a whole folder stays, so that whoever takes it
    over says so.
    """
    remove_partials(*folders)
    for folder in folders:
        for path in sorted(folder.glob(".?*.lock")):
            found = _read(path)
            if found is None or not _left_behind(found, 0.0):
                continue
            own = partial_path(path)
            with suppress(OSError):  # nothing can be removed there
                own.write_text(json.dumps({"machine": machine(), "pid": os.getpid()}), encoding="utf-8")
                _remove(path, found, own)
            own.unlink(missing_ok=True)


def _acquire(lock: Lock, *, wait: bool) -> None:
    # Complete before it appears under its name; the file system's clock is asked with it, too
    own = partial_path(lock.path)
    told = False
    try:
        own.write_text(json.dumps(lock.holder), encoding="utf-8")
        while not _create(own, lock.path):
            os.utime(own)
            found, age = _read(lock.path), _age(lock.path, own)
            if age is None:
                continue  # it is gone
            if _left_behind(found, age):
                if _remove(lock.path, found, own):
                    _LOGGER.warning("%s: took over the lock of %s", lock.what, _who(found))
                else:
                    time.sleep(_POLL)
                continue
            if not wait:
                raise InUseError(f"{lock.what} is in use by {_who(found)}; wait for it, or end it")
            if not told:
                _LOGGER.warning("%s: waiting for %s", lock.what, _who(found))
                told = True
            time.sleep(_POLL)
    finally:
        own.unlink(missing_ok=True)


def _create(own: Path, path: Path) -> bool:
    """Give a file a second name, unless that is taken."""
    try:
        os.link(own, path)
    except FileExistsError:
        return own.stat().st_nlink == 2  # NFS: it was done, but the answer was lost, and it was asked again
    except OSError:
        if path.exists():
            return False
        try:  # a file system without links
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            file.write(own.read_bytes())
    return True


def _read(path: Path) -> dict[str, Any] | None:
    """Content of a lock file; None if there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("pid"), int) else None


def _age(path: Path, own: Path) -> float | None:
    """Seconds since the last sign of life; None if the file is gone."""
    try:
        return own.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return None


def _left_behind(found: dict[str, Any] | None, age: float) -> bool:
    if found is not None and found.get("machine") == machine():
        started = found.get("started")
        return not alive(found["pid"], started if isinstance(started, int) else None)
    return age > STALE


def _remove(path: Path, found: dict[str, Any] | None, own: Path) -> bool:
    """Remove a lock that was left behind, unless another process was quicker; whether it was removed.

    One process at a time does so, and looks again first. So no lock of a living process is ever removed.
    """
    guard = path.with_name(f"{path.name}.takeover")
    if not _create(own, guard):
        age = _age(guard, own)
        if age is not None and _left_behind(_read(guard), age):
            guard.unlink(missing_ok=True)
        return False
    try:
        same = path.exists() and _read(path) == found
        if same:
            path.unlink(missing_ok=True)
        return same
    finally:
        guard.unlink(missing_ok=True)


def _who(found: dict[str, Any] | None) -> str:
    if found is None:
        return "a process that did not say who it is"
    return f"process {found['pid']} on {found.get('host')}, since {found.get('since')}"
