import inspect
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import skel_encoders
from skel_data import SkeletonLayout, get_layout
from skel_encoders import (
    ENCODERS,
    HCN,
    STGCN,
    TCN,
    Transformer,
    create_encoder,
    encoder_settings,
    list_encoders,
)
from skel_encoders.registry import BUILT_IN, _converted

CLIPS = {"frames": 16, "bodies": 1}


def test_names():
    assert list_encoders() == [
        "stgcn",
        "tcn",
        "jbf",
        "scd",
        "agcn",
        "ctrgcn",
        "hcn",
        "gru",
        "dste",
        "umurl",
        "transformer",
        "slim",
    ]
    assert list_encoders("*gcn") == ["stgcn", "agcn", "ctrgcn"]
    assert list_encoders("resnet*") == []


def test_public_encoders_are_the_registered_ones():
    public = [getattr(skel_encoders, name) for name in skel_encoders.__all__]
    classes = {kind for kind in public if inspect.isclass(kind) and issubclass(kind, nn.Module)}
    others = {skel_encoders.GRUDecoder, skel_encoders.TokenDecoder, skel_encoders.IntermediateFeatures}
    assert classes - others == {ENCODERS[name] for name in BUILT_IN}


def test_listing_needs_no_torch():
    code = "import sys, skel_encoders; skel_encoders.list_encoders(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_summaries_are_read_without_an_import():
    assert all(ENCODERS.summary(name).endswith(".") for name in BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_weights_are_those_of_the_class(name):
    layout = get_layout("utd-20")
    kind = ENCODERS[name]
    taken = {key: size for key, size in CLIPS.items() if key in inspect.signature(kind).parameters}
    torch.manual_seed(3)
    expected = kind(layout, **taken).state_dict()
    torch.manual_seed(3)
    encoder = create_encoder(name, layout="utd-20", **CLIPS)
    assert type(encoder) is kind
    ours = encoder.state_dict()
    assert list(ours) == list(expected)
    assert all(torch.equal(ours[key], expected[key]) for key in expected)
    assert encoder(torch.randn(2, 3, 16, 20, 1)).shape == (2, encoder.feature_dim)


@pytest.mark.parametrize("name", BUILT_IN)
def test_settings_are_the_arguments_of_the_constructor(name):
    settings = encoder_settings(name)
    assert settings.keys() == inspect.signature(ENCODERS[name]).parameters.keys() - {
        "layout",
        "frames",
        "bodies",
    }
    encoder = create_encoder(name, "utd-20", **CLIPS, **settings)
    kept = {key: getattr(encoder, key) for key in settings}
    assert kept == settings | ({"in_channels": 3} if "in_channels" in settings else {})


def test_every_argument_can_be_set():
    encoder = create_encoder(
        "stgcn", "utd-20", strategy="distance", init_std=None, skip_absent=False, in_channels=6
    )
    assert isinstance(encoder, STGCN)
    assert (encoder.strategy, encoder.init_std, encoder.skip_absent) == ("distance", None, False)
    assert encoder(torch.randn(2, 6, 8, 20, 1)).shape == (2, 256)
    encoder = create_encoder("hcn", "utd-20", frames=16, hidden_dim=8, learned_slopes=True)
    assert isinstance(encoder, HCN)
    assert encoder.feature_dim == 8
    assert any(isinstance(module, nn.PReLU) for module in encoder.modules())
    encoder = create_encoder("transformer", "utd-20", frames=16, layers=1, skip_absent=False)
    assert isinstance(encoder, Transformer)
    assert not encoder.skip_absent


def test_layout_of_a_file(tmp_path):
    path = tmp_path / "hand.toml"
    path.write_text('joints = ["wrist", "thumb"]\nbones = [["thumb", "wrist"]]\n')
    assert create_encoder("tcn", path).layout.name == "hand"
    assert create_encoder("tcn", str(path)).layout.num_joints == 2
    layout = SkeletonLayout.from_dict({"joints": ["a", "b"], "bones": [[1, 0]]})
    assert create_encoder("tcn", layout).layout is layout


def test_values_of_toml_and_numpy():
    encoder = create_encoder("tcn", "utd-20", widths=[4], kernels=[3], strides=[2])
    assert isinstance(encoder, TCN)
    assert (encoder.widths, encoder.kernels, encoder.strides) == ((4,), (3,), (2,))
    encoder = create_encoder("stgcn", "utd-20", base_channels=np.int64(4), dropout=0, init_std=np.float32(1))
    assert [type(encoder.base_channels), type(encoder.dropout), type(encoder.init_std)] == [int, float, float]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("stgn", {}, "no encoder 'stgn'; did you mean 'stgcn'"),
        (
            "stgcn",
            {"base_channel": 4},
            "encoder 'stgcn' has no setting 'base_channel'; did you mean 'base_channels'",
        ),
        (
            "ctrgcn",
            {"dropout": 0.1},
            "no setting 'dropout'; it has in_channels, base_channels, part_att",
        ),
        ("transformer", {}, "encoder 'transformer' needs frames"),
        ("stgcn", {"base_channels": "64"}, "base_channels of encoder 'stgcn' must be int, got '64'"),
        ("stgcn", {"base_channels": 1.5}, "base_channels of encoder 'stgcn' must be int, got 1.5"),
        ("stgcn", {"base_channels": True}, "base_channels of encoder 'stgcn' must be int, got True"),
        ("stgcn", {"dropout": "0.5"}, "dropout of encoder 'stgcn' must be float, got '0.5'"),
        ("stgcn", {"dropout": False}, "dropout of encoder 'stgcn' must be float, got False"),
        ("stgcn", {"edge_weights": 1}, "edge_weights of encoder 'stgcn' must be bool, got 1"),
        ("stgcn", {"init_std": "none"}, r"init_std of encoder 'stgcn' must be float \| None, got 'none'"),
        ("stgcn", {"strategy": "radial"}, "strategy .* must be one of 'uniform', .*, got 'radial'"),
        ("gru", {"direction": 1}, "direction .* must be one of 'forward-twice', 'bidirectional', got 1"),
        ("tcn", {"widths": 4}, r"widths of encoder 'tcn' must be tuple\[int, ...\], got 4"),
        ("tcn", {"widths": [4, "5"]}, r"widths of encoder 'tcn' must be tuple\[int, ...\], got \[4, '5'\]"),
        ("hcn", {"frames": "64"}, "frames of encoder 'hcn' must be int, got '64'"),
        ("hcn", {"channels": 3}, "channels must be even, got 3"),
        ("own_encoders:Mean", {}, "is code of your own: import own_encoders first"),
        ("torch.nn:Linear", {}, "must be a subclass of torch.nn.Module whose constructor takes layout, got"),
        ("torch:randn", {}, "must be a subclass of torch.nn.Module whose constructor takes layout, got"),
    ],
)
def test_errors(name, settings, message):
    with pytest.raises(ValueError, match=message):
        create_encoder(name, "utd-20", **settings)


def test_layouts_that_there_are_not():
    with pytest.raises(ValueError, match="no layout 'ntu-24'"):
        create_encoder("tcn", "ntu-24")
    with pytest.raises(FileNotFoundError):
        create_encoder("tcn", "mine.toml")


def test_encoder_of_ones_own(own):
    encoder = create_encoder("own_encoders:Mean", "utd-20", frames=16, bodies=1, width=2, scales=[1, 2])
    assert type(encoder) is own.Mean
    assert (encoder.bodies, encoder.width, encoder.scales) == (1, 2, (1, 2))
    assert encoder_settings("own_encoders:Mean") == {"width": 4, "scales": (1,)}
    with pytest.raises(ValueError, match="width of encoder 'own_encoders:Mean' must be int, got 'x'"):
        create_encoder("own_encoders:Mean", "utd-20", width="x")


def test_constructors_of_other_kinds(own):
    class Open(own.Mean):
        def __init__(self, layout, depth, name="x", *rest: int, **more: "Unknown") -> None:  # noqa: F821
            super().__init__(layout)
            self.given = {"depth": depth, "name": name, "rest": rest, **more}

    own.Open = Open
    assert encoder_settings("own_encoders:Open", depth=1) == {"depth": 1, "name": "x"}
    with pytest.raises(ValueError, match="encoder 'own_encoders:Open' needs depth"):
        create_encoder("own_encoders:Open", "utd-20", more=[3])
    given = create_encoder("own_encoders:Open", "utd-20", depth=2, name="y", more=[3]).given
    assert given == {"depth": 2, "name": "y", "rest": (), "more": [3]}


def test_installed_encoder(own, monkeypatch):
    point = EntryPoint("mean", "own_encoders:Mean", "skel.encoders")
    monkeypatch.setitem(ENCODERS.__dict__, "_installed", {"mean": point})
    assert list_encoders("m*") == ["mean"]
    assert type(create_encoder("mean", "utd-20")) is own.Mean


@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        ([1, [2]], tuple, (1, [2])),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([[1, 2], [3]], tuple[tuple[int, ...], ...], ((1, 2), (3,))),
        (1, float | str, 1.0),
        ("a", int | str, "a"),
        ([1], list[int], [1]),
        ({"a": 1}, dict[str, int], {"a": 1}),
        ([1], Any, [1]),
        (1, "int", 1),
    ],
)
def test_conversion(value, wanted, expected):
    found = _converted(value, wanted)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [([1, 2, 3], tuple[int, str]), ([1], str), ("ab", list[int]), ("ab", tuple[str, ...])],
)
def test_conversion_refuses(value, wanted):
    with pytest.raises(TypeError):
        _converted(value, wanted)


@pytest.mark.parametrize("name", list_encoders())
def test_arrays_of_numpy_are_refused_and_names_of_layouts_are_taken(name):
    encoder = ENCODERS.lookup(name)(
        "utd-20", **({"frames": 16} if name in ("hcn", "transformer", "dste", "umurl") else {})
    )
    assert encoder.layout == get_layout("utd-20")
    with pytest.raises(TypeError, match=r"takes clips as a tensor, got numpy.ndarray; torch.from_numpy"):
        encoder(np.zeros((2, 3, 16, 20, 1), np.float32))
