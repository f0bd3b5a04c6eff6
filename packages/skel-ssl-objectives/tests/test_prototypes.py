import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from skel_ssl_objectives import (
    Centre,
    PrototypeHead,
    cosine_schedule,
    koleo,
    patch_loss,
    prototype_loss,
    sinkhorn_knopp,
    slim,
)


def logits(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def read(vector, name):
    return torch.from_numpy(vector[name])


def two_processes(*parts):
    """A gather hook of the first of two processes; `theirs` are the rows of the second, call by call."""
    others = iter(parts)
    return lambda x: torch.cat([x, next(others)])


def test_shapes():
    head = PrototypeHead(6, 8, 4, 10)
    assert head(torch.randn(3, 6)).shape == (3, 10)
    assert len(PrototypeHead(6, 8, 4, 10, layers=1).mlp) == 1
    assert sinkhorn_knopp(logits(5, 10), temperature=0.1).shape == (5, 10)
    assert sinkhorn_knopp(logits(0, 10), temperature=0.1).shape == (0, 10)
    assert prototype_loss(logits(4, 3, 5), logits(4, 3, 5)).shape == (4, 3)
    assert koleo(logits(4, 3)).shape == ()


def test_errors():
    with pytest.raises(ValueError, match="one layer or more and two prototypes or more, got 0 and 10"):
        PrototypeHead(6, 8, 4, 10, layers=0)
    with pytest.raises(ValueError, match="temperature must be positive and iterations 0 or more"):
        sinkhorn_knopp(logits(5, 10), temperature=0)
    with pytest.raises(ValueError, match=r"one shape and a positive temperature, got \(2, 3\), \(2, 4\)"):
        prototype_loss(logits(2, 3), logits(2, 4))
    with pytest.raises(ValueError, match="logits of 1 hidden tokens"):
        patch_loss(logits(2, 3), logits(2, 3), torch.tensor([[True, False]]))
    with pytest.raises(ValueError, match="two clips or more, got 1"):
        koleo(logits(1, 3))
    with pytest.raises(ValueError, match=r"momentum must lie in \[0, 1\], got 1.1"):
        Centre(3, momentum=1.1)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        Centre(3)(logits(2, 3), temperature=0)
    with pytest.raises(ValueError, match="got 5 and 4 rows"):
        slim(
            logits(5, 3), logits(4, 3), logits(4, 3), logits(4, 2), *[logits(0, 3)] * 2, torch.zeros(4, 2) > 0
        )
    for classes, hidden in ((2, 4), (4, 2)):
        with pytest.raises(ValueError, match=f"4 global views, got {classes} and {hidden} rows"):
            slim(*[logits(4, 3)] * 3, logits(classes, 2), *[logits(0, 3)] * 2, torch.zeros(hidden, 2) > 0)


@pytest.mark.vectors("sinkhorn")
def test_published_sinkhorn(vector, agree):
    config, x = vector.config, read(vector, "in.x")
    found = sinkhorn_knopp(x, temperature=config["temperature"], iterations=config["iterations"])
    one = sinkhorn_knopp(x, temperature=config["temperature"], iterations=1)
    agree(
        [(found, vector["out.assignment"]), (found, vector["out.patch"]), (one, vector["out.assignment_1"])]
    )


@pytest.mark.vectors("dino_centre")
def test_published_centre(vector, agree):
    config = vector.config
    centre = Centre(vector["in.first"].shape[1], momentum=config["momentum"]).double()
    first, second = (read(vector, f"in.{name}") for name in ("first", "second"))
    agree([(centre(first, temperature=config["temperature"]), vector["out.first"])])
    centre.update(first)
    agree([(centre(second, temperature=config["temperature"]), vector["out.second"])])
    agree([(centre.mean, vector["out.centre"])])


@pytest.mark.vectors("koleo")
def test_published_koleo(vector, agree):
    x = read(vector, "in.x").requires_grad_()
    loss = koleo(x, epsilon=vector.config["epsilon"])
    loss.backward()
    agree([(loss, vector["out.loss"]), (x.grad, vector["grad.x"])])


@pytest.mark.vectors("patch_loss")
def test_published_patch_loss(vector, agree):
    student, mask = read(vector, "in.student").requires_grad_(), read(vector, "in.mask")
    loss = patch_loss(
        read(vector, "in.teacher")[mask],
        student[mask],
        mask,
        temperature=vector.config["student_temperature"],
    )
    loss.backward()
    agree([(loss, vector["out.loss"]), (student.grad, vector["grad.student"])])


@pytest.mark.vectors("dino_head")
def test_published_head(vector, agree):
    def ours(name):
        return {"last_layer.weight_g": "scale", "last_layer.weight_v": "direction"}.get(name, name)

    config, x = vector.config, read(vector, "in.x").requires_grad_()
    sizes = (config["hidden_dim"], config["bottleneck_dim"], config["prototypes"])
    head = PrototypeHead(x.shape[1], *sizes, layers=config["layers"]).double()
    state = vector.group("state.")
    head.load_state_dict({ours(name): torch.from_numpy(value) for name, value in state.items()})
    y = head(x)
    loss = y.square().mean()
    loss.backward()
    agree([(y, vector["out.y"]), (loss, vector["out.loss"]), (x.grad, vector["grad.x"])])
    weights = dict(head.named_parameters())
    agree((weights[ours(name)].grad, vector[f"grad.{name}"]) for name in state)


@pytest.mark.vectors("slim_schedule")
def test_published_schedules(vector):
    config = vector.config
    per_epoch = config["steps_per_epoch"]
    steps = config["epochs"] * per_epoch
    rate, temperature = config["learning_rate"], config["teacher_temperature"]
    schedules = {
        "learning_rate": (
            *(rate["peak"], rate["end"]),
            {"warmup_steps": rate["warmup_epochs"] * per_epoch, "warmup_start": rate["start"]},
        ),
        "weight_decay": (*(config["weight_decay"][key] for key in ("start", "end")), {}),
        "momentum": (*(config["momentum"][key] for key in ("start", "end")), {}),
        "teacher_temperature": (
            *[temperature["end"]] * 2,
            {
                "warmup_steps": temperature["warmup_epochs"] * per_epoch,
                "warmup_start": temperature["start"],
            },
        ),
    }
    for name, (start, end, warmup) in schedules.items():
        found = [cosine_schedule(step, steps, start, end, **warmup) for step in range(steps)]
        assert found == pytest.approx(vector[f"out.{name}"].tolist(), rel=1e-12, abs=1e-15), name


@pytest.mark.vectors("slim_loss")
def test_published_loss(vector, agree):
    """Targets, the four terms, their sum and its gradients."""
    config, masks = vector.config, read(vector, "in.masks")
    names = ("student_local", "student_global", "cls_global", "student_patch")
    local, whole, classes, patch = (read(vector, f"in.{name}").requires_grad_() for name in names)
    targets, patch_targets = (
        sinkhorn_knopp(read(vector, f"in.teacher_{kind}"), temperature=config["teacher_temperature"])
        for kind in ("global", "patch")
    )
    agree([(targets.roll(config["batch"], 0), vector["out.assigned_other"].astype("float32"))])
    agree([(patch_targets, vector["out.assigned_patch"].astype("float32"))])
    terms = slim(
        *(local, whole, targets, classes, patch, patch_targets, masks),
        temperature=config["student_temperature"],
        koleo_weight=config["koleo_weight"],
        patch_weight=config["patch_weight"],
    )
    agree((terms[name], vector[f"out.{name}"]) for name in ("local", "global", "koleo", "patch"))
    total = sum(terms.values())
    total.backward()
    agree([(total, vector["out.total"])])
    agree(
        (x.grad, vector[f"grad.{name}"])
        for name, x in zip(names, (local, whole, classes, patch), strict=True)
    )


@settings(max_examples=20)
@given(st.integers(2, 12), st.integers(2, 9), st.floats(0.001, 1), st.integers(0, 50))
def test_assignments_use_all_prototypes_alike(rows, prototypes, temperature, seed):
    found = sinkhorn_knopp(logits(rows, prototypes, seed=seed), temperature=temperature, iterations=3)
    torch.testing.assert_close(found.sum(1), torch.ones(rows).double())
    many = sinkhorn_knopp(logits(rows, prototypes, seed=seed), temperature=1, iterations=200)
    torch.testing.assert_close(many.sum(0), torch.full((prototypes,), rows / prototypes).double())


def test_without_iterations_it_is_a_softmax():
    x = logits(4, 6)
    torch.testing.assert_close(sinkhorn_knopp(x, temperature=0.5, iterations=0), (x / 0.5).softmax(1))


@pytest.mark.parametrize("here", [0, 2, 5])
def test_processes_share_their_columns(here):
    """Two processes with other numbers of rows, in turn: what each gathers comes from the other."""
    x = logits(7, 6)
    whole = sinkhorn_knopp(x, temperature=0.1)
    parts, scores = [x[:here], x[here:]], [x[:here] / 0.1, x[here:] / 0.1]
    sent = []
    for _ in range(3):  # the second process, by the formula
        sums = [part.exp().sum(0, keepdim=True) for part in scores]
        sent.append(sums[1].log())
        scores = [(part.exp() / (sums[0] + sums[1])).log().log_softmax(1) for part in scores]
    found = sinkhorn_knopp(parts[0], temperature=0.1, gather=two_processes(*sent))
    torch.testing.assert_close(found, whole[:here])


def test_centre_of_processes():
    x = logits(6, 4)
    one, two, still = (Centre(4).double() for _ in range(3))
    one.update(x)
    other = torch.cat([x[4:].sum(0), torch.tensor([2.0])])[None]
    two.update(x[:4], gather=two_processes(other))
    torch.testing.assert_close(one.mean, two.mean)
    still.update(x[:0])
    assert not still.mean.any()


def test_prototypes_are_frozen_with_a_gradient_of_zero():
    head = PrototypeHead(4, 4, 4, 5)
    x = torch.randn(3, 4)
    torch.testing.assert_close(head(x, frozen=True), head(x))
    head(x, frozen=True).square().sum().backward()
    assert not head.scale.grad.any()
    assert not head.direction.grad.any()
    assert head.mlp[0].weight.grad.any()


def test_cosines_of_prototypes():
    head = PrototypeHead(4, 4, 4, 5)
    x = torch.randn(3, 4)
    cosines = functional.cosine_similarity(head.mlp(x)[:, None], head.direction, dim=2)
    torch.testing.assert_close(head(x), cosines)


def test_gradients():
    targets = logits(3, 5).softmax(1)
    student = logits(3, 5, seed=1).requires_grad_()
    hidden = torch.tensor([[True, True, False], [False, False, False], [True, False, False]])
    assert torch.autograd.gradcheck(lambda x: patch_loss(targets, x, hidden), student)
    assert torch.autograd.gradcheck(koleo, logits(4, 3).requires_grad_())


def test_keep_their_precision(same_under_autocast, compiles):
    x, targets = logits(4, 6).float(), logits(4, 6, seed=1).float().softmax(1)
    same_under_autocast(koleo, x)
    same_under_autocast(lambda a: sinkhorn_knopp(a, temperature=0.1), x)
    same_under_autocast(prototype_loss, targets, x)
    compiles(koleo, x)
    compiles(prototype_loss, targets, x)
    compiles(PrototypeHead(6, 8, 4, 10), x)
