from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import SkeletonLayout, get_layout, stream
from skel_encoders import UmURL

HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle", "ring"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"], ["ring", "wrist"]],
    }
)
PUBLISHED = Path(__file__).parent / "vectors" / "encoder.umurl.npz"


def small(layout=HAND, **changes):
    torch.manual_seed(0)
    return UmURL(layout, **{"frames": 6, "hidden_dim": 12, "heads": 2} | changes)


def test_default_size():
    with torch.device("meta"):
        encoder = UmURL(get_layout("ntu-25"))
    assert encoder.feature_dim == 2048
    assert encoder.modalities == ("joint", "motion", "bone")


@pytest.mark.parametrize(
    "layout", [get_layout("ntu-25"), get_layout("jhmdb-15"), get_layout("coco-17"), HAND]
)
@pytest.mark.parametrize(("frames", "bodies", "layers"), [(6, 1, 1), (5, 3, 2)])
def test_shapes(layout, frames, bodies, layers):
    encoder = small(layout, frames=frames, bodies=bodies, layers=layers, modalities=("joint", "distance"))
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    tokens = encoder.embed({"joint": clips})
    assert tokens.shape == (3, frames + bodies * layout.num_joints, 12)
    assert encoder.forward_features(clips).shape == encoder.encode(tokens).shape
    assert encoder(clips).shape == (3, encoder.feature_dim) == (3, 24)


def test_errors():
    for changes, message in (
        ({"hidden_dim": 9, "heads": 3}, "hidden_dim must be even and a multiple of heads, got 9 and 3"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"modalities": ("joint",)}, "two or more different ones, got joint$"),
        ({"modalities": ("joint", "joint")}, "got joint, joint"),
        ({"modalities": ("joint", "speed")}, "no stream 'speed'"),
    ):
        with pytest.raises(ValueError, match=message):
            small(**changes)
    clips = torch.zeros(2, 3, 6, 5, 2)
    for seen in ({}, {"joint": clips, "bone": clips}, {"distance": clips}):
        with pytest.raises(ValueError, match="in one of joint, motion, bone, or in all, got"):
            small().embed(seen)
    with pytest.raises(ValueError, match=r"expected clips \(N, 3, 6, 5, 2\)"):
        small()(torch.zeros(2, 3, 7, 5, 2))
    for name in ("backbone.j_emb.t_embedding.2.weight", "ma_encoder.what", "mm_fusion.t_fusion.0.bias"):
        with pytest.raises(ValueError, match=f"'{name}' is not a weight of UmURL"):
            UmURL.rename_published({name: torch.zeros(1)})


def test_published_numbers(published_case):
    """Features of each modality and of all fused, and gradients, with the weights of the program."""
    case = published_case(PUBLISHED, UmURL)
    config, arrays = case.config, case.arrays
    encoder = small(**{key: config[key] for key in ("hidden_dim", "heads", "layers")}).double()
    encoder.load_state_dict(case.renamed("state.", "backbone."))
    clips = arrays["in.x"]
    features = {"fused": encoder(clips)}
    for name in encoder.modalities:
        tokens = encoder.embed({name: stream(clips, name, HAND)})
        features[name] = encoder.pool(encoder.encode(tokens))
    for name, feature in features.items():
        torch.testing.assert_close(feature, arrays[f"out.{name}"], rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(encoder.eval()(clips), arrays["out.fused"], rtol=1e-9, atol=1e-10)
    sum(feature.square().mean() for feature in features.values()).backward()
    case.check_gradients(encoder)


@settings(max_examples=20)
@given(st.permutations(range(4)), st.integers(0, 20))
def test_clips_do_not_see_each_other(order, seed):
    encoder = small().eval()
    clips = torch.randn(4, 3, 6, 5, 2, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(encoder(clips[list(order)]), encoder(clips)[list(order)])


def test_fused_feature_sees_every_modality():
    encoder = small().eval()
    torch.manual_seed(0)
    clips = torch.randn(2, 3, 6, 5, 2)
    seen = {name: stream(clips, name, HAND) for name in encoder.modalities}
    before = encoder.encode(encoder.embed(seen))
    torch.testing.assert_close(before, encoder.forward_features(clips))
    for name in encoder.modalities:
        assert not torch.allclose(encoder.encode(encoder.embed(seen | {name: 2 * seen[name]})), before)
