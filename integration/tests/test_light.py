"""The way from the command line to the first step of a training is short, and imports what it needs."""

import json
import subprocess
import sys

import pytest

from skel_data import SynthSettings, synth_store

pytestmark = pytest.mark.slow

SCRIPT = r"""
import json, sys, torch
from skel_recipes.cli import app

class Stop(BaseException): pass
def stop(*_, **__): raise Stop
torch.optim.Optimizer.zero_grad = stop

entered, built = set(), 0
def calls(frame, event, _):
    code = frame.f_code
    ours = "skel_" in code.co_filename and code.co_filename[0] != "<"  # as of what attrs generates
    if event != "call" or not ours or not code.co_flags & 1:  # the body of a class has no fast locals
        return
    global built
    built += code.co_name == "_converter"
    while (frame := frame.f_back) is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals["__name__"] != "__main__":
            return  # called by an import
    entered.add(code.co_filename)

sys.setprofile(calls)
try:
    app.main(sys.argv[1:])
except Stop:
    sys.setprofile(None)
    print(json.dumps({"entered": sorted(entered), "built": built, "modules": sorted(sys.modules)}))
"""
UNNEEDED = (
    "skel_data.readers.",
    "skel_data.synth.",
    "skel_data.store._import",
    "skel_eval.report.",
    "skel_eval.draw.",
    "skel_eval.comparison.",
    "skel_recipes.evaluate.",
    "skel_recipes.cli.results",
    "sklearn",
    "scipy.io",
    "PIL",
)


@pytest.fixture(scope="module")
def way(tmp_path_factory):
    """What ``skel pretrain aimclr STORE`` enters and imports before its first step."""
    folder = tmp_path_factory.mktemp("light")
    synth_store(folder / "store", SynthSettings(classes=2, subjects=4, repetitions=4))
    words = ["pretrain", "aimclr", str(folder / "store"), "--out", str(folder / "run")]
    words += ["--train.batch_size", "8", "--device", "cpu"]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_training_imports_no_reader_synthesiser_or_report(way):
    assert not [name for name in way["modules"] if name.startswith(UNNEEDED)]


def test_few_files_are_entered_before_the_first_step(way):
    """Of all packages; docs/design.md says what they are for."""
    assert len(way["entered"]) <= 40, way["entered"]


def test_the_converter_of_recipes_is_built_once(way):
    assert way["built"] == 1
