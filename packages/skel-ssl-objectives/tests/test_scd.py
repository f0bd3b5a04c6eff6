import pytest
import torch

from skel_ssl_objectives import Clues, contrast, info_nce, scd

DOMAINS = ("temporal", "spatial", "instance")


def clues(*shape, seed=0):
    torch.manual_seed(seed)
    return Clues(*(torch.nn.functional.normalize(torch.randn(shape), dim=1) for _ in DOMAINS))


def test_errors():
    with pytest.raises(ValueError, match="expected query"):
        scd(clues(4, 8), clues(4, 7), clues(16, 8))


@pytest.mark.vectors("scd")
def test_published_numbers(vector, agree):
    def read(key):
        return Clues(*(torch.from_numpy(vector[f"in.{key}_{domain}"]) for domain in DOMAINS))

    queries = Clues(*(query.requires_grad_() for query in read("q")))
    keys, queues = read("k"), Clues(*(queue.T for queue in read("queue")))
    terms = scd(queries, keys, queues, temperature=vector.config["temperature"])
    total = sum(terms.values())
    total.backward()
    agree([(loss, vector[f"out.{name}"]) for name, loss in terms.items()])
    agree([(total, vector["out.total"])])
    gradients = vector.group("grad.")
    agree([(getattr(queries, domain).grad, gradients[f"q_{domain}"]) for domain in DOMAINS])


def test_instance_is_the_anchor():
    queries, keys, negatives = clues(4, 8), clues(4, 8, seed=1), clues(16, 8, seed=2)
    terms = scd(queries, keys, negatives)
    assert set(terms) == {"temporal_instance", "spatial_instance", "instance_temporal", "instance_spatial"}
    expected = info_nce(contrast(queries.spatial, keys.instance, negatives.instance, temperature=0.2))
    torch.testing.assert_close(terms["spatial_instance"], expected)


def test_gradient_reaches_every_query_and_no_key():
    queries, keys, negatives = (Clues(*(x.requires_grad_() for x in clues(n, 8, seed=n))) for n in (4, 5, 16))
    keys = Clues(*(key[:4] for key in keys))
    sum(scd(queries, keys, negatives).values()).backward()
    assert all(query.grad.abs().sum() > 0 for query in queries)
    assert all(negative.grad is None for negative in negatives)


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    def total(*tensors):
        return sum(scd(Clues(*tensors[:3]), Clues(*tensors[3:6]), Clues(*tensors[6:])).values())

    tensors = [*clues(4, 8), *clues(4, 8, seed=1), *clues(16, 8, seed=2)]
    compiles(total, *tensors)
    same_under_autocast(total, *tensors)
