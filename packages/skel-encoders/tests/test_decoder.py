import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from skel_data import SkeletonLayout
from skel_encoders import TokenDecoder, Transformer

SMALL = {"width": 8, "heads": 2, "layers": 2, "mlp_ratio": 2.0}
KINDS = [{"attention": "self"}, {"attention": "cross"}, {"attention": "cross", "patch": 2}]


def small(joints=3, steps=4, **options):
    torch.manual_seed(0)
    return TokenDecoder(joints, steps, 6, 5, **SMALL | options)


def seen(count=2, kept=4, tokens=12):
    torch.manual_seed(1)
    return torch.randn(count, kept, 6), torch.rand(count, tokens).argsort(1)[:, :kept]


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("joints", [13, 17, 20, 25, 31])
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_shapes(options, joints, steps):
    decoder = small(joints, **options)
    assert decoder(*seen(tokens=joints * steps), steps).shape == (2, joints * steps, 5)
    features, keep = seen(tokens=joints * steps)
    assert decoder(features[:0], keep[:0], steps).shape == (0, joints * steps, 5)


def test_errors():
    for name in ("joints", "steps", "layers", "patch"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            small(**{name: 0, "attention": "cross"})
    with pytest.raises(ValueError, match="a multiple of heads, got 8 and 3 heads"):
        small(heads=3)
    with pytest.raises(ValueError, match="self or cross, got 'both'"):
        small(attention="both")
    with pytest.raises(ValueError, match="patch must be 1 with self-attention, got 2"):
        small(patch=2)
    features, keep = seen()
    for steps in (0, 5):
        with pytest.raises(ValueError, match=f"expected 1 to 4 steps, got {steps}"):
            small()(features, keep, steps)
    with pytest.raises(ValueError, match=r"got \(2, 4, 6\), \(2, 3\)"):
        small()(features, keep[:, 1:], 4)


def test_default_size():
    """With the encoder 10.37 M, as the published model, and what that has for its positions and tokens."""
    with torch.device("meta"):
        parts = [TokenDecoder(25, 30, 256, 12), Transformer("ntu-25", frames=120)]
    assert round(sum(p.numel() for part in parts for p in part.parameters()) / 1e6, 2) == 10.37


@pytest.mark.vectors("mamp")
def test_published_model(vector):
    """Encoder and decoder with published weights: tokens, predictions, loss and its gradients."""
    config = vector.config
    steps, joints = config["frames"] // config["tubelet"], config["joints"]
    names = [str(joint) for joint in range(joints)]
    layout = SkeletonLayout.from_dict({"joints": names, "bones": [[name, "0"] for name in names[1:]]})
    encoder = Transformer(
        layout,
        frames=config["frames"],
        tubelet=config["tubelet"],
        feature_dim=config["width"],
        heads=config["heads"],
        layers=config["depth"],
        mlp_ratio=config["mlp_ratio"],
    )
    decoder = TokenDecoder(
        joints,
        steps,
        config["width"],
        3 * config["tubelet"],
        width=config["decoder_width"],
        heads=config["heads"],
        layers=config["decoder_depth"],
        mlp_ratio=config["mlp_ratio"],
    )
    state = {name: torch.from_numpy(value) for name, value in vector.group("state.").items()}
    encoder.load_state_dict(Transformer.rename_published(state))
    decoder.load_state_dict(of_decoder(state))
    restore = torch.from_numpy(vector["out.ids_restore"])
    keep = restore.argsort(1)[:, : config["keep"]]
    clips = torch.from_numpy(vector["in.x"])
    latent = encoder.encode(encoder.embed(clips), keep)
    prediction = decoder(latent, keep, steps)
    close(latent, vector["out.latent"])
    close(prediction, vector["out.pred"])

    bodies, stride = clips.movedim(4, 1).flatten(0, 1), config["motion_stride"]  # (B, C, T, V)
    if config["target"] == "motion":
        bodies = functional.pad(bodies[:, :, stride:] - bodies[:, :, :-stride], (0, 0, 0, stride))
    target = bodies.unflatten(2, (steps, -1)).permute(0, 2, 4, 3, 1).flatten(3).flatten(1, 2)
    if config["normalised"]:
        target = (target - target.mean(2, keepdim=True)) / (target.var(2, keepdim=True) + 1e-6).sqrt()
    mask = torch.from_numpy(vector["out.mask"])
    loss = ((prediction - target).square().mean(2) * mask).sum() / mask.sum()
    close(loss, vector["out.loss"])
    gradients = {name: torch.from_numpy(value) for name, value in vector.group("grad.").items()}
    if not gradients:
        return
    loss.backward()
    expected = Transformer.rename_published(gradients)
    for name, parameter in encoder.named_parameters():
        close(parameter.grad, expected.pop(name))
    assert not expected
    expected = of_decoder(gradients)
    for name, parameter in decoder.named_parameters():
        close(parameter.grad, expected.pop(name))
    assert not expected


def of_decoder(state):
    """Published weights of the decoder under our names."""
    names = {
        "mask_token": "mask_token",
        "decoder_pos_embed": "joint_position",
        "decoder_temp_embed": "time_position",
    }
    found = {}
    for name, value in state.items():
        if name in names:
            found[names[name]] = value.reshape(-1, value.shape[-1])
        elif name.startswith("decoder_"):
            ours = (
                name.removeprefix("decoder_").replace("embed.", "embedding.").replace("pred.", "prediction.")
            )
            found[ours] = value
    found["mask_token"] = found["mask_token"][0]
    return found


def close(ours, theirs):
    expected = torch.as_tensor(theirs)
    torch.testing.assert_close(ours.detach(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_queries_in_plain_operations():
    decoder = small(attention="cross", layers=1, patch=2).double()
    features, keep = seen()
    (block,) = decoder.blocks
    context = decoder.embedding(features.double())
    k, v = block.key_value(context).chunk(2, -1)
    position = decoder.time_position[:, None] + decoder.joint_position  # (2, V, D)
    x = (decoder.mask_token + position).flatten(0, 1).expand(2, -1, -1)
    q = block.query(block.norm1(x))
    heads = []
    for part in (slice(4), slice(4, 8)):
        attention = torch.softmax(q[..., part] @ k[..., part].mT / 2, -1)
        heads.append(attention @ v[..., part])
    x = x + block.proj(torch.cat(heads, -1))
    x = x + block.mlp(block.norm2(x))
    numbers = decoder.prediction(decoder.norm(x)).view(2, 2, 3, 2, 5)  # rows, joints, tokens of a patch
    found = decoder(features.double(), keep, 4).view(2, 4, 3, 5)
    for step in range(4):
        torch.testing.assert_close(found[:, step], numbers[:, step // 2, :, step % 2])


@settings(max_examples=10)
@given(st.sampled_from(KINDS), st.permutations(range(4)))
def test_order_of_seen_tokens_does_not_matter(options, order):
    decoder, (features, keep) = small(**options), seen()
    torch.testing.assert_close(
        decoder(features[:, order], keep[:, order], 4), decoder(features, keep, 4), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("options", KINDS)
def test_gradient_reaches_every_parameter(options):
    decoder, (features, keep) = small(**options), seen()
    features.requires_grad_()
    decoder(features, keep, 4).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in (features, *decoder.parameters()))


@pytest.mark.parametrize("options", KINDS)
def test_computes_in_bfloat16(options):
    decoder, (features, keep) = small(**options), seen()
    with torch.autocast("cpu", torch.bfloat16):
        decoder(features, keep, 4).float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in decoder.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("options", KINDS)
def test_compiles_without_graph_breaks(options):
    decoder, (features, keep) = small(**options), seen()
    compiled = torch.compile(decoder, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(features, keep, 4), decoder(features, keep, 4))
