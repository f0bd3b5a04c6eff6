import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout
from skel_encoders import SCDEncoder

HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"]],
    }
)
SMALL = {"frames": 6, "channels": 8, "hidden_dim": 12, "heads": 2}


def small(layout=HAND, **settings):
    torch.manual_seed(0)
    return SCDEncoder(layout, **SMALL | settings)


def awake(encoder):
    """Move alpha and the first BatchNorm weight of each block from where they silence their part."""
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if name.endswith(("alpha", "spatial.norm.weight")):
                parameter.uniform_(0.5, 1.0)
    return encoder


def test_default_size():
    with torch.device("meta"):
        encoder = SCDEncoder(get_layout("ntu-25"))
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in encoder.named_children()}
    assert sizes["temporal_graph"] == sizes["spatial_graph"]
    assert sizes["temporal_tokens"] - sizes["spatial_tokens"] == (50 - 64) * 64 * 2048
    assert encoder.feature_dim == 4096


@pytest.mark.parametrize("layout", [get_layout("ntu-25"), get_layout("jhmdb-15"), HAND])
@pytest.mark.parametrize(("frames", "bodies", "layers"), [(6, 1, 1), (5, 3, 2)])
def test_shapes(layout, frames, bodies, layers):
    encoder = small(layout, frames=frames, bodies=bodies, layers=layers)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    assert encoder.forward_features(clips).shape == (3, bodies, frames, layout.num_joints, 16)
    assert encoder(clips).shape == (3, encoder.feature_dim) == (3, 24)


@pytest.mark.parametrize(
    "shape", [(2, 2, 6, 4, 2), (2, 3, 7, 4, 2), (2, 3, 6, 5, 2), (2, 3, 6, 4, 1), (2, 3)]
)
def test_clips_that_do_not_fit(shape):
    with pytest.raises(
        ValueError, match=r"expected clips \(N, 3, 6, 4, 2\) for layout 'custom', got"
    ) as error:
        small()(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_errors():
    with pytest.raises(ValueError, match="channels must be a multiple of 4, got 6"):
        small(channels=6)
    with pytest.raises(ValueError, match="hidden_dim must be a multiple of heads, got 12 and 5 heads"):
        small(heads=5)
    for name in ("gcn_t.l4.gcn1.bn.weight", "gcn_t.l1.gcn1.what.weight", "fc.weight"):
        with pytest.raises(ValueError, match=f"'encoder.{name}' is not a weight of SCD-Net"):
            SCDEncoder.rename_published({f"encoder.{name}": torch.zeros(1)})
    with pytest.raises(ValueError, match="prefix 'encoder_q.encoder.'"):
        SCDEncoder.rename_published({"encoder.t.weight": torch.zeros(1)}, prefix="encoder_q.")


def assert_close(ours, theirs, atol=1e-5):
    scale = theirs.abs().max()
    torch.testing.assert_close(ours / scale, theirs / scale, rtol=0, atol=atol)


@pytest.mark.vectors("scd_encoder")
@pytest.mark.parametrize("gradients", [False, True])  # PyTorch has a faster path without
def test_published_numbers(vector, gradients):
    config = vector.config
    encoder = SCDEncoder(
        get_layout("ntu-25"),
        frames=config["frames"],
        channels=config["gcn_channels"],
        hidden_dim=config["hidden_size"],
        heads=config["num_head"],
        layers=config["num_layer"],
    ).eval()
    state = {key: torch.from_numpy(value) for key, value in vector.group("state.").items()}
    encoder.load_state_dict(SCDEncoder.rename_published(state))
    with torch.set_grad_enabled(gradients):
        instance = encoder(torch.from_numpy(vector["in.x"]))
    temporal, spatial = instance.chunk(2, 1)
    assert_close(temporal, torch.from_numpy(vector["out.v_temporal"]))
    assert_close(spatial, torch.from_numpy(vector["out.v_spatial"]))
    for name, x in (("temporal", temporal), ("spatial", spatial), ("instance", instance)):
        first, second = f"{name[0]}_proj.0", f"{name[0]}_proj.2"
        x = torch.relu(functional.linear(x, state[f"{first}.weight"], state[f"{first}.bias"]))
        x = functional.linear(x, state[f"{second}.weight"], state[f"{second}.bias"])
        assert_close(x, torch.from_numpy(vector[f"out.z_{name}"]))


def test_published_formulae(published_scd):
    torch.manual_seed(0)
    reference = published_scd(HAND, **SMALL)
    encoder = small(dropout=0.0).double()
    weights = SCDEncoder.rename_published({f"encoder.{key}": value for key, value in reference.state.items()})
    missing, unexpected = encoder.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all("running" in name or "num_batches" in name for name in missing)

    clips = torch.randn(3, 3, 6, 4, 2, dtype=torch.float64)
    ours, theirs = encoder(clips), reference(clips)
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    # Gradients are renamed as weights are: the mapping is linear in them.
    gradients = SCDEncoder.rename_published(
        {f"encoder.{key}": value.grad for key, value in reference.state.items()}
    )
    for name, parameter in encoder.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-9, rtol=1e-7, msg=name)


def test_initial_weights():
    torch.manual_seed(0)
    encoder = small(get_layout("ntu-25"), channels=64, hidden_dim=64)
    block = encoder.temporal_graph.blocks[1]
    for conv, fan_out in (
        (block.spatial.relation, 8),
        (block.spatial.value, 256),
        (block.spatial.refinement, 256),
        (block.spatial.residual[0], 256),
        (block.temporal.bottleneck, 64),
        (block.temporal.branches[0], 5 * 64),
        (block.residual[0], 256),
    ):
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
        assert not conv.bias.any()
    assert (block.spatial.norm.weight == 1e-6).all()
    assert block.spatial.alpha == 0
    torch.testing.assert_close(block.spatial.graph.detach().sum(2).amax(1), torch.ones(3))
    linear = encoder.temporal_tokens[0].weight
    assert linear.abs().max() <= (6 / sum(linear.shape)) ** 0.5
    assert linear.std().item() == pytest.approx((2 / sum(linear.shape)) ** 0.5, rel=0.05)


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_spatial_half_has_no_order_of_bodies_behind_the_graph(seed):
    generator = torch.Generator().manual_seed(seed)
    encoder = small().eval()
    features = torch.randn(2, 2, 6, 4, 16, generator=generator)
    joints = encoder.pool(features).chunk(2, 1)[1]
    swapped = features[:, torch.tensor([1, 0])][:, :, :, torch.randperm(4, generator=generator)]
    torch.testing.assert_close(encoder.pool(swapped).chunk(2, 1)[1], joints)


@settings(max_examples=10)
@given(st.permutations(range(6)))
def test_temporal_half_has_no_order_of_frames_behind_the_graph(order):
    encoder = small().eval()
    features = torch.randn(2, 2, 6, 4, 16)
    frames = encoder.pool(features).chunk(2, 1)[0]
    torch.testing.assert_close(encoder.pool(features[:, :, order]).chunk(2, 1)[0], frames)


def test_halves_depend_on_their_own_features_only():
    encoder = small().eval()
    features = torch.randn(2, 2, 6, 4, 16, requires_grad=True)
    temporal, spatial = encoder.pool(features).chunk(2, 1)
    (of_temporal,) = torch.autograd.grad(temporal.sum(), features, retain_graph=True)
    (of_spatial,) = torch.autograd.grad(spatial.sum(), features)
    assert not of_temporal[..., 8:].any()
    assert not of_spatial[..., :8].any()


def test_clip_does_not_depend_on_its_batch():
    encoder = awake(small()).eval()
    clips = torch.randn(4, 3, 6, 4, 2)
    torch.testing.assert_close(encoder(clips)[1:2], encoder(clips[1:2]))


def test_bfloat16():
    encoder = awake(small()).train()
    clips = torch.randn(4, 3, 6, 4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        y = encoder(clips)
    y.float().square().sum().backward()
    assert all(p.grad.isfinite().all() and p.dtype == torch.float32 for p in encoder.parameters())
    encoder.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rough = encoder(clips).float()
    torch.testing.assert_close(rough, encoder(clips), rtol=0, atol=0.2)


def test_gradient_reaches_every_parameter():
    encoder = awake(small())
    encoder(torch.randn(4, 3, 6, 4, 2)).square().sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())
    assert all(p.grad.abs().sum() > 0 for name, p in encoder.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.slow
def test_compiles_without_graph_breaks(training):
    encoder = small(dropout=0.0).train(training)
    clips = torch.randn(2, 3, 6, 4, 2)
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(clips), encoder(clips))
