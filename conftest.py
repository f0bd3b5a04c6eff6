"""Golden vectors for all packages.

A test marked ``@pytest.mark.vectors("kind", ...)`` that takes a ``vector`` runs once for every case of
these kinds in the folder named by SKEL_VECTORS, or in the ``vectors`` folder beside the test.
"""

import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("hypothesis"):  # not in all sessions
    from hypothesis import settings

    settings.register_profile("any speed", deadline=None)  # a busy machine fails no test
    settings.load_profile("any speed")


class Vector:
    """One golden case: its settings and its arrays by name, such as ``case["in.x"]``."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self.config: dict[str, Any] = json.loads(str(arrays["config"]))
            self.arrays = {key: arrays[key] for key in arrays.files if key != "config"}
        self.name = path.stem

    def __getitem__(self, key: str) -> Any:
        return self.arrays[key]

    def group(self, prefix: str) -> dict[str, Any]:
        """The arrays under a prefix such as ``state.``, without it."""
        return {
            key.removeprefix(prefix): value for key, value in self.arrays.items() if key.startswith(prefix)
        }


def vectors(beside: Path) -> Iterator[Vector]:
    """All cases of the folder named by SKEL_VECTORS, or of ``vectors`` beside a test file, if it exists."""
    given = os.environ.get("SKEL_VECTORS")
    folder = Path(given or beside.parent / "vectors")
    if not given and not folder.exists():
        return iter(())
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise pytest.UsageError(f"no golden vectors (*.npz) in {folder}")
    return map(Vector, paths)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `vectors` once per case of its kinds."""
    marker = metafunc.definition.get_closest_marker("vectors")
    if marker is None or "vector" not in metafunc.fixturenames:
        return
    cases = [case for case in vectors(metafunc.definition.path) if case.config["kind"] in marker.args]
    if cases:
        metafunc.parametrize("vector", cases, ids=lambda case: case.name)
        return
    reason = f"no golden vectors of {', '.join(marker.args)}; SKEL_VECTORS names their folder"
    metafunc.parametrize("vector", [pytest.param(None, marks=pytest.mark.skip(reason=reason))], ids=["none"])


if find_spec("sybil") is not None:  # the docs session: every Python block in Markdown runs
    from contextlib import redirect_stdout
    from doctest import ELLIPSIS, OutputChecker
    from io import StringIO

    from sybil import Example, Sybil
    from sybil.evaluators.python import PythonEvaluator
    from sybil.parsers.markdown import CodeBlockParser, SkipParser

    class Printing(PythonEvaluator):
        """Keeps what a Python block prints for the `output` block after it."""

        def __call__(self, example: Example) -> None:
            """Run the block."""
            with redirect_stdout(StringIO()) as printed:
                super().__call__(example)
            example.namespace["printed"] = printed.getvalue()

    def compare(example: Example) -> str | None:
        """What is wrong with an `output` block, in which ``...`` stands for any text."""
        printed = example.namespace["printed"]
        if OutputChecker().check_output(example.parsed, printed, ELLIPSIS):
            return None
        return f"the block prints\n{printed}and the page shows\n{example.parsed}"

    parsers = [CodeBlockParser("python", Printing()), CodeBlockParser("output", compare), SkipParser()]
    pytest_collect_file = Sybil(parsers=parsers, patterns=["*.md"]).pytest()
