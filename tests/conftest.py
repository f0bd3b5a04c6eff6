import subprocess
import sys

import pytest


@pytest.fixture
def fresh_python(tmp_path):
    """What a fresh interpreter prints for a piece of code."""

    def run(code):
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run
