import hashlib
import inspect
import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from skel_data import SkeletonLayout, get_layout
from skel_encoders import ENCODERS, STGCN, TCN, from_pretrained, save_pretrained
from skel_encoders.registry import BUILT_IN


def arguments(encoder):
    return {name: getattr(encoder, name) for name in inspect.signature(type(encoder)).parameters}


def test_every_encoder_comes_back(encoder, clips, tmp_path):
    save_pretrained(encoder, tmp_path / "deep" / "folder")
    loaded = from_pretrained(tmp_path / "deep" / "folder")
    assert type(loaded) is type(encoder)
    assert arguments(loaded) == arguments(encoder)
    assert not any(module.training for module in loaded.modules())
    ours, theirs = loaded.state_dict(), encoder.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    torch.testing.assert_close(loaded(clips), encoder.eval()(clips), rtol=0, atol=0)


def test_arguments_of_the_test_are_not_the_defaults(encoder):
    parameters = inspect.signature(type(encoder)).parameters.values()
    same = {p.name for p in parameters if getattr(encoder, p.name) == p.default}
    # Else a wrong attribute could go unnoticed. Bodies have to fit the clips.
    assert same <= {"bodies"}


def test_layout_of_ones_own(tmp_path):
    hand = SkeletonLayout.from_dict(
        {"name": "hand", "dims": 2, "confidence": True, "joints": ["wrist", "thumb"], "bones": [[1, 0]]}
    )
    save_pretrained(TCN(hand, widths=(4,), kernels=(3,), strides=(1,)), tmp_path)
    assert from_pretrained(tmp_path).layout == hand


def test_precision_of_the_weights_is_that_of_the_file_at_float32(tmp_path):
    save_pretrained(small().double(), tmp_path)
    assert {p.dtype for p in from_pretrained(tmp_path).parameters()} == {torch.float32}


def small():
    torch.manual_seed(0)
    return STGCN(get_layout("utd-20"), base_channels=4, feature_dim=8)


def edit(folder, **changes):
    path = folder / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_numbers_of_numpy_are_numbers(tmp_path):
    save_pretrained(STGCN(get_layout("utd-20"), base_channels=np.int64(4)), tmp_path)
    assert from_pretrained(tmp_path).base_channels == 4


def test_what_cannot_be_saved(tmp_path):
    class Local(STGCN):
        pass

    for encoder, message in (
        (nn.Linear(2, 3), "cannot save a Linear: .* whose constructor takes layout"),
        (Local(get_layout("utd-20")), "cannot save a Local: no encoder '.*Local'"),
    ):
        with pytest.raises(ValueError, match=message):
            save_pretrained(encoder, tmp_path)
    assert not list(tmp_path.iterdir())


def test_encoder_of_ones_own(own, tmp_path):
    layout = get_layout("utd-20")
    encoder = own.Mean(layout, width=3, scales=(1, 2))
    save_pretrained(encoder, tmp_path)
    assert json.loads((tmp_path / "encoder.json").read_text())["architecture"] == "own_encoders:Mean"
    loaded = from_pretrained(tmp_path)
    assert type(loaded) is own.Mean
    assert (loaded.layout, loaded.width, loaded.scales) == (layout, 3, (1, 2))
    del sys.modules["own_encoders"]
    with pytest.raises(ValueError, match="is code of your own: import own_encoders first"):
        from_pretrained(tmp_path)


def test_arguments_that_are_not_kept(own, tmp_path):
    encoder = own.Mean(get_layout("utd-20"))
    encoder.scales = {1j}
    with pytest.raises(ValueError, match="cannot save a Mean: its arguments do not fit into JSON"):
        save_pretrained(encoder, tmp_path)
    del encoder.width
    with pytest.raises(ValueError, match="cannot save a Mean: it does not keep width as attributes"):
        save_pretrained(encoder, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", BUILT_IN)
def test_folders_of_earlier_versions_name_the_class(name, tmp_path):
    encoder = ENCODERS[name](get_layout("utd-20"), **({"frames": 16} if name == "transformer" else {}))
    save_pretrained(encoder, tmp_path)
    edit(tmp_path, architecture=type(encoder).__name__)
    assert type(from_pretrained(tmp_path)) is type(encoder)


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"encoder\.json"):
        from_pretrained(tmp_path)
    save_pretrained(small(), tmp_path)
    good = json.loads((tmp_path / "encoder.json").read_text())
    arguments = good["arguments"]
    for changes, message in (
        ({"version": 2, "package": "9.9"}, r"format version 2, from skel-encoders 9\.9; .* up to version 1"),
        ({"format": "skel-run"}, "format 'skel-run', expected 'skel-encoder'"),
        ({"architecture": "Mamba"}, "no encoder 'Mamba'; there are stgcn, tcn"),
        ({"architecture": "__import__"}, "no encoder '__import__'"),
        ({"arguments": arguments | {"depth": 3}}, "cannot build the encoder 'stgcn': .*'depth'"),
        ({"arguments": {}}, "cannot build the encoder 'stgcn': 'layout'"),
        (
            {"arguments": arguments | {"layout": "utd-21"}},
            "cannot build the encoder 'stgcn': a layout has a value of the wrong kind",
        ),
        (
            {"arguments": arguments | {"base_channels": -4}},
            "cannot build the encoder 'stgcn': .*negative dimension",
        ),
        ({"arguments": 3}, "does not describe an encoder"),
        ({"sha256": "0" * 64}, "damaged or of another encoder: its sha256 is"),
        (
            {"arguments": arguments | {"feature_dim": 9}},
            r"blocks\.9\.spatial\.weight \(8, .* instead of \(9, ",
        ),
        ({"arguments": arguments | {"edge_weights": False}}, r"missing \[\], unexpected \['blocks\.0\.edge"),
    ):
        edit(tmp_path, **good | changes)
        with pytest.raises(ValueError, match=message):
            from_pretrained(tmp_path)
    (tmp_path / "encoder.json").write_text("[]")
    with pytest.raises(ValueError, match="does not describe an encoder"):
        from_pretrained(tmp_path)


def test_damaged_weights(tmp_path):
    save_pretrained(small(), tmp_path)
    damaged = (tmp_path / "encoder.safetensors").read_bytes()[:5]
    (tmp_path / "encoder.safetensors").write_bytes(damaged)
    edit(tmp_path, sha256=hashlib.sha256(damaged).hexdigest())
    with pytest.raises(ValueError, match="cannot build the encoder 'stgcn': .*header"):
        from_pretrained(tmp_path)


def test_missing_tensors_are_named(tmp_path):
    save_pretrained(small(), tmp_path)
    path = tmp_path / "encoder.safetensors"
    weights = load_file(path)
    del weights["input_norm.bias"]
    weights["more"] = torch.zeros(1)
    save_file(weights, path)
    edit(tmp_path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match=r"missing \['input_norm\.bias'\], unexpected \['more'\]"):
        from_pretrained(tmp_path)


def test_an_interrupted_save_leaves_what_was_there(tmp_path, monkeypatch):
    encoder = small()
    save_pretrained(encoder, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    nn.init.ones_(encoder.input_norm.bias)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_pretrained(encoder, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
