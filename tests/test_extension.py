"""A package of somebody else adds a part of each kind by entry points; the command line uses them."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "skel-extension"
PARTS = {
    "methods": "mean-simclr",
    "encoders": "mean-mlp",
    "augmentations": "stretch",
    "pipelines": "first-frames",
    "readers": "points-csv",
    "protocols": "nearest-mean",
}


@pytest.fixture
def environment(tmp_path):
    """The environment variables with which the example is installed, if it is not already."""
    try:
        version("skel-extension")
    except PackageNotFoundError:
        project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
        installed = tmp_path / "site" / "skel_extension-0.1.0.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: skel-extension\nVersion: 0.1.0\n")
        groups = [
            f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in points.items())
            for group, points in project["entry-points"].items()
        ]
        (installed / "entry_points.txt").write_text("\n".join(groups))
        paths = [str(installed.parent), str(EXAMPLE / "src"), os.environ.get("PYTHONPATH", "")]
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
    return dict(os.environ)


def recordings(folder):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for place in range(24):
        action, subject = ("wave", "point")[place % 2], place % 4
        steps = rng.normal(size=(10, 9)).cumsum(0) + 3 * (place % 2)
        np.savetxt(folder / f"{action}-{subject}-{place}.csv", steps, "%.4f", delimiter=",")


@pytest.mark.slow
def test_six_parts_work_from_the_command_line(environment, tmp_path):
    def skel(*words):
        words = [sys.executable, "-m", "skel_recipes", *map(str, words)]
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    for kind, name in PARTS.items():
        line = next(line for line in skel("list", kind).splitlines() if line.startswith(name))
        assert len(line.split()) > 3, line  # it says what it is
    recordings(tmp_path / "csv")
    assert "24 clips" in skel("data", "import", "points-csv", "csv", "mine.store")
    skel("pretrain", EXAMPLE / "recipe.toml", "mine.store", "--out", "run")
    assert "nearest mean" in skel("eval", "nearest-mean", "run", "mine.store", "--no-normalise")
    assert "best simple baseline: " in skel("eval", "knn", "run", "mine.store")
    skel("show", "mine.store", "--recipe", EXAMPLE / "recipe.toml", "--out", "clip.html")
    assert "pipeline first-frames" in (tmp_path / "clip.html").read_text()
    skel("report", "run")
