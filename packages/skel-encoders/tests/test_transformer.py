import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout
from skel_encoders import Transformer

HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"]],
    }
)
LAYOUTS = [*map(get_layout, ("ntu-25", "kinect-20", "coco-17", "hdm05-31")), HAND]
SMALL = {"frames": 12, "tubelet": 3, "feature_dim": 8, "heads": 2, "layers": 2, "mlp_ratio": 1.5}


def small(layout=HAND, **settings):
    torch.manual_seed(0)
    return Transformer(layout, **SMALL | settings)


def published(layout=HAND, frames=12, tubelet=3, dim=8, layers=2, hidden=12):
    """Random weights under the published names, those of the decoder too."""
    torch.manual_seed(1)

    def random(*shape):
        return (0.3 * torch.randn(*shape, dtype=torch.float64)).requires_grad_()

    def affine(name, *shape):
        return {f"{name}.weight": random(*shape), f"{name}.bias": random(shape[0])}

    state = {"pos_embed": random(1, 1, layout.num_joints, dim), "norm.bias": random(dim)}
    state |= {"temp_embed": random(1, frames // tubelet, 1, dim), "norm.weight": random(dim)}
    state |= affine("joints_embed.proj", dim, layout.channels, tubelet, 1)
    for block in (f"blocks.{i}" for i in range(layers)):
        state |= affine(f"{block}.norm1", dim) | affine(f"{block}.norm2", dim)
        state |= affine(f"{block}.attn.qkv", 3 * dim, dim) | affine(f"{block}.attn.proj", dim, dim)
        state |= affine(f"{block}.mlp.fc1", hidden, dim) | affine(f"{block}.mlp.fc2", dim, hidden)
    others = affine("decoder_embed", dim, dim) | affine("decoder_blocks.0.attn.proj", dim, dim)
    others |= affine("head.fc", 5, dim) | {"mask_token": random(1, 1, dim)}
    return state | others


def formula(state, clips, keep=None, heads=2, layers=2, tubelet=3):
    """The published network in plain operations, body by body: to a list of (L, D)."""

    def affine(name, x):
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(name, x):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        return x * state[f"{name}.weight"] + state[f"{name}.bias"]

    bodies = [clip[..., m] for clip in clips for m in range(clips.shape[4])]
    outputs = []
    for i, body in enumerate(bodies):
        proj = "joints_embed.proj"
        x = functional.conv2d(
            body, state[f"{proj}.weight"], state[f"{proj}.bias"], stride=(tubelet, 1)
        )  # (D, T', V)
        x = x.permute(1, 2, 0) + state["pos_embed"][0] + state["temp_embed"][0, : x.shape[1]]
        x = x.flatten(0, 1)
        if keep is not None:
            x = x[keep[i]]
        for block in (f"blocks.{i}" for i in range(layers)):
            qkv = affine(f"{block}.attn.qkv", norm(f"{block}.norm1", x)).chunk(3, -1)
            attended = []
            for q, k, v in zip(*(part.chunk(heads, -1) for part in qkv), strict=True):
                attended.append(torch.softmax(q @ k.T / q.shape[1] ** 0.5, dim=1) @ v)
            x = x + affine(f"{block}.attn.proj", torch.cat(attended, dim=1))
            hidden = affine(f"{block}.mlp.fc1", norm(f"{block}.norm2", x))
            hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
            x = x + affine(f"{block}.mlp.fc2", hidden)
        outputs.append(norm("norm", x))
    return outputs


def two_places(present, layout=HAND, frames=12, dtype=torch.float32):
    """Clips with bodies of two, present or zero."""
    clips = torch.randn(len(present), layout.channels, frames, layout.num_joints, 2, dtype=dtype)
    return clips * torch.tensor(present)[:, None, None, None]


def test_default_size():
    with torch.device("meta"):
        encoder = Transformer(get_layout("ntu-25"), frames=120)
    assert round(sum(p.numel() for p in encoder.parameters()) / 1e6, 1) == 6.3
    assert encoder.feature_dim == 256
    assert not encoder.takes_joint_subsets
    assert encoder.time_position.shape == (30, 256)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize(("frames", "bodies"), [(1, 1), (7, 2), (12, 2)])
def test_shapes(layout, frames, bodies):
    encoder = small(layout)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    steps, joints = -(-frames // 3), layout.num_joints
    assert encoder.embed(clips).shape == (3 * bodies, steps * joints, 8)
    assert encoder.forward_features(clips).shape == (3, bodies, steps, joints, 8)
    assert encoder(clips).shape == (3, encoder.feature_dim) == (3, 8)


@pytest.mark.parametrize("shape", [(2, 2, 6, 4, 2), (2, 3, 6, 5, 2), (2, 3)])
def test_clips_that_do_not_fit(shape):
    with pytest.raises(
        ValueError, match=r"expected clips \(N, 3, T, 4, M\) for layout 'custom', got"
    ) as error:
        small()(torch.zeros(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("frames", [0, 13])
def test_clips_of_wrong_length(frames):
    with pytest.raises(ValueError, match=f"expected clips of 1 to 12 frames, got {frames}"):
        small()(torch.zeros(2, 3, frames, 4, 1))


def test_errors():
    for settings_, message in (
        ({"frames": 0}, "frames must be at least 1, got 0"),
        ({"tubelet": 0}, "tubelet must be at least 1, got 0"),
        ({"heads": 3}, "feature_dim must be a multiple of heads, got 8 and 3 heads"),
        ({"drop_path": 1.0}, r"drop_path must lie in \[0, 1\), got 1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            small(**settings_)
    tokens = torch.zeros(2, 6, 8)
    for keep in (torch.zeros(3, 2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64), torch.zeros(2, 3)):
        with pytest.raises(ValueError, match=r"expected int64 indices keep \(2, L\), got"):
            small().encode(tokens, keep)
    for name in ("blocks.0.attn.what.weight", "blocks.0.ls1.gamma", "cls_token", "encoder.norm.weight"):
        with pytest.raises(ValueError, match=f"'module.{name}' is not a weight of MAMP"):
            Transformer.rename_published({f"module.{name}": torch.zeros(1)}, prefix="module.")
    with pytest.raises(ValueError, match="prefix 'module.'"):
        Transformer.rename_published({"norm.weight": torch.zeros(1)}, prefix="module.")


@pytest.mark.parametrize("frames", [12, 6])
@pytest.mark.parametrize("skip_absent", [True, False])
@pytest.mark.parametrize("layout", [HAND, get_layout("coco-17")], ids=lambda layout: layout.name)
def test_published_formula(frames, skip_absent, layout):
    state = published(layout)
    encoder = small(layout, skip_absent=skip_absent).double()
    encoder.load_state_dict(Transformer.rename_published(state))
    clips = two_places([[1, 1], [1, 0], [0, 0], [0, 1]], layout, frames, torch.float64)
    expected = torch.stack(formula(state, clips)).unflatten(0, (4, 2))
    assert (encoder.forward_features(clips).flatten(2, 3) - expected).abs().max() < 1e-12
    ours, theirs = encoder(clips), expected.mean((1, 2))
    assert (ours - theirs).abs().max() < 1e-12

    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    # Gradients are renamed as weights are: the mapping is linear in them.
    gradients = Transformer.rename_published({k: p.grad for k, p in state.items() if p.grad is not None})
    for name, parameter in encoder.named_parameters():
        assert (parameter.grad - gradients.pop(name)).abs().max() < 1e-10, name
    assert not gradients


def test_encoding_some_tokens():
    state = published()
    encoder = small().double()
    encoder.load_state_dict(Transformer.rename_published(state))
    clips = torch.randn(2, 3, 12, 4, 2, dtype=torch.float64)
    keep = torch.rand(4, 16).argsort(1)[:, :5]
    expected = torch.stack(formula(state, clips, keep))
    assert (encoder.encode(encoder.embed(clips), keep) - expected).abs().max() < 1e-12


def test_prefix_of_published_weights():
    weights = Transformer.rename_published(
        {f"module.{k}": v for k, v in published().items()}, prefix="module."
    )
    assert weights.keys() == small().state_dict().keys()


def test_initial_weights():
    encoder = small(feature_dim=64, layers=1)
    for position in (encoder.joint_position, encoder.time_position):
        assert position.std().item() == pytest.approx(0.02, rel=0.2)
    block = encoder.blocks[0]
    for linear in (block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2):
        limit = (6 / sum(linear.weight.shape)) ** 0.5
        assert 0.95 * limit < linear.weight.abs().max() <= limit
        assert not linear.bias.any()
    assert encoder.embedding.weight.abs().max() <= 9**-0.5  # of a convolution, not Xavier's
    assert encoder.embedding.bias.any()


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=4), st.integers(1, 12))
def test_absent_bodies_are_computed_once(present, frames):
    encoder = small()
    clips = two_places(present, frames=frames)
    rows = []
    encoder.blocks[0].register_forward_pre_hook(lambda _block, inputs: rows.append(len(inputs[0])))
    skipped = encoder.forward_features(clips)
    encoder.skip_absent = False
    torch.testing.assert_close(skipped, encoder.forward_features(clips))
    absent = sum(not body for clip in present for body in clip)
    assert rows == [2 * len(present) - max(absent - 1, 0), 2 * len(present)]


def test_absent_bodies_have_paths_of_their_own_in_training():
    encoder = small(drop_path=0.9, layers=4)
    clips = two_places([[1, 0]] * 8)
    features = encoder.forward_features(clips)[:, 1]
    assert (features - features[:1]).abs().amax((1, 2, 3))[1:].max() > 1e-3
    encoder.eval()
    assert encoder.blocks[3].drop_path1.drop_prob == pytest.approx(0.9)
    features = encoder.forward_features(clips)[:, 1]
    assert torch.equal(features, features[:1].expand_as(features))


@settings(max_examples=10)
@given(st.integers(1, 12))
def test_last_frame_fills_the_last_token(frames):
    encoder = small().eval()
    clips = torch.randn(2, 3, frames, 4, 1)
    filled = torch.cat([clips, *[clips[:, :, -1:]] * (-frames % 3)], dim=2)
    torch.testing.assert_close(encoder(clips), encoder(filled))


@settings(max_examples=10)
@given(st.permutations(range(16)))
def test_order_of_kept_tokens_is_kept(order):
    encoder = small().eval()
    tokens = encoder.embed(torch.randn(2, 3, 12, 4, 1))
    keep = torch.tensor(order).expand(2, -1)
    torch.testing.assert_close(encoder.encode(tokens, keep), encoder.encode(tokens)[:, keep[0]])


def test_pooling_that_keeps_joints():
    encoder = small().eval()
    clips = two_places([[1, 1], [1, 0]])
    features = encoder.forward_features(clips)
    joints = encoder.pool_joints(features)
    assert joints.shape == (2, 4 * 8)
    torch.testing.assert_close(joints[:, 8:16], features[:, :, :, 1].mean((1, 2)))
    torch.testing.assert_close(joints.unflatten(1, (4, 8)).mean(1), encoder(clips))


def test_drop_path_may_be_changed():
    encoder, other = small(layers=3), small(layers=3, drop_path=0.4)
    clips = torch.randn(2, 3, 12, 4, 1)
    before = encoder.eval()(clips)
    encoder.set_drop_path(0.4)
    for block, theirs in zip(encoder.blocks, other.blocks, strict=True):
        for name in ("drop_path1", "drop_path2"):
            assert repr(getattr(block, name)) == repr(getattr(theirs, name))
    assert torch.equal(encoder(clips), before)
    assert encoder.state_dict().keys() == other.state_dict().keys()
    encoder.train()
    assert not torch.equal(encoder(clips), encoder(clips))
    encoder.set_drop_path(0)
    assert torch.equal(encoder(clips), encoder(clips))
    with pytest.raises(ValueError, match=r"drop_path must lie in \[0, 1\), got 1"):
        encoder.set_drop_path(1)


def test_clip_does_not_depend_on_its_batch():
    encoder = small().eval()
    clips = two_places([[1, 1], [1, 0], [0, 1], [0, 0]])
    together = encoder(clips)
    for i in range(4):
        torch.testing.assert_close(together[i : i + 1], encoder(clips[i : i + 1]))
    torch.testing.assert_close(together, encoder(clips.flip(4)))


def test_gradient_reaches_every_parameter():
    encoder = small(drop_path=0.1)
    encoder(torch.randn(4, 3, 11, 4, 2)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.parametrize("skip_absent", [True, False])
@pytest.mark.slow
def test_compiles_without_graph_breaks(skip_absent):
    encoder = small(skip_absent=skip_absent).eval()
    clips = two_places([[1, 1], [1, 0], [0, 0]], frames=11)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph.code)
        return graph.forward

    compiled = torch.compile(encoder, fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(clips), encoder(clips))
    assert len(graphs) == 1
    assert "cumsum" not in graphs[0]  # no shape depends on the data
