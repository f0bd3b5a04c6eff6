import pytest
import torch

from skel_ssl_objectives import attention_drop


def test_errors():
    with pytest.raises(ValueError, match=r"\(..., T, V, D\), got \(3, 4\)"):
        attention_drop(torch.zeros(3, 4))


@pytest.mark.vectors("eadm")
def test_published_numbers(vector):
    features = torch.from_numpy(vector["in.x"]).permute(0, 2, 3, 1)  # published (B, D, T, V)
    expected = torch.from_numpy(vector["out.y"]).permute(0, 2, 3, 1)
    ours = attention_drop(features, threshold=vector.config["keep_prob"], energy=vector.config["e_lambda"])
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_drops_what_stands_out():
    features = torch.zeros(1, 5, 6, 2)
    features[0, :, 2] = 10.0
    features[0, 0, 4] = 1.0
    dropped = attention_drop(features)
    assert (dropped[0, :, 2] == 0).all()
    assert (dropped[0, 0, 4] > 0).all()


def test_keeps_all_when_nothing_stands_out():
    features = torch.full((2, 3, 4, 5), 7.0)
    assert torch.equal(attention_drop(features), features)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_and_gradient(dtype):
    torch.manual_seed(0)
    features = torch.randn(2, 2, 5, 6, 3, dtype=dtype, requires_grad=True)
    dropped = attention_drop(features)
    assert dropped.dtype == dtype
    dropped.sum().backward()
    assert torch.equal(features.grad != 0, dropped != 0)


def test_two_processes_agree_with_one():
    torch.manual_seed(0)
    features = torch.randn(4, 5, 6, 3, dtype=torch.double)
    seen = []
    for half in features.chunk(2):
        attention_drop(half, gather=lambda kept: seen.append(kept) or kept)
    everyone = torch.cat(seen)
    halves = [attention_drop(half, gather=lambda _: everyone) for half in features.chunk(2)]
    torch.testing.assert_close(torch.cat(halves), attention_drop(features))
    assert not torch.allclose(attention_drop(features[:2]), halves[0])


def test_compiles_without_graph_breaks():
    features = torch.randn(2, 5, 6, 3)
    compiled = torch.compile(attention_drop, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(features), attention_drop(features))
