"""Partial files: their names, and the removal of those that dead processes left."""

import os
import platform
import re
import shutil
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

from skel_data.files._process import alive

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
    ending = f"{os.getpid()}.{uuid4().hex[:8]}"
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
