"""Augmentations of a user's own in views, and what finding one imports."""

import subprocess
import sys
import tomllib

import pytest
import torch

from skel_augment import AUGMENTATIONS, Augmentation, OneOf, Shear, TimeFlip, View, build_view, describe_view
from skel_data import ClipShape

OWN = """
from pathlib import Path
from attrs import define, field
from skel_augment import Affine, Augmentation, Shear

Path(__file__).with_suffix(".imported").touch()


@define(frozen=True)
class Stretch(Augmentation):
    '''Each coordinate times a factor.'''

    param_uniforms = 1
    factors: tuple = field(default=(1.0, 1.0, 1.0))
    grid: tuple = ()
    label: str = "none"
    _hidden: int = 0
    derived: int = field(default=7, init=False)

    def _params(self, uniforms, shape):
        return Affine(uniforms.new_tensor(self.factors).diag().expand(len(uniforms), -1, -1))


class Strong(Shear):
    pass


@define(frozen=True)
class NotOne:
    p: float = 1.0
"""
TEXT = """
[[view]]
name = "own_augment:Stretch"
factors = [1, 2, 3]
grid = [[1, 2], [3]]
label = "tall"
hidden = 3
p = 0.5
[[view]]
name = "one_of"
weights = [1, 2]
steps = [{ name = "own_augment:Stretch" }, { name = "own_augment:Strong", amplitude = 2 }]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder on the path with a module that has augmentations of its own."""
    (tmp_path / "own_augment.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("own_augment", None)


@pytest.fixture
def own(folder):
    import own_augment

    return own_augment


def test_built_in_augmentations():
    for name, kind in AUGMENTATIONS.items():
        assert issubclass(kind, Augmentation)
        assert AUGMENTATIONS.name_of(kind) == name
        assert AUGMENTATIONS.summary(name).endswith((".", "]", ")"))


def test_own_augmentations_in_a_view(own, ntu, make_clips):
    view = build_view(tomllib.loads(TEXT)["view"])
    stretch = own.Stretch((1, 2, 3), ((1, 2), (3,)), "tall", 3, p=0.5)
    assert view == View((stretch, OneOf((own.Stretch(), own.Strong(2)), (1, 2))))
    assert hash(view) == hash(View(view.steps))
    plain = describe_view(view)
    assert plain[0] == {
        "name": "own_augment:Stretch",
        "p": 0.5,
        "factors": (1, 2, 3),
        "grid": ((1, 2), (3,)),
        "label": "tall",
        "hidden": 3,
    }
    assert [step["name"] for step in plain[1]["steps"]] == ["own_augment:Stretch", "own_augment:Strong"]
    assert build_view(plain) == view

    clips, shape = make_clips(ntu)
    assert view.output_shape(shape) == shape
    result = View((own.Stretch((1, 2, 3)),))(clips, ntu)
    torch.testing.assert_close(result, clips * torch.tensor([1, 2, 3]).view(3, 1, 1, 1))


def test_code_that_only_a_view_names_is_not_run(folder):
    steps = [{"name": "one_of", "steps": [{"name": "time_flip"}, {"name": "own_augment:Stretch"}]}]
    with pytest.raises(ValueError, match=r"step 0, 'one_of': step 1: .*import own_augment first"):
        build_view(steps)
    assert not (folder / "own_augment.imported").exists()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"name": "own_augment:Stretsh"}, r"step 1: no augmentation 'own_augment:Stretsh': .*no attribute"),
        ({"name": "own_augment:NotOne"}, "step 1: .* must be a subclass of skel_augment.Augmentation"),
        ({"name": "own_augment:Stretch", "p": 2}, "step 1, 'own_augment:Stretch': 'p' must be <= 1"),
        (
            {"name": "own_augment:Stretch", "size": 1},
            r"unknown settings \['size'\]; known are \['p', 'factors'",
        ),
    ],
)
def test_mistakes_are_named(own, step, message):
    with pytest.raises(ValueError, match=message):
        build_view([TimeFlip(), step])


@pytest.mark.slow
def test_augmentations_of_an_installed_package(folder, monkeypatch):
    info = folder / "own_augment-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-augment\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[skel.augmentations]\nstretch = own_augment:Stretch\n")
    code = (
        "from skel_augment import *; view = build_view([{'name': 'stretch', 'factors': [1, 2, 3]}]); "
        "assert describe_view(view)[0]['name'] == 'stretch'; assert 'stretch' in AUGMENTATIONS; "
        "print(view.steps[0].factors)"
    )
    paths = [str(folder), *sys.path]
    start = f"import sys; sys.path[:] = {paths!r}; {code}"
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("(1, 2, 3)", "")


def test_a_class_that_no_name_reaches_has_no_description():
    class Own(Shear):
        pass

    with pytest.raises(ValueError, match="Own is defined in a function"):
        describe_view(View((Own(),)))


def test_names_are_known_without_torch():
    code = (
        "import sys, skel_augment as sa; names = list(sa.AUGMENTATIONS), sa.preset_names(); "
        "lines = [sa.AUGMENTATIONS.summary(name) for name in sa.AUGMENTATIONS], sa.preset_steps(); "
        "assert all(lines[0]); assert 'torch' not in sys.modules"
    )
    start = f"import sys; sys.path[:] = {sys.path!r}; {code}"
    subprocess.run([sys.executable, "-c", start], check=True)


def test_lengths_are_foretold_in_steps(ntu):
    steps = [{"name": "temporal_crop_resize", "frames": 40}, {"name": "motion_attention_mask", "ratio": 0.25}]
    assert build_view(steps).output_shape(ClipShape(ntu, 64, 2)) == ClipShape(ntu, 20, 2)
