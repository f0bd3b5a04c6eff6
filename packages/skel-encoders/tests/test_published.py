import argparse
import os
import pickle

import pytest
import torch

from skel_data import get_layout
from skel_encoders import STGCN, TCN, SCDEncoder, load_published

LAYOUTS = {"ntu-rgb+d": "ntu-25", "openpose": "openpose-18"}


def small(edge_weights=True):
    torch.manual_seed(0)
    return STGCN(get_layout("utd-20"), base_channels=4, feature_dim=8, edge_weights=edge_weights)


def published(encoder):
    """Its weights under the names of the published programs."""
    names = {
        "spatial.weight": "gcn.conv.weight",
        "spatial_bias": "gcn.conv.bias",
        "spatial_norm": "tcn.0",
        "temporal.": "tcn.2.",
        "temporal_norm": "tcn.3",
        "residual": "residual",
    }
    state = {"A": torch.ones(3, 20, 20), "fc.0.weight": torch.ones(2, 8)}
    for name, value in encoder.state_dict().items():
        if name.startswith("input_norm."):
            state[name.replace("input_norm", "data_bn")] = value
            continue
        _, index, rest = name.split(".", 2)
        if rest == "edge_weight":
            state[f"edge_importance.{index}"] = value
            continue
        if rest == "spatial.weight":
            value = torch.cat(value.chunk(3, 1))
        elif rest == "spatial_bias":
            value = value.flatten()
        ours = next(part for part in names if rest.startswith(part))
        state[f"st_gcn_networks.{index}.{names[ours]}{rest.removeprefix(ours)}"] = value
    return state


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ("was here",)


# Prefix of the wanted network, of another that must not be taken, what is around, and the stream to ask for.
FILES = {
    "PSTL": ("", None, lambda state: state, "joint"),
    "AimCLR": ("encoder_q.", "encoder_k.", lambda state: state, "joint"),
    "CrosSCLR joint": ("encoder_q.", "encoder_q_motion.", lambda state: state, "joint"),
    "CrosSCLR bone": ("encoder_q_bone.", "encoder_q.", lambda state: state, "bone"),
    "ISC second": ("module.encoder_r.", "module.encoder_q.", lambda s: {"state_dict": s}, "encoder_r"),
    "CMCS": ("online_backbone.", "target_backbone.", lambda state: state, "joint"),
    "CMCS joint": ("online_backbone_joint.", "online_backbone_bone.", lambda state: state, "joint"),
    "CMCS motion": ("online_backbone_motion.", "online_backbone_joint.", lambda state: state, "motion"),
    "with optimizer": ("encoder_q.", "encoder_k.", lambda s: {"state_dict": s, "epoch": 3}, "joint"),
    "parallel": ("module.encoder_q.", "module.encoder_k.", lambda s: {"state_dict": s}, "joint"),
    "MAMP": ("", None, lambda s: {"model": s, "args": argparse.Namespace(lr=0.1)}, "joint"),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("zipped", [True, False])
def test_finds_the_network(tmp_path, file, zipped):
    prefix, other, wrap, stream = FILES[file]
    theirs, ours = small(), STGCN(get_layout("utd-20"), base_channels=4, feature_dim=8)
    state = under(prefix, published(theirs))
    if other:
        state |= under(other, published(ours)) | {"queue": torch.ones(2)}
    torch.save(wrap(state), tmp_path / "it.pt", _use_new_zipfile_serialization=zipped)
    load_published(ours, tmp_path / "it.pt", stream=stream)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.vectors("stgcn")
def test_published_weights(vector, tmp_path):
    config = vector.config
    encoder = STGCN(
        get_layout(LAYOUTS[config["layout"]]),
        base_channels=config["hidden_channels"],
        feature_dim=config["hidden_dim"],
        edge_weights=config["edge_importance_weighting"],
        strategy=config["strategy"],
    )
    state = {key: torch.from_numpy(value) for key, value in vector.group("state.").items()}
    torch.save(under("encoder_q.", state), tmp_path / "it.pt")
    load_published(encoder, tmp_path / "it.pt")
    features = encoder.eval()(torch.from_numpy(vector["in.x"]))
    expected = torch.from_numpy(vector["out.feature_eval"])
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.vectors("scd_encoder")
def test_published_weights_of_scd_net(vector, tmp_path):
    config = vector.config
    encoder = SCDEncoder(
        get_layout("ntu-25"),
        frames=config["frames"],
        channels=config["gcn_channels"],
        hidden_dim=config["hidden_size"],
        heads=config["num_head"],
        layers=config["num_layer"],
    )
    state = {key: torch.from_numpy(value) for key, value in vector.group("state.").items()}
    torch.save({"state_dict": under("encoder_q.", state), "epoch": 1}, tmp_path / "it.pth.tar")
    load_published(encoder, tmp_path / "it.pth.tar")
    temporal = encoder.eval()(torch.from_numpy(vector["in.x"])).chunk(2, 1)[0]
    expected = torch.from_numpy(vector["out.v_temporal"])
    torch.testing.assert_close(temporal, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_code_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = published(small())
    torch.save({"state_dict": state, "more": RunsCode()}, "new.pt")
    torch.save({"state_dict": state, "more": RunsCode()}, "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(RunsCode(), protocol=2))
    for name in ("new.pt", "old.pt", "plain.pt"):
        with pytest.raises(ValueError, match=rf"{name} is refused: .* \w+\.mkdir, .* could run code"):
            load_published(small(), name)
    assert not (tmp_path / "was here").exists()


def test_files_that_are_no_checkpoint(tmp_path):
    path = tmp_path / "it.pt"
    with pytest.raises(FileNotFoundError):
        load_published(small(), path)
    torch.save(published(small()), path)
    for content in (b"", b"no checkpoint at all", path.read_bytes()[:500]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"it\.pt is not a checkpoint of PyTorch, or is damaged"):
            load_published(small(), path)
    for value in ([1, 2], {"epoch": 3}, torch.ones(2), {1: torch.ones(1)}):
        torch.save(value, path)
        with pytest.raises(ValueError, match=r"it\.pt has no state dict"):
            load_published(small(), path)


def test_errors(tmp_path):
    path = tmp_path / "it.pt"
    state = published(small())
    torch.save(under("encoder_q.", state), path)
    with pytest.raises(ValueError, match=r"no published weights are known for TCN; .* for \['stgcn', 'scd'"):
        load_published(TCN(get_layout("utd-20")), path)
    for stream in ("bone", "encoder_r"):
        with pytest.raises(
            ValueError, match=rf"it\.pt: no encoder of the stream '{stream}' in \['encoder_q'\]"
        ):
            load_published(small(), path, stream=stream)
    with pytest.raises(ValueError, match=r"it\.pt: .*'encoder_q\.\.?encoder"):
        load_published(SCDEncoder(get_layout("utd-20"), frames=4, channels=4, hidden_dim=8), path)
    torch.save(under("encoder_q_motion.", state), path)
    with pytest.raises(ValueError, match=r"no encoder of the stream 'joint' in \['encoder_q_motion'\]"):
        load_published(small(), path)
    torch.save(state | {"more.weight": torch.ones(1)}, path)
    with pytest.raises(ValueError, match=r"it\.pt: 'more\.weight' is not a weight of a published ST-GCN"):
        load_published(small(), path)


def test_weights_of_a_shape_that_cannot_be_renamed(tmp_path):
    path = tmp_path / "it.pt"
    state = published(small())
    for name, value in (("A", torch.tensor(1.0)), ("st_gcn_networks.0.gcn.conv.weight", torch.ones(3))):
        torch.save(state | {name: value}, path)
        with pytest.raises(ValueError, match=r"it\.pt: "):
            load_published(small(), path)


def test_an_encoder_that_does_not_fit_stays_as_it_was(tmp_path):
    path = tmp_path / "it.pt"
    state = published(small())
    del state["data_bn.bias"]
    torch.save(state, path)
    encoder = small(edge_weights=False)
    torch.nn.init.zeros_(encoder.input_norm.weight)
    with pytest.raises(
        ValueError, match=r"missing \['input_norm\.bias'\], unexpected \['blocks\.0\.edge_weight'"
    ):
        load_published(encoder, path)
    assert not encoder.input_norm.weight.any()
    torch.save(published(small()), path)
    other = STGCN(get_layout("ntu-25"), base_channels=4, feature_dim=8)
    with pytest.raises(ValueError, match=r"edge_weight \(3, 20, 20\) instead of \(3, 25, 25\)"):
        load_published(other, path)


def test_names_of_this_test_are_the_published_ones():
    encoder = small()
    state = STGCN.rename_published(published(encoder))
    assert all(torch.equal(state[name], value) for name, value in encoder.state_dict().items())
