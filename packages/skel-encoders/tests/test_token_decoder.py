import pytest
import torch
from attrs import evolve
from torch.testing import assert_close

from skel_data import get_layout
from skel_encoders import TokenDecoder, Transformer


def small(**settings):
    torch.manual_seed(0)
    given = {"width": 8, "layers": 1, "heads": 2} | settings
    return TokenDecoder(5, 3, 6, 4, **given)


def kept(count=2, keep=4, tokens=15):
    torch.manual_seed(1)
    return torch.randn(count, keep, 6), torch.rand(count, tokens).argsort(1)[:, :keep]


@pytest.mark.parametrize("attention", ["self", "cross"])
def test_shapes(attention):
    tokens, keep = kept()
    decoder = small(attention=attention)
    assert decoder(tokens, keep).shape == (2, 15, 4)
    tokens, keep = kept(tokens=10)
    assert decoder(tokens, keep, 2).shape == (2, 10, 4)
    assert decoder(tokens[:0], keep[:0]).shape == (0, 15, 4)


def test_errors():
    for settings, message in (
        ({"attention": "both"}, "attention must be self or cross, got 'both'"),
        ({"heads": 3}, "width must be a multiple of heads, and layers 1 or more, got 8, 3, 1"),
        ({"layers": 0}, "got 8, 2, 0"),
    ):
        with pytest.raises(ValueError, match=message):
            small(**settings)
    tokens, keep = kept()
    with pytest.raises(ValueError, match="do not fit"):
        small()(tokens, keep[:, :3])


def published(name):
    """Our name of a weight of MAMP's decoder."""
    name = name.removeprefix("decoder_")
    for theirs, ours in (("embed.", "embedding."), ("pred.", "head.")):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return {"pos_embed": "joint_position", "temp_embed": "time_position"}.get(name, name)


@pytest.mark.vectors("mamp")
def test_published_models(vector):
    """Latent tokens, predictions, loss and all gradients of whole models."""
    config = vector.config
    layout = get_layout("ntu-25" if config["joints"] == 25 else "coco-17")
    layout = evolve(layout, dims=3, confidence=False)
    encoder = Transformer(
        layout,
        frames=config["frames"],
        feature_dim=config["width"],
        heads=config["heads"],
        layers=config["depth"],
        mlp_ratio=config["mlp_ratio"],
    )
    decoder = TokenDecoder(
        config["joints"],
        config["frames"] // 4,
        config["width"],
        12,
        width=config["decoder_width"],
        layers=config["decoder_depth"],
        heads=config["heads"],
        mlp_ratio=config["mlp_ratio"],
    )
    state = {key: torch.from_numpy(value) for key, value in vector.group("state.").items()}
    encoder.load_state_dict(Transformer.rename_published(state))
    theirs = {key: value for key, value in state.items() if key.startswith(("decoder_", "mask_token"))}
    shapes = {key: value.shape for key, value in decoder.state_dict().items()}
    decoder.load_state_dict({published(k): v.reshape(shapes[published(k)]) for k, v in theirs.items()})

    x = torch.from_numpy(vector["in.x"])
    keep = torch.from_numpy(vector["out.ids_restore"]).argsort(1)[:, : config["keep"]]
    latent = encoder.encode(encoder.embed(x), keep)
    prediction = decoder(latent, keep)
    assert_close(latent, torch.from_numpy(vector["out.latent"]), rtol=1e-5, atol=1e-5)
    assert_close(prediction, torch.from_numpy(vector["out.pred"]), rtol=1e-5, atol=1e-5)

    bodies = x.permute(0, 4, 2, 3, 1).flatten(0, 1)  # (B, T, V, C)
    target = bodies
    if config["target"] == "motion":
        stride = config["motion_stride"]
        target = torch.zeros_like(bodies)
        target[:, :-stride] = bodies[:, stride:] - bodies[:, :-stride]
    target = target.unflatten(1, (-1, 4)).transpose(2, 3).reshape(prediction.shape)
    if config["normalised"]:
        target = (target - target.mean(2, keepdim=True)) / (target.var(2, keepdim=True) + 1e-6).sqrt()
    mask = torch.from_numpy(vector["out.mask"])
    loss = ((prediction - target).square().mean(2) * mask).sum() / mask.sum()
    assert_close(loss, torch.from_numpy(vector["out.loss"]), rtol=1e-5, atol=1e-5)
    gradients = {key: torch.from_numpy(value) for key, value in vector.group("grad.").items()}
    if not gradients:
        return
    loss.backward()
    expected = Transformer.rename_published(gradients)
    decoded = {published(k): v for k, v in gradients.items() if k.startswith(("decoder_", "mask_token"))}
    for module, wanted in ((encoder, expected), (decoder, decoded)):
        found = {name: weight.grad for name, weight in module.named_parameters()}
        assert set(found) == set(wanted)
        for name, grad in found.items():
            wants = wanted[name].reshape(grad.shape)
            assert_close(grad, wants, rtol=0, atol=1e-5 * float(wants.abs().max().clamp(min=1e-3)))


@pytest.mark.parametrize("attention", ["self", "cross"])
def test_order_of_kept_tokens_does_not_matter(attention):
    tokens, keep = kept()
    decoder = small(attention=attention).double()
    tokens = tokens.double()
    assert_close(decoder(tokens, keep), decoder(tokens.flip(1), keep.flip(1)))


def test_queries_do_not_see_each_other():
    tokens, keep = kept()
    decoder = small(attention="cross").double()
    before = decoder(tokens.double(), keep)
    with torch.no_grad():
        decoder.joint_position[4] += 1
    after = decoder(tokens.double(), torch.where(keep % 5 == 4, keep - 1, keep))
    assert after.shape == before.shape
    unaffected = [token for token in range(15) if token % 5 != 4]
    with torch.no_grad():
        decoder.joint_position[4] += 1
    again = decoder(tokens.double(), torch.where(keep % 5 == 4, keep - 1, keep))
    assert_close(after[:, unaffected], again[:, unaffected], rtol=0, atol=0)
    assert not torch.equal(after, again)


@pytest.mark.parametrize("attention", ["self", "cross"])
def test_gradients_and_compile(attention):
    tokens, keep = kept()
    decoder = small(attention=attention)
    decoder(tokens, keep).square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in decoder.parameters())
    compiled = torch.compile(decoder, fullgraph=True, backend="eager")
    assert_close(compiled(tokens, keep), decoder(tokens, keep))
