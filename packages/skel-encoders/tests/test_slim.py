import pytest
import torch
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from skel_data import get_layout
from skel_encoders import SLiM, load_published

SMALL = {"tubelet": 4, "width": 8, "heads": 2, "layers": 2, "registers": 1, "class_layers": 1}


def small(layout="utd-20", **settings):
    torch.manual_seed(0)
    encoder = SLiM(layout, **SMALL | settings).double()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return encoder


def random_clips(frames=12, bodies=2, layout="utd-20", n=3):
    torch.manual_seed(1)
    layout = get_layout(layout)
    return torch.randn(n, layout.channels, frames, layout.num_joints, bodies).double()


def published_names(width=256, layers=8, registers=4, joints=25):
    """Shapes of the released weights, made from the specification."""
    hidden = 8 * -(-width // 3)
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, joints + 1, width),
        "register_tokens": (1, registers, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, 8, 1),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for i in range(layers):
        for name, shape in (
            ("norm1", (width,)),
            ("norm2", (width,)),
            ("attn.qkv", (3 * width, width)),
            ("attn.proj", (width, width)),
            ("mlp.w12", (2 * hidden, width)),
            ("mlp.w3", (width, hidden)),
        ):
            shapes |= {f"blocks.{i}.{name}.weight": shape, f"blocks.{i}.{name}.bias": shape[:1]}
    return shapes


def test_shapes():
    encoder = small(class_layers=2)
    clips = random_clips(frames=10)
    assert encoder.feature_dim == 24
    assert encoder(clips).shape == (3, 24)
    assert encoder.forward_features(clips).shape == (3, 2, 3, 20, 24)
    tokens = encoder.encode(clips)
    assert [part.shape for part in tokens] == [(6, 2, 8), (6, 1, 8), (6, 60, 8)]
    assert small(registers=0).encode(clips).registers.shape == (6, 0, 8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tubelet": 0}, "tubelet must be at least 1, got 0"),
        ({"registers": -1}, "registers must be at least 0, got -1"),
        ({"heads": 4, "width": 12}, "width must be a multiple of 2 \\* heads, got 12 and 4 heads"),
        ({"class_layers": 3}, "class_layers must be from 1 to the 2 layers, got 3"),
        ({"rope_base": 1.0}, "rope_base must be above 1"),
    ],
)
def test_errors_of_settings(given, message):
    with pytest.raises(ValueError, match=message):
        small(**given)


def test_errors_of_clips():
    with pytest.raises(ValueError, match="expected clips"):
        small().encode(random_clips(layout="ntu-25"))
    with pytest.raises(ValueError, match="given together or not at all"):
        small().encode(random_clips(), torch.zeros(6, 60, dtype=torch.bool))


@pytest.mark.vectors("slim_encoder")
def test_published_numbers(vector):
    """Class, register and patch tokens, masked and not, of two lengths; the loss and all gradients."""
    config = vector.config
    layout = get_layout("ntu-25" if config["joints"] == 25 else "coco-17")
    encoder = SLiM(
        evolve(layout, dims=3, confidence=False),
        tubelet=config["tubelet"],
        width=config["width"],
        heads=config["heads"],
        layers=config["depth"],
        registers=config["registers"],
        class_layers=1,
        rope_base=config["rope_base"],
    )
    state = {key: torch.from_numpy(value) for key, value in vector.group("state.").items()}
    encoder.load_state_dict(SLiM.rename_published(state))
    mask_token = state["mask_token"][0].requires_grad_()
    loss = 0
    for frames in (32, 8):
        x, mask = (torch.from_numpy(vector[f"in.{kind}_{frames}"]) for kind in ("x", "mask"))
        masked, plain = encoder.encode(x, mask, mask_token), encoder.encode(x)
        for name, tokens in (("masked", masked), ("plain", plain)):
            cls, registers, patches = tokens.classes[:, 0], tokens.registers, tokens.patches
            for kind, found in (("cls", cls), ("registers", registers), ("patches", patches)):
                wanted = torch.from_numpy(vector[f"out.{kind}_{name}_{frames}"])
                assert_close(found, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))
        loss = loss + masked.classes.square().mean() + masked.patches.square().mean()
        loss = loss + plain.registers.square().mean()
    assert_close(loss, torch.from_numpy(vector["out.loss"]), rtol=1e-5, atol=0)
    gradients = {key: torch.from_numpy(value) for key, value in vector.group("grad.").items()}
    if not gradients:
        return
    loss.backward()
    assert_close(mask_token.grad, gradients.pop("mask_token")[0], rtol=1e-5, atol=1e-6)
    # the class token and its position are one weight here: both have the same gradient there
    assert torch.equal(gradients["cls_token"][0, 0], gradients["pos_embed"][0, 0])
    gradients["cls_token"] = torch.zeros_like(gradients["cls_token"])
    wanted = SLiM.rename_published(gradients)
    found = {name: weight.grad for name, weight in encoder.named_parameters()}
    assert set(found) == set(wanted)
    for name, grad in found.items():
        assert_close(grad, wanted[name], rtol=0, atol=1e-5 * float(wanted[name].abs().max()))


def test_released_weights(tmp_path):
    """A file with the names and shapes of the specification, a head beside the network."""
    torch.manual_seed(0)
    shapes = published_names()
    state = {name: torch.randn(shape) for name, shape in shapes.items()}
    head = {"dino_head.mlp.0.weight": torch.zeros(2, 2), "ibot_head.mlp.0.bias": torch.zeros(2)}
    torch.save({"model": state | head}, tmp_path / "slim.pth")
    encoder = SLiM("ntu-25")
    assert round(sum(weight.numel() for weight in encoder.parameters()) / 1e6, 2) == 6.37
    load_published(encoder, tmp_path / "slim.pth")
    assert_close(encoder.class_token, state["cls_token"][0, 0] + state["pos_embed"][0, 0])
    assert torch.equal(encoder.joint_position, state["pos_embed"][0, 1:])
    prefixed = {f"teacher.backbone.{name}": value for name, value in state.items()}
    torch.save(prefixed, tmp_path / "prefixed.pth")
    with pytest.raises(ValueError, match="not a weight of SLiM's published network"):
        load_published(SLiM("ntu-25"), tmp_path / "prefixed.pth")
    torch.save({**state, "pos_embed": state["pos_embed"][:, :-1]}, tmp_path / "joints.pth")
    with pytest.raises(ValueError, match="joint_position"):
        load_published(encoder, tmp_path / "joints.pth")


def test_absent_bodies_add_nothing():
    encoder = small().eval()
    clips = random_clips(bodies=1)
    padded = torch.cat([clips, torch.zeros_like(clips)], dim=4)
    assert_close(encoder(padded), encoder(clips))
    both = torch.cat([clips, clips.flip(0)], dim=4)
    assert_close(encoder(both), encoder(clips) + encoder(clips.flip(0)))


def test_last_frame_fills_the_last_token():
    clips = random_clips(frames=9)
    filled = torch.cat([clips, clips[:, :, -1:].expand(-1, -1, 3, -1, -1)], dim=2)
    assert_close(small()(clips), small()(filled))


@settings(max_examples=10)
@given(st.integers(1, 6), st.integers(0, 100))
def test_only_distances_in_time_count(shift, seed):
    """Rotary: with equal clips the scores of two tokens depend on how far they are apart."""
    encoder = small()
    rotation = encoder._rotation(8, 0, torch.zeros(1).double())[:, :: encoder.layout.num_joints]
    q, k = torch.randn(2, 1, 1, 1, 4, generator=torch.Generator().manual_seed(seed)).double()
    from skel_encoders.slim import _rotated

    turned = [_rotated(x.expand(1, 1, 8, 4), rotation) for x in (q, k)]
    scores = (turned[0] @ turned[1].transpose(2, 3))[0, 0]
    for offset in range(8 - shift):
        assert_close(scores[offset, offset + shift], scores[0, shift])


def test_hidden_tokens_do_not_show():
    encoder, clips = small(), random_clips(bodies=1)
    hidden = torch.zeros(3, 3, 20, dtype=torch.bool)
    hidden[:, 1, 5] = True
    token = torch.randn(8).double()
    changed = clips.clone()
    changed[:, :, 4:8, 5] += 1
    ours, theirs = (encoder.encode(x, hidden.flatten(1), token) for x in (clips, changed))
    assert torch.equal(ours.patches, theirs.patches)
    assert not torch.equal(encoder.encode(clips).patches, encoder.encode(changed).patches)


def test_compiles():
    encoder, clips = small().eval(), random_clips()
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    assert_close(compiled(clips), encoder(clips))
