import shutil
import subprocess
import sys

import pytest

from skel_data import Store
from skel_recipes import Run


@pytest.fixture
def own_store(store, tmp_path):
    """A copy of the store, without caches, to be damaged."""
    shutil.copytree(store.path, tmp_path / "own.store", ignore=shutil.ignore_patterns("cache"))
    return Store.open(tmp_path / "own.store")


@pytest.fixture
def own_run(run, tmp_path):
    """A copy of the finished run, without anything kept, to be damaged."""
    ignored = shutil.ignore_patterns("eval", "features", "baselines")
    shutil.copytree(run.path, tmp_path / "own-run", ignore=ignored)
    return Run.open(tmp_path / "own-run")


@pytest.fixture
def dead():
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def flip():
    """Change one byte of a file in place."""

    def change(path, at=None):
        with path.open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(size // 2 if at is None else at)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 1]))

    return change
