import pytest
import torch
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import SkeletonLayout, get_layout
from skel_encoders import STGCN, TCN, SCDEncoder

PUBLISHED_LAYOUTS = {"ntu-rgb+d": "ntu-25", "openpose": "openpose-18"}
HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"]],
    }
)


def small(layout, **settings):
    torch.manual_seed(0)
    return STGCN(layout, base_channels=4, feature_dim=16, **settings)


def test_default_size():
    # "0.82 M without last layer" as in the papers that use it.
    assert 0.80e6 < sum(p.numel() for p in STGCN(get_layout("ntu-25")).parameters()) < 0.85e6


def test_which_encoders_take_joints():
    assert [encoder.takes_joint_subsets for encoder in (STGCN, TCN, SCDEncoder)] == [True, False, False]


@pytest.mark.parametrize("layout", [get_layout("ntu-25"), get_layout("utd-20"), get_layout("coco-17"), HAND])
@pytest.mark.parametrize(("frames", "bodies"), [(1, 1), (13, 1), (16, 2)])
def test_shapes(layout, frames, bodies):
    encoder = small(layout)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    features = encoder.forward_features(clips)
    assert features.shape == (3, bodies, -(-frames // 4), layout.num_joints, 16)
    torch.manual_seed(1)
    assert encoder(clips).shape == (3, encoder.feature_dim)


def test_errors():
    encoder = small(get_layout("ntu-25"))
    with pytest.raises(ValueError, match=r"\(N, 3, T, 25, M\).*got \(2, 3, 8, 20, 1\)"):
        encoder(torch.zeros(2, 3, 8, 20, 1))
    clips = torch.zeros(2, 3, 8, 25, 1)
    for joints in (
        torch.zeros(3, 4, dtype=torch.int64),
        torch.zeros(2, 1, 4, dtype=torch.int64),
        torch.zeros(0, dtype=torch.int64),
        torch.zeros(26, dtype=torch.int64),
        torch.zeros(25, dtype=torch.bool),
    ):
        with pytest.raises(
            ValueError, match=r"expected int64 joints \(S,\) or \(2, S\), S from 1 to 25, got"
        ):
            encoder(clips, joints)
    for joints in ([0, 25], [-1, 3]):
        with pytest.raises(ValueError, match=r"joints must lie in 0\.\.24, got"):
            encoder(clips, torch.tensor(joints))
    with pytest.raises(ValueError, match="not a weight of a published ST-GCN"):
        STGCN.rename_published({"st_gcn_networks.0.what": torch.zeros(1)})
    with pytest.raises(ValueError, match="prefix 'encoder_q.'"):
        STGCN.rename_published({"data_bn.weight": torch.zeros(1)}, prefix="encoder_q.")


def published(vector):
    config = vector.config
    encoder = STGCN(
        get_layout(PUBLISHED_LAYOUTS[config["layout"]]),
        base_channels=config["hidden_channels"],
        feature_dim=config["hidden_dim"],
        dropout=config["dropout"],
        edge_weights=config["edge_importance_weighting"],
        strategy=config["strategy"],
    )
    state = {key: torch.from_numpy(value) for key, value in vector.group("state.").items()}
    encoder.load_state_dict(STGCN.rename_published(state))
    head = torch.nn.Linear(config["hidden_dim"], config["num_class"])
    head.load_state_dict({"weight": state["fc.weight"], "bias": state["fc.bias"]})
    return encoder, head


def assert_close(ours, theirs, atol=1e-5):
    scale = theirs.abs().max()
    torch.testing.assert_close((ours / scale).float(), theirs / scale, rtol=0, atol=atol)


@pytest.mark.vectors("stgcn")
def test_published_numbers(vector):
    # In double precision, so that what differs is the rounding of the golden numbers alone, on any machine:
    # up to 1.6e-5 of the largest entry in a gradient.
    encoder, head = (module.double() for module in published(vector))
    clips = torch.from_numpy(vector["in.x"]).double()
    encoder.eval()
    features = encoder(clips)
    assert_close(features, torch.from_numpy(vector["out.feature_eval"]))
    assert_close(head(features), torch.from_numpy(vector["out.logits_eval"]))

    encoder.train()
    logits = head(encoder(clips))
    loss = logits.square().mean()
    loss.backward()
    assert_close(logits, torch.from_numpy(vector["out.logits_train"]))
    assert_close(loss, torch.tensor(vector["out.loss"]))
    gradients = {key: torch.from_numpy(value) for key, value in vector.group("grad.").items()}
    ours = {name: parameter.grad for name, parameter in encoder.named_parameters()}
    # Gradients are renamed as weights are: the mapping is linear in them.
    for name, theirs in STGCN.rename_published(gradients).items():
        if name.endswith(("temporal.bias", "residual.0.bias")):  # zero but for rounding: BatchNorm follows
            assert ours[name].abs().max() < 1e-6
            assert theirs.abs().max() < 1e-6
        else:
            assert_close(ours[name], theirs, atol=2e-5)
    buffers = dict(encoder.named_buffers())
    after = {key: torch.from_numpy(value) for key, value in vector.group("running_after.").items()}
    for name, theirs in STGCN.rename_published(after).items():
        assert_close(buffers[name], theirs)


@settings(max_examples=10)
@given(st.permutations(range(25)))
def test_renumbered_joints_give_the_same_feature(order):
    layout = get_layout("ntu-25")
    place = {joint: new for new, joint in enumerate(order)}
    renumbered = SkeletonLayout(
        name="renumbered",
        joints=tuple(layout.joints[joint] for joint in order),
        parents=tuple(place[layout.parents[joint]] for joint in order),
        center=place[layout.center],
        mirror=tuple(place[layout.mirror[joint]] for joint in order),
    )
    clips = torch.randn(2, 3, 8, 25, 1)
    ours, theirs = small(layout, dropout=0.0).eval(), small(renumbered, dropout=0.0).eval()
    torch.testing.assert_close(ours(clips), theirs(clips[:, :, :, order]))


def cut(layout, kept):
    """The weights of an encoder whose graph has some joints only, and that encoder."""
    whole, part = awake(layout), awake(layout)
    for block in part.blocks:
        block.adjacency = block.adjacency[:, kept][:, :, kept]
        block.edge_weight = torch.nn.Parameter(block.edge_weight[:, kept][:, :, kept])
    return whole, part


def awake(layout):
    """An encoder in eval mode with edge weights other than 1, and statistics of BatchNorm that suit noise."""
    encoder = small(layout, dropout=0.0)
    for name, weight in encoder.named_parameters():
        if "edge_weight" in name:
            torch.nn.init.uniform_(weight, 0.5, 1.5)
    for module in encoder.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    clips = torch.randn(4, layout.channels, 8, layout.num_joints, 1)
    with torch.no_grad():
        encoder.train()(clips)
        assert encoder.eval().forward_features(clips).std() > 0.1  # else all would be alike
    return encoder


@settings(max_examples=10)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=20, unique=True))
def test_joints_left_out_are_cut_from_the_graph(kept):
    whole, part = cut(get_layout("utd-20"), kept)
    clips = torch.randn(2, 3, 8, 20, 2)
    with torch.no_grad():
        x = rearrange(
            part.input_norm(rearrange(clips, "n c t v m -> (n m) (v c) t")), "b (v c) t -> b v t c", c=3
        )
        x = x[:, kept]
        for block in part.blocks:
            x = block(x, None)
        expected = rearrange(x, "(n m) v t d -> n m t v d", m=2)
        torch.testing.assert_close(whole.forward_features(clips, torch.tensor(kept)), expected)


@settings(max_examples=10)
@given(st.permutations(range(20)), st.integers(1, 20))
def test_joints_of_each_clip(order, count):
    encoder = awake(get_layout("utd-20"))
    clips = torch.randn(3, 3, 8, 20, 2)
    joints = torch.stack([torch.tensor(order).roll(shift)[:count] for shift in (0, 3, 7)])
    with torch.no_grad():
        together = encoder.forward_features(clips, joints)
        assert together.shape == (3, 2, 2, count, 16)
        for clip, kept, features in zip(clips, joints, together, strict=True):
            torch.testing.assert_close(encoder.forward_features(clip[None], kept)[0], features)
        alike = encoder(clips, joints[:1].expand(3, -1))
        torch.testing.assert_close(alike, encoder(clips, joints[0]))


@settings(max_examples=10)
@given(st.permutations(range(20)))
def test_all_joints_in_any_order_are_the_plain_encoder(order):
    encoder = awake(get_layout("utd-20"))
    clips = torch.randn(2, 3, 8, 20, 2)
    with torch.no_grad():
        torch.testing.assert_close(encoder(clips, torch.tensor(order)), encoder(clips))


def test_clip_does_not_depend_on_its_batch():
    encoder = small(get_layout("utd-20")).eval()
    clips = torch.randn(4, 3, 16, 20, 2)
    torch.testing.assert_close(encoder(clips)[1:2], encoder(clips[1:2]))


def one_person_clips():
    """Five clips of two bodies, of which four are absent, and one moves a single coordinate of one frame."""
    clips = torch.randn(5, 3, 13, 20, 2)
    clips[1, ..., 1] = clips[2] = clips[3:, ..., 1] = 0
    clips[4, 0, 7, 3, 1] = 1e-3
    return clips


def encoded_bodies(encoder, *args):
    """Features before pooling, and for how many bodies they were computed."""
    counts = []
    hook = encoder.blocks[0].register_forward_pre_hook(lambda _, given: counts.append(len(given[0])))
    features = encoder.forward_features(*args)
    hook.remove()
    return features, counts


@pytest.mark.parametrize("joints", [None, torch.arange(3, 15)])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_absent_bodies_are_computed_once(joints, dtype, rtol):
    encoder, clips = awake(get_layout("utd-20")).to(dtype), one_person_clips().to(dtype)
    with torch.no_grad():
        features, counts = encoded_bodies(encoder, clips, joints)
        pooled = encoder(clips, joints)
        encoder.skip_absent = False
        expected, all_counts = encoded_bodies(encoder, clips, joints)
        assert (counts, all_counts) == ([7], [10])
        torch.testing.assert_close(features, expected, rtol=0, atol=rtol * float(expected.max()))
        torch.testing.assert_close(pooled, encoder(clips, joints), rtol=rtol, atol=rtol * float(pooled.max()))


def test_absent_bodies_are_computed_where_they_differ_or_count():
    encoder, clips = awake(get_layout("utd-20")), one_person_clips()
    assert encoded_bodies(encoder, clips, torch.arange(60).view(5, 12) % 20)[1] == [10]
    assert encoded_bodies(encoder, clips[1:2])[1] == [2]  # one alone has none to stand for
    assert encoded_bodies(encoder.train(), clips)[1] == [10]


def test_gradient_with_absent_bodies():
    encoder, clips = awake(get_layout("utd-20")).double(), one_person_clips().double()
    gradients = []
    for encoder.skip_absent in (True, False):
        encoder.zero_grad()
        encoder(clips).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in encoder.parameters()]))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("joints", [None, torch.arange(3, 15), torch.arange(48).view(4, 12) % 20])
def test_gradient_reaches_every_parameter(joints):
    encoder = small(get_layout("utd-20"))
    encoder(torch.randn(4, 3, 16, 20, 2), joints).square().sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())
    assert all(p.grad.abs().sum() > 0 for name, p in encoder.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize("joints", [None, torch.arange(24).view(2, 12) % 20])
@pytest.mark.slow
def test_compiles_without_graph_breaks(joints):
    encoder = small(get_layout("utd-20")).eval()
    clips = torch.randn(2, 3, 12, 20, 2)
    clips[..., 1] = 0
    compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(clips, joints), encoder(clips, joints))
