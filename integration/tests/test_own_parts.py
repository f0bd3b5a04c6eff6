"""Parts of a user's own: from a module that was imported, or registered by an installed package."""

import importlib
import sys

import pytest

from skel_data import READERS
from skel_recipes import METHODS, Run, dump_recipe, evaluate, load_recipe, pretrain
from skel_recipes.cli import main
from skel_recipes.cli.app import import_modules
from skel_recipes.config.library import read_recipe

MODULE = '''
from pathlib import Path

from attrs import define
from torch import nn

from skel_augment import Scale, View, preset
from skel_data import Default
from skel_eval import Metric, Outcome
from skel_recipes.methods.simclr import SimCLR

Path(__file__).with_suffix(".imported").touch()


@define(frozen=True)
class Method:
    """A method of my own."""

    view: View = preset("compact.view")
    temperature: float = 0.3
    hidden_dim: int = 8
    projection_dim: int = 8

    def build(self, encoder, context):
        return SimCLR(self, encoder, context)


class Net(nn.Module):
    """An encoder of my own."""

    def __init__(self, layout, width: int = 4):
        super().__init__()
        self.feature_dim = width
        self.linear = nn.Linear(2 * layout.channels, width)

    def forward(self, clips):
        import torch
        return self.linear(torch.cat([clips.mean((2, 3, 4)), clips.amax((2, 3, 4))], 1))


@define(frozen=True)
class Grow(Scale):
    """An augmentation of my own."""


@define(frozen=True)
class Slow(Default):
    """A pipeline of my own."""

    name = "mine"


@define(frozen=True)
class Share:
    """A protocol of my own: share of the features that are above a threshold."""

    fuses = "features"
    threshold: float = 0.0

    @property
    def title(self):
        return f"share above {self.threshold:g}"

    def __call__(self, features, *, device=None):
        share = float((features.features[features.test] > self.threshold).mean())
        return Outcome({"share": Metric(share)}, {"threshold": self.threshold})


class NoSettings:
    pass
'''
RECIPE = """
base = "compact"
[method]
name = "my_parts:Method"
temperature = 0.5
view = [{ name = "my_parts:Grow" }, { name = "shear" }]
[encoder]
name = "my_parts:Net"
[data.pipeline]
name = "my_parts:Slow"
frames = 16
[train]
epochs = 1
min_steps = 0
batch_size = 8
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a module of a user's own and a recipe that names it."""
    (tmp_path / "my_parts.py").write_text(MODULE)
    (tmp_path / "mine.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path
    sys.modules.pop("my_parts", None)


def skel(*words):
    return main([str(word) for word in words])


def test_known_names():
    for name, kind in METHODS.items():
        assert METHODS.name_of(kind) == name


def test_code_that_only_a_file_names_is_not_run(folder, store, capsys):
    with pytest.raises(ValueError, match="import my_parts first"):
        load_recipe("mine.toml")
    assert skel("pretrain", "mine.toml", store.path, "--out", "run") == 1
    assert "--import my_parts" in capsys.readouterr().err
    assert skel("recipe", "mine.toml") == 0
    assert not (folder / "my_parts.imported").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simclx", "no method 'simclx'; did you mean 'simclr'"),
        ("no_such_module:Settings", "import no_such_module first"),
        ("my_parts:Mathod", "no method 'my_parts:Mathod': .*has no attribute"),
        ("my_parts:NoSettings", "must be an attrs class with a method build"),
    ],
)
def test_errors(folder, name, message):
    import_modules(["--import", "my_parts"])
    with pytest.raises(ValueError, match=message):
        load_recipe("compact", {"method.name": name})


def test_parts_of_an_imported_module(folder, store, capsys):
    assert skel("pretrain", "mine.toml", store.path, "--out", "run", "--import", "my_parts") == 0
    opened = Run.open("run")
    recipe = load_recipe("mine.toml", {"encoder.width": 6})
    assert (recipe.method.temperature, recipe.encoder.settings) == (0.5, {"width": 6})
    assert opened.recipe == load_recipe("mine.toml")
    assert opened.encoder().feature_dim == 4
    with pytest.raises(ValueError, match="no setting 'widht'; did you mean 'width'"):
        load_recipe("mine.toml", {"encoder.widht": 6})
    steps = read_recipe("run/recipe.toml")["method"]["view"]
    assert [step["name"] for step in steps] == ["my_parts:Grow", "shear"]
    assert skel("show", store.path, "--recipe", "mine.toml", "--out", "clip.html") == 0
    assert "pipeline mine" in (folder / "clip.html").read_text()
    assert skel("eval", "my_parts:Share", "run", store.path, "--threshold", "0.5") == 0
    assert "share above 0.5" in capsys.readouterr().out


def test_an_edited_protocol_is_measured_anew(folder, store):
    import_modules(["--import", "my_parts"])
    run = pretrain(load_recipe("mine.toml"), store, "run")
    shares = []
    for edited in (MODULE, MODULE.replace("float((features", "1 - float((features")):
        (folder / "my_parts.py").write_text(edited)
        sys.modules.pop("my_parts")
        importlib.invalidate_caches()
        import_modules(["--import", "my_parts"])
        shares.append(evaluate(run, store, "my_parts:Share").baseline("untrained encoder").metric.value)
    assert shares[1] == pytest.approx(1 - shares[0])


def test_resuming_needs_the_module_too(folder, store, capsys):
    import_modules(["--import", "my_parts"])
    run = pretrain(load_recipe("mine.toml"), store, "run")
    sys.modules.pop("my_parts")
    (folder / "my_parts.imported").unlink()
    assert skel("compare", "run") == 1
    assert not (folder / "my_parts.imported").exists()
    (run.path / "encoder.safetensors").unlink()
    assert skel("pretrain", "--resume", "run") == 1
    assert "--import my_parts" in capsys.readouterr().err
    assert skel("pretrain", "--resume", "run", "--import", "my_parts") == 0
    assert dump_recipe(Run.open("run").recipe) == (run.path / "recipe.toml").read_text()


def test_readers_are_found_in_the_same_way(folder):
    with pytest.raises(ValueError, match="import my_parts first"):
        READERS.lookup("my_parts:NoSettings")
