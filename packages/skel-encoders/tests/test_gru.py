import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skel_data import SkeletonLayout, get_layout
from skel_encoders import GRU, GRUDecoder

HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"]],
    }
)
LAYOUTS = [*map(get_layout, ("ntu-25", "kinect-20", "coco-17", "hdm05-31")), HAND]


CRRL = {
    "direction": "bidirectional",
    "input_norm": False,
    "pooling": "mean",
    "dropout": 0.2,
    "init": "uniform",
    "packed": True,
}


def small(layout=HAND, **settings):
    torch.manual_seed(0)
    return GRU(layout, **{"hidden_dim": 6, "layers": 2} | settings)


class Published(nn.Module):
    """The published network as it is run: PyTorch's bidirectional GRU, one frame at a time."""

    def __init__(self, size, hidden_dim, layers, input_norm=True):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.gru = nn.GRU(size, hidden_dim, layers, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(2 * hidden_dim, 3)
        if input_norm:
            self.input_norm = nn.BatchNorm1d(size)

    def sequences(self, clips):
        x = clips.permute(0, 2, 3, 1, 4).flatten(2)  # a frame: joints, channels, bodies
        return self.input_norm(x.transpose(1, 2)).transpose(1, 2) if hasattr(self, "input_norm") else x

    def forward(self, clips):
        outputs, state = [], None
        for frame in self.sequences(clips).unbind(1):
            output, state = self.encoder.gru(frame[:, None], state)
            outputs.append(output)
        return torch.cat(outputs, dim=1)


def published_pair(direction="forward-twice", input_norm=True):
    """The published network and ours with its weights, in double precision."""
    torch.manual_seed(1)
    theirs = Published(4 * 3 * 2, 6, 2, input_norm).double()
    if input_norm:
        for value in (theirs.input_norm.running_var, theirs.input_norm.weight, theirs.input_norm.bias):
            nn.init.uniform_(value, 0.5, 1.5)
    state = {f"encoder_q.{key}": value for key, value in theirs.state_dict().items()}
    state["queue"] = torch.zeros(1)
    ours = small(direction=direction, input_norm=input_norm).double()
    ours.load_state_dict(GRU.rename_published(state, prefix="encoder_q."))
    return theirs, ours


def chain(joints, **settings):
    """CRRL's encoder without dropout, of one body that is a chain of so many joints."""
    names = [str(joint) for joint in range(joints)]
    layout = SkeletonLayout.from_dict({"joints": names, "bones": list(zip(names[1:], names, strict=False))})
    return GRU(layout, bodies=1, **{**CRRL, "dropout": 0.0, **settings})


def as_clips(sequences):
    """Clips (N, 3, T, V, 1) of published sequences (N, T, V C)."""
    return torch.from_numpy(sequences).unflatten(2, (-1, 3)).permute(0, 3, 1, 2)[..., None]


def renamed(state):
    """Published weights, or their gradients, under our names."""
    weights = {f"encoder.{name}": torch.from_numpy(x) for name, x in state.items() if name.startswith("gru")}
    return GRU.rename_published(weights)


@pytest.fixture
def agree():
    """A result agrees with a golden one to 1e-5 of the largest entry."""

    def check(ours, theirs):
        expected = torch.as_tensor(theirs)
        torch.testing.assert_close(ours.detach(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))

    return check


def test_default_size():
    with torch.device("meta"):
        encoder = GRU(get_layout("ntu-25"))
        published = nn.GRU(150, 1024, 3, bidirectional=True)
    count = sum(p.numel() for p in encoder.blocks.parameters())
    assert count == sum(p.numel() for p in published.parameters())
    assert round(count / 1e6, 1) == 45.0
    assert encoder.feature_dim == 2048
    assert not encoder.takes_joint_subsets


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize(("frames", "bodies", "layers"), [(1, 2, 1), (7, 1, 3), (8, 2, 2)])
@pytest.mark.parametrize("direction", ["forward-twice", "bidirectional"])
def test_shapes(layout, frames, bodies, layers, direction):
    encoder = small(layout, bodies=bodies, layers=layers, direction=direction)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    assert encoder.forward_features(clips).shape == (3, 1, frames, 1, 12)
    assert encoder(clips).shape == (3, encoder.feature_dim) == (3, 12)


@pytest.mark.parametrize(
    "shape", [(2, 2, 6, 4, 2), (2, 3, 0, 4, 2), (2, 3, 6, 5, 2), (2, 3, 6, 4, 1), (2, 3)]
)
def test_clips_that_do_not_fit(shape):
    with pytest.raises(
        ValueError, match=r"expected clips \(N, 3, T, 4, 2\) for layout 'custom', got"
    ) as error:
        small()(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_errors():
    with pytest.raises(ValueError, match="layers must be at least 1, got 0"):
        small(layers=0)
    with pytest.raises(
        ValueError, match="direction must be 'forward-twice' or 'bidirectional', got 'backward'"
    ):
        small(direction="backward")
    for name in ("encoder.gru.weight_ih_l0_back", "encoder.gru.what_l0", "gru.weight_ih_l0", "classifier.w"):
        with pytest.raises(ValueError, match=f"'encoder_q.{name}' is not a weight of a published GRU"):
            GRU.rename_published({f"encoder_q.{name}": torch.zeros(1)}, prefix="encoder_q.")
    with pytest.raises(ValueError, match="prefix 'encoder_q.'"):
        GRU.rename_published({"encoder_k.fc.weight": torch.zeros(1)}, prefix="encoder_q.")


@pytest.mark.parametrize("input_norm", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frames", [1, 9])
def test_published_numbers(input_norm, training, frames):
    theirs, ours = published_pair(input_norm=input_norm)
    theirs.train(training)
    ours.train(training)
    clips = torch.randn(5, 3, frames, 4, 2, dtype=torch.float64)
    expected, features = theirs(clips), ours(clips)
    assert (features - expected[:, -1]).abs().max() < 1e-12
    assert (ours.eval().forward_features(clips)[:, 0, :, 0] - theirs.eval()(clips)).abs().max() < 1e-12
    weight = torch.randn_like(features)
    (features * weight).sum().backward()
    (expected[:, -1] * weight).sum().backward()
    # Gradients are renamed as weights are: the mapping is linear in them.
    gradients = {key: p.grad for key, p in theirs.named_parameters() if not key.startswith("fc.")}
    gradients = GRU.rename_published(gradients)
    for name, parameter in ours.named_parameters():
        assert (parameter.grad - gradients.pop(name)).abs().max() < 1e-12, name
    assert not gradients


def test_a_true_bidirectional_network_says_another_thing():
    theirs, ours = published_pair("bidirectional")
    clips = torch.randn(5, 3, 9, 4, 2, dtype=torch.float64)
    expected, final = theirs.encoder.gru(theirs.sequences(clips))
    assert (ours.forward_features(clips)[:, 0, :, 0] - expected).abs().max() < 1e-12
    assert (ours(clips) - torch.cat([final[-2], final[-1]], dim=1)).abs().max() < 1e-12
    assert (expected[:, -1] - theirs(clips)[:, -1]).abs().max() > 0.01


def test_initial_weights():
    encoder = small(hidden_dim=64, layers=1)
    for unit in encoder.blocks[0].units:
        for weight in (unit.weight_ih, unit.weight_hh):
            limit = (6 / sum(weight.shape)) ** 0.5
            assert 0.9 * limit < weight.abs().max() <= limit
        for bias in (unit.bias_ih, unit.bias_hh):
            assert 0.8 / 8 < bias.abs().max() <= 1 / 8


@settings(max_examples=10)
@given(st.integers(1, 7))
def test_frames_that_follow_change_nothing(frames):
    encoder = small().eval()
    clips = torch.randn(2, 3, 8, 4, 2)
    before = encoder.forward_features(clips)[:, :, :frames]
    torch.testing.assert_close(encoder.forward_features(clips[:, :, :frames]), before)


def test_place_of_a_body_matters():
    encoder = small().eval()
    clips = torch.randn(2, 3, 8, 4, 2)
    assert (encoder(clips) - encoder(clips.flip(4))).abs().max() > 1e-3


def test_clip_does_not_depend_on_its_batch():
    encoder = small().eval()
    clips = torch.randn(4, 3, 9, 4, 2)
    torch.testing.assert_close(encoder(clips)[1:2], encoder(clips[1:2]))


@pytest.mark.parametrize("direction", ["forward-twice", "bidirectional"])
def test_gradient_reaches_every_parameter(direction):
    encoder = small(direction=direction)
    encoder(torch.randn(4, 3, 9, 4, 2)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_half_precision_by_autocast():
    encoder = small(hidden_dim=32).eval()
    clips = torch.randn(4, 3, 9, 4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(clips)
    torch.testing.assert_close(half.float(), encoder(clips), atol=0.02, rtol=0)


@pytest.mark.parametrize("direction", ["forward-twice", "bidirectional"])
@pytest.mark.slow
def test_compiles_without_graph_breaks(direction):
    encoder = small(direction=direction).eval()
    clips = torch.randn(2, 3, 5, 4, 2)
    compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(clips), encoder(clips))


def test_crrl_size():
    """Two layers of 256 units and a decoder of 150, on two bodies of 25 joints, as the program has them."""
    with torch.device("meta"):
        encoder = GRU("ntu-25", hidden_dim=256, layers=2, **CRRL)
        decoder = GRUDecoder(512, 150)
    sizes = [sum(p.numel() for p in part.parameters()) for part in (encoder, decoder)]
    assert sizes == [1_809_408, 434_700]


@pytest.mark.parametrize("frames", [1, 7])
def test_shapes_of_the_decoder(frames):
    decoded = GRUDecoder(12, 5, layers=3)(torch.randn(4, 12), frames)
    assert decoded.shape == (4, frames, 5)
    assert decoded.abs().max() < 1


def test_errors_of_crrl_settings():
    for given_settings, message in [
        ({"pooling": "max"}, "pooling must be 'last' or 'mean', got 'max'"),
        ({"init": "normal"}, "init must be 'xavier' or 'uniform', got 'normal'"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            small(**given_settings)
    with pytest.raises(ValueError, match="layers must be at least 1, got 0"):
        GRUDecoder(4, 3, layers=0)


@pytest.mark.vectors("crrl.encoder")
def test_published_encoder_of_crrl(vector, agree):
    size, hidden = vector.config["input_size"], vector.config["hidden"]
    encoder = chain(size // 3, hidden_dim=hidden, layers=vector.config["layers"])
    encoder.load_state_dict(renamed(vector.group("state.")))
    clips = as_clips(vector["in.x"]).requires_grad_()
    assert encoder.lengths(clips).tolist() == vector["in.lengths"].tolist()
    features = encoder.forward_features(clips)
    pooled = encoder.pool(features)
    loss = (torch.from_numpy(vector["in.weight"]) * pooled.square()).sum()
    loss.backward()
    agree(features[:, 0, :, 0], vector["out.hidden"])
    agree(pooled, vector["out.pooled"])
    agree(loss, vector["out.loss"])
    agree(clips.grad, as_clips(vector["grad.x"]))
    for name, expected in renamed(vector.group("grad.")).items():
        agree(encoder.get_parameter(name).grad, expected)


def test_initial_weights_of_pytorch():
    encoder = small(init="uniform", hidden_dim=64, layers=2)
    for weight in encoder.blocks.parameters():
        assert 0.8 / 8 < weight.abs().max() <= 1 / 8


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=4),
    st.sampled_from(["forward-twice", "bidirectional"]),
    st.sampled_from(["last", "mean"]),
)
def test_packed_clip_is_read_as_if_alone_and_not_padded(lengths, direction, pooling):
    encoder = small(direction=direction, pooling=pooling, packed=True, input_norm=False)
    clips = torch.randn(len(lengths), 3, 8, 4, 2)
    for clip, frames in zip(clips, lengths, strict=True):
        clip[:, frames:] = 0
    together = encoder(clips)
    encoder.packed = False
    for feature, clip, frames in zip(together, clips, lengths, strict=True):
        torch.testing.assert_close(feature, encoder(clip[None, :, :frames])[0])


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("direction", ["forward-twice", "bidirectional"])
def test_lengths_that_are_given_are_read(direction, pooling):
    encoder = GRU("utd-20", bodies=1, hidden_dim=4, layers=1, direction=direction, pooling=pooling).eval()
    clips = torch.randn(2, 3, 7, 20, 1)
    features = encoder(clips, torch.tensor([4, 7]))
    torch.testing.assert_close(features[0], encoder(clips[:1, :, :4])[0])
    torch.testing.assert_close(features[1], encoder(clips[1:])[0])


def test_dropout_lies_between_layers_and_in_training_only():
    one, two = (small(layers=layers, dropout=0.5) for layers in (1, 2))
    clips = torch.randn(2, 3, 8, 4, 2)
    for encoder, changes in ((one, False), (two, True)):
        encoder.norm.eval()
        assert torch.equal(encoder(clips), encoder(clips)) != changes
        encoder.eval()
        assert torch.equal(encoder(clips), encoder(clips))


def test_gradient_reaches_every_weight_of_the_decoder():
    decoder, x = GRUDecoder(6, 5), torch.randn(3, 6, requires_grad=True)
    decoder(x, 4).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in (x, *decoder.parameters()))


@pytest.mark.slow
def test_packed_encoder_compiles_without_graph_breaks():
    encoder = small(direction="bidirectional", pooling="mean", packed=True).eval()
    clips = torch.randn(2, 3, 5, 4, 2)
    clips[0, :, 3:] = 0
    compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(clips), encoder(clips))
