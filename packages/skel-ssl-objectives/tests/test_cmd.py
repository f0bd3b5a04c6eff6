import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from skel_ssl_objectives import Queue, cmd, contrast, info_nce, neighbor_distillation

STREAMS = ("joint", "motion", "bone")


def unit(*shape, seed=0):
    torch.manual_seed(seed)
    return [functional.normalize(torch.randn(shape).double(), dim=1) for _ in STREAMS]


def test_shapes():
    losses = cmd(unit(4, 8), unit(4, 8, seed=1), unit(16, 8, seed=2), k=5)
    assert [loss.shape for loss in losses] == [()] * 3


def test_errors():
    q, keys, queues = unit(4, 8), unit(4, 8, seed=1), unit(16, 8, seed=2)
    with pytest.raises(ValueError, match="two streams or more, got 1, 1, 1"):
        cmd(q[:1], keys[:1], queues[:1])
    with pytest.raises(ValueError, match="got 3, 2, 3"):
        cmd(q, keys[:2], queues)
    with pytest.raises(ValueError, match="k from 1 to the queue's size 16, got 17"):
        cmd(q, keys, queues, k=17)
    with pytest.raises(ValueError, match=r"\(4, 8\), \(4, 7\)"):
        neighbor_distillation(torch.zeros(4, 8), torch.zeros(4, 7), k=2)
    with pytest.raises(ValueError, match="temperatures must be positive, got 0, 0.05"):
        neighbor_distillation(torch.zeros(4, 8), torch.zeros(4, 8), k=2, student_temperature=0)


@pytest.mark.vectors("pcm3")
def test_published_numbers_of_pcm3(vector, agree):
    """Four InfoNCE, and the distillation of the whole queue from the plain and the mixed key."""
    config, names = vector.config, ("q", "q_masked", "q_predicted", "q_mixed")
    queries = [torch.from_numpy(vector[f"in.{name}"]).requires_grad_() for name in names]
    key = functional.normalize(torch.from_numpy(vector["in.k"]), dim=1)
    queue = torch.from_numpy(vector["in.queue"]).T
    mixed = key.lerp(key[torch.from_numpy(vector["in.partner"])], config["share"])
    contrasts, distillations = {}, {}
    for name, query in zip(names, queries, strict=True):
        short, own = name.removeprefix("q_"), mixed if name == "q_mixed" else key
        contrasts[short] = info_nce(contrast(query, own, queue, temperature=config["temperature"]))
        distillations[short] = neighbor_distillation(
            contrast(query, query, queue, temperature=1.0)[:, 1:],
            contrast(own, own, queue, temperature=1.0)[:, 1:],
            k=len(queue),
            student_temperature=config["student_temperature"],
            teacher_temperature=config["teacher_temperature"],
        )
    agree((loss, vector[f"out.nce_{name}"]) for name, loss in contrasts.items())
    agree((loss, vector[f"out.kl_{name}"]) for name, loss in distillations.items())
    loss = sum(contrasts.values()) + sum(distillations.values())
    agree([(sum(distillations.values()), vector["out.kl"]), (loss, vector["out.loss"])])
    grads = torch.autograd.grad(loss, queries)
    agree((grad, vector[f"grad.{name}"]) for name, grad in zip(names, grads, strict=True))


@pytest.mark.vectors("cmd")
def test_published_numbers(vector, agree):
    config, gradients = vector.config, vector.group("grad.")

    def read(kind):
        return [torch.from_numpy(vector[f"in.{kind}_{stream}"]) for stream in STREAMS]

    queries, keys, queues = [q.requires_grad_() for q in read("q")], read("k"), [q.T for q in read("queue")]
    options = {
        "k": config["topk"],
        "student_temperature": config["student_temperature"],
        "teacher_temperature": config["teacher_temperature"],
    }
    for a, teacher in enumerate(STREAMS):
        for b, student in enumerate(STREAMS):
            if a != b:
                found = contrast(queries[b], keys[b], queues[b], temperature=1)[:, 1:]
                wanted = contrast(keys[a], keys[a], queues[a], temperature=1)[:, 1:]
                term = neighbor_distillation(found, wanted, **options)
                agree([(term, vector[f"out.kl_{teacher}_to_{student}"])])
    distil = sum(cmd(queries, keys, queues, **options))
    contrasts = [
        info_nce(contrast(*each, temperature=config["temperature"]))
        for each in zip(queries, keys, queues, strict=True)
    ]
    agree((loss, vector[f"out.nce_{stream}"]) for loss, stream in zip(contrasts, STREAMS, strict=True))
    total = sum(contrasts) + config["weight"] * distil
    agree([(distil, vector["out.distil"]), (total, vector["out.loss"])])
    for name, loss in (("distil", distil), ("total", total)):
        grads = torch.autograd.grad(loss, queries, retain_graph=True)
        agree((grad, gradients[f"{name}.q_{s}"]) for grad, s in zip(grads, STREAMS, strict=True))
    for stream, key, before in zip(STREAMS, keys, queues, strict=True):
        queue = Queue(*before.shape).double()
        queue.keys.copy_(before)
        queue.push(key)
        agree([(queue.keys, vector[f"out.queue_after_{stream}"].T)])


@settings(max_examples=20)
@given(st.integers(1, 16), st.integers(0, 20))
def test_of_a_stream_with_itself_it_is_nothing(k, seed):
    x = torch.randn(4, 16, generator=torch.Generator().manual_seed(seed)).double()
    equal = neighbor_distillation(2 * x, x, k=k)  # twice the temperature
    torch.testing.assert_close(equal, torch.zeros_like(equal), atol=1e-12, rtol=0)
    assert neighbor_distillation(x.flip(1), x, k=k) >= -1e-12


def test_gradient():
    queries = [q.requires_grad_() for q in unit(3, 5)]
    keys, queues = [k.requires_grad_() for k in unit(3, 5, seed=1)], unit(9, 5, seed=2)
    assert torch.autograd.gradcheck(lambda *q: sum(cmd(q, keys, queues, k=4)), queries)
    sum(cmd(queries, keys, queues, k=4)).backward()
    assert all(key.grad is None for key in keys)


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    def total(*tensors):
        return sum(cmd(tensors[:3], tensors[3:6], tensors[6:], k=5))

    tensors = [x.float() for x in (*unit(4, 8), *unit(4, 8, seed=1), *unit(16, 8, seed=2))]
    compiles(total, *tensors)
    same_under_autocast(total, *tensors)
