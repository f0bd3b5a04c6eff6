import math

import attrs
import numpy as np
import pytest
import torch
from torch import nn

import skel_eval
from skel_eval import SGD, Adam


def naive(train, labels, test, probe):
    """The same training by a data loader's order, `torch.nn`, `torch.optim` and automatic differentiation."""
    generator = torch.Generator().manual_seed(probe.seed)
    classes, dtype = int(labels.max()) + 1, train.dtype
    layer = nn.Linear(train.shape[1], classes, dtype=dtype)
    with torch.no_grad():
        if probe.init == "pytorch":
            for parameter in layer.parameters():
                unit = torch.rand(parameter.shape, generator=generator, dtype=dtype)
                parameter.copy_((2 * unit - 1) / math.sqrt(train.shape[1]))
        else:
            std = probe.init_std if probe.init == "normal" else math.sqrt(2 / (classes + train.shape[1]))
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator, dtype=dtype) * std)
            layer.bias.zero_()
    norm = nn.BatchNorm1d(train.shape[1], affine=False, eps=1e-6, dtype=dtype)
    model = nn.Sequential(norm, layer) if probe.batch_norm else layer
    if isinstance(probe, Adam):
        optimiser = torch.optim.Adam(layer.parameters(), probe.learning_rate, weight_decay=probe.weight_decay)
    else:
        optimiser = torch.optim.SGD(
            layer.parameters(),
            probe.learning_rate,
            probe.momentum,
            weight_decay=probe.weight_decay,
            nesterov=probe.nesterov,
        )
    for epoch in range(probe.epochs):
        order = torch.randperm(len(train), generator=generator)
        starts = range(0, len(train) - (probe.batch_size - 1) * probe.drop_last, probe.batch_size)
        for step, start in enumerate(starts):
            time = epoch + step / len(starts)
            if time < probe.warmup_epochs:
                rate = probe.learning_rate * time / probe.warmup_epochs
            elif probe.schedule == "step":
                rate = probe.learning_rate * probe.gamma ** np.searchsorted(probe.milestones, epoch, "right")
            else:
                done = (time if probe.per_step else epoch) - probe.warmup_epochs
                angle = math.pi * done / (probe.epochs - probe.warmup_epochs)
                low, high = probe.min_learning_rate, probe.learning_rate
                rate = low + (high - low) * 0.5 * (1 + math.cos(angle))
            optimiser.param_groups[0]["lr"] = float(rate)
            rows = order[start : start + probe.batch_size]
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(train[rows]), labels[rows]).backward()
            optimiser.step()
    return model.eval()(test).detach()


STEP = SGD(epochs=6, batch_size=32, learning_rate=0.5, milestones=(3, 5), seed=5)
COSINE = attrs.evolve(STEP, schedule="cosine", milestones=(80,))
ADAM = Adam(epochs=6, batch_size=32, learning_rate=0.05, milestones=(3, 5), seed=5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "probe",
    [
        STEP,
        attrs.evolve(STEP, weight_decay=1e-3, gamma=0.5, momentum=0.0),
        attrs.evolve(STEP, weight_decay=1e-3, nesterov=True, drop_last=True),
        attrs.evolve(STEP, init="xavier", warmup_epochs=2),
        attrs.evolve(STEP, batch_norm=True, init="pytorch"),
        COSINE,
        attrs.evolve(COSINE, per_step=True, warmup_epochs=2, min_learning_rate=0.01, batch_norm=True),
        ADAM,
        attrs.evolve(ADAM, weight_decay=1e-2, schedule="cosine", milestones=(80,), init="xavier"),
    ],
    ids=range(9),
)
def test_numbers_naive_loop(task, probe, dtype):
    train, labels, test, truth, _ = task
    train, test = torch.tensor(train / 100).to(dtype), torch.tensor(test / 100).to(dtype)
    result = skel_eval.linear_probe(train, labels, test, truth, solver=probe)
    expected = naive(train, torch.tensor(labels), test, probe)
    near = {"rtol": 1e-5, "atol": 2e-5} if dtype == torch.float32 else {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(torch.tensor(result.logits), expected, **near)
    torch.testing.assert_close(
        test @ torch.tensor(result.weight).T + torch.tensor(result.bias), expected, **near
    )
    assert result.strength is None


class Heads(nn.Module):
    """A linear layer for each of several encoders; their logits are added or averaged before the loss."""

    def __init__(self, weight, count, *, mean):
        super().__init__()
        self.width, self.mean = weight.shape[1] // count, mean
        self.layers = nn.ModuleList()
        for part in weight.split(self.width, 1):
            layer = nn.Linear(self.width, len(weight), dtype=weight.dtype)
            with torch.no_grad():
                layer.weight.copy_(part)
                layer.bias.zero_()
            self.layers.append(layer)

    def forward(self, x):
        logits = torch.stack(
            [one(part) for one, part in zip(self.layers, x.split(self.width, 1), strict=True)]
        )
        return logits.mean(0) if self.mean else logits.sum(0)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_joint_head_is_a_layer_for_each_encoder_under_one_loss(task, mean, decay):
    train, labels, test, truth, _ = task
    train, test = (torch.tensor(x / 100).double()[:, : 3 * (x.shape[1] // 3)] for x in (train, test))
    target, probe = torch.tensor(labels), attrs.evolve(STEP, mean_logits=mean, weight_decay=decay)
    generator = torch.Generator().manual_seed(probe.seed)
    shape = int(target.max()) + 1, train.shape[1]
    start = torch.randn(shape, generator=generator, dtype=train.dtype) * probe.init_std
    model = Heads(start, 3, mean=mean)
    optimiser = torch.optim.SGD(model.parameters(), 1.0, probe.momentum, weight_decay=decay)
    for epoch in range(probe.epochs):
        rate = probe.learning_rate * probe.gamma ** sum(epoch >= one for one in probe.milestones)
        optimiser.param_groups[0]["lr"] = rate
        for rows in torch.randperm(len(train), generator=generator).split(probe.batch_size):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(train[rows]), target[rows]).backward()
            optimiser.step()
    result = skel_eval.linear_probe(train, labels, test, truth, solver=probe, encoders=3)
    expected = model(test).detach()
    torch.testing.assert_close(torch.tensor(result.logits), expected, rtol=1e-9, atol=1e-9)
    weight, bias = torch.tensor(result.weight), torch.tensor(result.bias)
    torch.testing.assert_close(test @ weight.T + bias, expected, rtol=1e-9, atol=1e-9)


class Frozen(nn.Module):
    """A small convolution over joints and frames with BatchNorm, as encoders have."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.5)

    def forward(self, clips):
        n, c, t, v, m = clips.shape
        x = clips.permute(0, 4, 1, 2, 3).reshape(n * m, c, t, v)
        x = self.dropout(torch.relu(self.norm(self.conv(x))))
        return x.mean((2, 3)).reshape(n, m, -1).mean(1)


@pytest.mark.parametrize("solver", [SGD, Adam])
def test_cached_features_equal_clip_by_clip(solver):
    # the head trained on a frozen network that runs in every step, on every clip again
    torch.manual_seed(0)
    clips, labels = torch.randn(50, 3, 6, 5, 2, dtype=torch.float64), torch.arange(50) % 4
    clips += labels.view(-1, 1, 1, 1, 1) / 4
    encoder = Frozen().double()
    encoder(clips)  # running statistics that are not those of the start
    encoder.eval().requires_grad_(False)
    probe = solver(epochs=20, batch_size=16, learning_rate=0.3, milestones=(15,), seed=3)

    generator = torch.Generator().manual_seed(3)
    head = nn.Linear(8, 4, dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(torch.randn(4, 8, generator=generator, dtype=torch.float64) * probe.init_std)
        head.bias.zero_()
    make = torch.optim.Adam if solver is Adam else torch.optim.SGD
    optimiser = make(head.parameters(), lr=0.3, **({} if solver is Adam else {"momentum": 0.9}))
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [15])
    for _ in range(probe.epochs):
        for rows in torch.randperm(50, generator=generator).split(16):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(head(encoder(clips[rows])), labels[rows])
            loss.backward()
            optimiser.step()
        schedule.step()

    with torch.no_grad():
        features = encoder(clips)
    result = skel_eval.linear_probe(features, labels, features, labels, solver=probe)
    near = {"rtol": 0, "atol": 1e-8}
    torch.testing.assert_close(torch.tensor(result.weight), head.weight.detach(), **near)
    torch.testing.assert_close(torch.tensor(result.bias), head.bias.detach(), **near)
    torch.testing.assert_close(torch.tensor(result.logits), head(features).detach(), **near)
    assert result.weight.dtype == np.float64


def test_defaults_are_the_published_protocol(task):
    train, labels, test, truth, _ = task
    probe = SGD()
    published = (probe.epochs, probe.batch_size, probe.learning_rate, probe.momentum, probe.weight_decay)
    assert published == (100, 128, 3.0, 0.9, 0.0)
    assert (probe.milestones, probe.gamma, probe.init_std) == ((80,), 0.1, 0.02)
    assert Adam().learning_rate == 0.01
    result = skel_eval.linear_probe(train / 100, labels, test / 100, truth, solver=probe)
    again = skel_eval.linear_probe(train / 100, labels, test / 100, truth, solver=probe)
    other = skel_eval.linear_probe(train / 100, labels, test / 100, truth, solver=attrs.evolve(probe, seed=1))
    assert result.accuracy > 0.6
    np.testing.assert_array_equal(result.logits, again.logits)
    assert (result.logits != other.logits).any()


@pytest.mark.parametrize("rows", [3, 32, 33])  # 33: one row is left over and joins the step before
def test_batch_norm_of_few_rows(task, rows):
    train, labels, test, truth, _ = task
    probe = attrs.evolve(STEP, batch_norm=True)
    result = skel_eval.linear_probe(train[:rows], labels[:rows], test, truth, solver=probe)
    assert np.isfinite(result.logits).all()
    with pytest.raises(ValueError, match="batch_norm needs at least 2 labelled train rows, got 1"):
        skel_eval.linear_probe(train[:1], labels[:1], test, truth, solver=probe)


def test_drop_last_keeps_a_first_step(task):
    train, labels, test, truth, _ = task
    probe = attrs.evolve(STEP, batch_size=1000)
    kept = skel_eval.linear_probe(train, labels, test, truth, solver=probe)
    dropped = skel_eval.linear_probe(train, labels, test, truth, solver=attrs.evolve(probe, drop_last=True))
    np.testing.assert_array_equal(kept.logits, dropped.logits)


def test_training_that_diverges_is_an_error(task):
    train_x, train_y, test_x, test_y, _ = task
    solver = SGD(epochs=5, milestones=(), weight_decay=10.0)
    with pytest.raises(ValueError, match="training diverged: after 5 epochs of sgd at learning rate 3"):
        skel_eval.linear_probe(train_x * 1e30, train_y, test_x, test_y, solver=solver)
