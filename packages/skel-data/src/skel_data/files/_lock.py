"""Lock: one process at a time, on one machine and on folders that several machines share."""

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from attrs import define, field

from skel_data.files._partial import partial_path, remove_partials
from skel_data.files._process import alive, machine, start_time

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
        "started": start_time(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "token": uuid4().hex,
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
