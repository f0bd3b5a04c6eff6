"""Parts by name: built in, from an installed package, or a user's own."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from attrs import define

from skel_data import PIPELINES, READERS, Default, Pipeline, Reader, Registry, apply_pipeline, build_clips
from skel_data.pipelines._default import Default as OriginalDefault

PACKAGE = '''
"""Parts of somebody else's."""
from attrs import define
from skel_data import Default, Reader

@define(frozen=True)
class Still(Default):
    """A pipeline that installs itself.

    And more about it.
    """
    name = "still"

MINE = Reader("mine", "mine", "ntu-25", (), None, ".mine")
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with entry points, as an installer leaves it on sys.path."""
    name = f"somebody_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PACKAGE)
    info = tmp_path / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[skel.pipelines]\nstill = {name}:Still\ndefault = {name}:Still\nwrong = {name}:MINE\n"
        f"gone = {name}:Gone\n[skel.readers]\nmine = {name}:MINE\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def fresh(registry):
    """A registry as a new process has it."""
    return Registry(registry.kind, registry._parts, fits=registry._fits, expected=registry._expected)


@pytest.mark.parametrize("registry", [READERS, PIPELINES])
def test_built_in_parts(registry):
    assert len(registry) == len(list(registry))
    for name in registry:
        part = registry[name]
        assert part.name == name
        assert registry.name_of(part) == name
        assert registry._fits(part)
        assert registry.summary(name)


def test_lazy_parts_are_imported_when_they_are_used():
    code = """
        import sys, skel_data
        assert "skel_data.readers" not in sys.modules and "numpy" not in sys.modules
        names = list(skel_data.READERS)
        assert "ntu60" in names and len(names) == len(skel_data.READERS) == 44
        texts = [skel_data.READERS.summary(name) for name in names]
        texts += [skel_data.PIPELINES.summary(name) for name in skel_data.PIPELINES]
        assert all(texts), texts
        heavy = [name for name in sys.modules if name == "numpy" or name.startswith("skel_data.readers.")]
        assert heavy == ["skel_data.readers._registry"], heavy
        skel_data.READERS["bvh"]
        assert "skel_data.readers.mocap._bvh" in sys.modules
        assert "skel_data.readers.datasets._ntu" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_entry_points(installed):
    pipelines = fresh(PIPELINES)
    assert list(pipelines) == ["default", "crossclr50", "agcn300", "ctrgcn", "gone", "still", "wrong"]
    assert pipelines.summary("still") == "A pipeline that installs itself."
    assert installed not in sys.modules  # named and described without being imported
    assert pipelines.lookup("still").__name__ == "Still"
    assert pipelines.name_of(pipelines["still"]) == "still"
    assert pipelines["default"] is OriginalDefault  # what comes with the package stays
    with pytest.raises(
        ValueError, match="pipeline 'wrong' must be an attrs class with name, version, .* got Reader"
    ):
        pipelines.lookup("wrong")
    with pytest.raises(ValueError, match="no pipeline 'gone': .*Gone"):
        pipelines.lookup("gone")
    assert fresh(READERS).lookup("mine").name == "mine"


def test_own_parts_must_have_been_imported(tmp_path, monkeypatch):
    (tmp_path / "evil_parts.py").write_text("open('ran', 'w')\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="'evil_parts:Evil' is code of your own: import evil_parts first"):
        PIPELINES.lookup("evil_parts:Evil")
    assert "evil_parts" not in sys.modules
    assert not (tmp_path / "ran").exists()
    assert PIPELINES.lookup(f"{__name__}:Halved") is Halved
    assert PIPELINES[f"{__name__}:Halved"] is Halved
    assert PIPELINES.name_of(Halved) == f"{__name__}:Halved"
    with pytest.raises(ValueError, match="no pipeline .*Absent"):
        PIPELINES.lookup(f"{__name__}:Absent")
    with pytest.raises(ValueError, match="must be an attrs class"):
        PIPELINES.lookup(f"{__name__}:fresh")


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(
        ValueError, match="no pipeline 'agcn30'; did you mean 'agcn300'. There are default, cro"
    ):
        PIPELINES.lookup("agcn30")
    with pytest.raises(ValueError, match="no reader 'zzz'; there are ntu60, .* or give module:Name"):
        READERS.lookup("zzz")
    with pytest.raises(KeyError):
        READERS["zzz"]
    assert "zzz" not in READERS
    assert READERS.get("zzz") is None


def test_parts_that_are_no_text():
    registry = Registry("number", {"one": 1, "two": 2})
    assert (registry.group, registry["one"], registry.name_of(2)) == ("skel.numbers", 1, "two")


@define(frozen=True)
class Halved:
    """Every second frame, as recorded: no base class."""

    name = "halved"
    version = 1
    frames: int = 4
    bodies: int = 1

    def process(self, x, lengths, tracks, layout):
        del lengths, tracks, layout
        return x[:, : 2 * self.frames : 2, :1].transpose(0, 4, 1, 3, 2)


def test_an_own_pipeline_needs_the_members_of_the_protocol_only(make_store, make_clip, chain):
    pipeline: Pipeline = Halved(frames=3)
    store = make_store([make_clip(i) for i in range(3)])
    clips = build_clips(store, pipeline)
    assert clips.shape == (3, 3, 3, 5, 1)
    np.testing.assert_array_equal(clips, build_clips(store, pipeline))  # of the cache
    np.testing.assert_array_equal(clips, apply_pipeline(pipeline, chain, [store.clip(i) for i in range(3)]))
    same_name = type("Other", (Halved,), {})(frames=3)  # another class of this name has clips of its own
    build_clips(store, same_name)
    assert len(list((store.path / "cache").iterdir())) == 2
    assert isinstance(READERS["npz"], Reader)
    assert PIPELINES["default"] is Default


def test_settings_are_read_from_the_source(tmp_path, monkeypatch):
    """Of bases, of nested classes and of unions too, without importing the module."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "inner_part.py").write_text(
        "from attrs import define\n\n@define\nclass Base:\n    seed: int = 0\n\n"
        "@define\nclass A:\n    a: float | None = None\n\n@define\nclass B:\n    b: bool = False\n\n"
        "Either = A | B\n"
    )
    (tmp_path / "outer_part.py").write_text(
        "raise AssertionError('imported')\nfrom inner_part import Base, Either\n\n"
        "class Part(Base):\n    kind: ClassVar[str] = 'x'\n    either: Either = A()\n    k: int = 1\n\n"
        "class Odd(somewhere.Base):\n    k: int = 1\n"
    )
    parts = Registry("part", {"part": "outer_part:Part", "odd": "outer_part:Odd", "gone": "outer_part:Gone"})
    assert parts.settings("part") == {"seed": "int", "a": "float | None", "b": "bool", "k": "int"}
    assert [parts.settings(name) for name in ("odd", "gone", "none")] == [None] * 3
