"""Every kind of golden vector is either tested or said to be missing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = os.environ.get("SKEL_VECTORS")


def kinds_tested():
    marker = re.compile(r"mark\.vectors\(([^)]*)\)")
    for path in [*ROOT.glob("packages/*/tests/test_*.py"), *ROOT.glob("integration/tests/test_*.py")]:
        for arguments in marker.findall(path.read_text(encoding="utf-8")):
            yield from re.findall(r'"([\w.]+)"', arguments)


def kinds_given():
    for path in sorted(Path(FOLDER).glob("*.npz")) if FOLDER else ():
        with np.load(path, allow_pickle=False) as case:
            yield json.loads(str(case["config"]))["kind"]


def test_kinds_of_this_project_are_tested():
    contrasts = {"aimclr", "barlow", "cmal", "crossclr", "cscl", "scd", "skeletonclr"}
    networks = {"eadm", "graph", "scd_encoder", "stgcn"}
    assert contrasts | networks | {"augment", "ensemble", "knn", "streams"} <= set(kinds_tested())


@pytest.mark.parametrize("kind", sorted(set(kinds_given())) or ["none: SKEL_VECTORS is not set"])
def test_kind_is_covered(kind):
    if kind not in set(kinds_tested()):
        pytest.skip(f"golden vectors not covered yet: {kind}")


@pytest.mark.slow
def test_without_golden_vectors_tests_are_skipped():
    """As for a user who has no folder of them, also where none lies beside the test."""
    environment = {key: value for key, value in os.environ.items() if key != "SKEL_VECTORS"}
    words = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-k", "none"]
    done = subprocess.run(
        [*words, "integration/tests/test_crrl.py"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "no golden vectors of crrl.moco; SKEL_VECTORS names their folder" in done.stdout
