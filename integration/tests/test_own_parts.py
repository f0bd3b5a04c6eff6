import sys

import pytest

from skel_recipes import Run, dump_recipe, load_recipe, pretrain
from skel_recipes.config.registry import kind_named, name_of
from skel_recipes.methods import METHODS

MODULE = """
from attrs import define
from skel_augment import View, preset
from skel_encoders import TCN
from skel_recipes.methods.simclr import SimCLR

@define(frozen=True)
class Settings:
    view: View = preset("compact.view")
    temperature: float = 0.3
    hidden_dim: int = 8
    projection_dim: int = 8

    def build(self, encoder, sight):
        return SimCLR(self, encoder, sight)

@define(frozen=True)
class Narrow:
    width: int = 4

    def build(self, shape):
        return TCN(shape.layout, widths=(self.width,), kernels=(3,), strides=(1,))

class NoSettings:
    pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of a user's own in the working directory, and a recipe that names it."""
    (tmp_path / "my_methods.py").write_text(MODULE)
    (tmp_path / "mine.toml").write_text(
        'base = "compact"\n[method]\nname = "my_methods:Settings"\ntemperature = 0.5\n'
        '[encoder]\nname = "my_methods:Narrow"\n[train]\nepochs = 1\nmin_steps = 0\nbatch_size = 8\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path / "mine.toml"
    sys.modules.pop("my_methods", None)


def test_known_names():
    for name, kind in METHODS.items():
        assert kind_named(name, METHODS, "method") is kind
        assert name_of(kind, METHODS) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simclx", "no method 'simclx'; there are simclr, .*, or give module:Name"),
        ("no_such_module:Settings", "no method 'no_such_module:Settings': No module named"),
        ("my_methods:Sittings", "no method 'my_methods:Sittings': .*has no attribute"),
        ("my_methods:NoSettings", "is not an attrs class with a method build"),
    ],
)
def test_errors(own, name, message):
    with pytest.raises(ValueError, match=message):
        load_recipe("compact", {"method.name": name})


def test_method_and_encoder_of_ones_own(own, store, tmp_path):
    recipe = load_recipe(own, {"encoder.width": 6})
    assert (recipe.method.temperature, recipe.encoder.width) == (0.5, 6)
    assert 'name = "my_methods:Settings"' in dump_recipe(recipe)
    run = pretrain(recipe, store, tmp_path / "run")
    opened = Run.open(run.path)
    assert opened.recipe == recipe
    assert opened.encoder().feature_dim == 24
    with pytest.raises(ValueError, match="unknown key widht"):
        load_recipe(own, {"encoder.widht": 6})
