import attrs
import numpy as np
import pytest
import torch
from torch import nn

import skel_eval
from skel_eval import Finetune, state_digest


class Encoder(nn.Module):
    """Joints and frames to 6 numbers, with BatchNorm and dropout."""

    feature_dim = 6

    def __init__(self, dropout=0.2):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, (3, 1), padding=(1, 0))
        self.norm = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(dropout)

    def forward(self, clips):
        x = clips.permute(0, 4, 1, 2, 3).flatten(0, 1)
        x = self.dropout(torch.relu(self.norm(self.conv(x))))
        return x.mean((2, 3)).unflatten(0, (len(clips), -1)).mean(1)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder()


def clips_of(seed, n=40, classes=3):
    generator = torch.Generator().manual_seed(seed)
    clips = torch.randn(n, 3, 8, 5, 2, generator=generator)
    labels = torch.arange(n) % classes
    clips[torch.arange(n), labels] *= 3  # each class moves along an axis of its own
    return clips, labels


TRAIN, TEST = clips_of(1), clips_of(2)
SHORT = Finetune(epochs=3, batch_size=16, learning_rate=0.05, milestones=(2,))


def run(encoder, settings=SHORT, train=TRAIN, **others):
    return skel_eval.finetune(encoder, *train, *TEST, settings=settings, **others)


def test_smoke(encoder):
    before, modes, random = state_digest(encoder.state_dict()), encoder.training, torch.get_rng_state()
    result = run(encoder, attrs.evolve(SHORT, epochs=30, milestones=(25,)))
    assert result.accuracy > 0.9
    assert result.train_accuracy > 0.9
    assert result.losses[-1] < result.losses[0]
    assert len(result.losses) == 30
    assert result.predictions.shape == (40,)
    assert result.logits.shape == (40, 3)
    # what came in is as it was
    assert state_digest(encoder.state_dict()) == before
    assert encoder.training == modes
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    # what comes out can be used again
    assert state_digest(result.encoder_state) != before
    encoder.load_state_dict(result.encoder_state)
    with torch.no_grad():
        features = encoder.eval()(TEST[0])
    again = features @ torch.tensor(result.weight).T + torch.tensor(result.bias)
    torch.testing.assert_close(again, torch.tensor(result.logits))


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_numbers_naive_loop(mode, optimizer):
    torch.manual_seed(4)
    encoder = Encoder(dropout=0.0).double()
    settings = Finetune(
        epochs=3,
        batch_size=16,
        optimizer=optimizer,
        learning_rate=0.01,
        head_learning_rate=0.05,
        weight_decay=0.01,
        label_smoothing=0.1,
        milestones=(2,),
        mode=mode,
        seed=7,
    )
    result = run(encoder, settings)

    generator = torch.Generator().manual_seed(7)
    head = nn.Linear(6, 3, dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(torch.randn(3, 6, generator=generator, dtype=torch.float64) * 0.01)
        head.bias.zero_()
    torch.randint(2**62, (), generator=generator)
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    groups = [{"params": encoder.parameters(), "lr": 0.01}, {"params": head.parameters(), "lr": 0.05}]
    optimiser = make(groups, weight_decay=0.01, **({"momentum": 0.9} if optimizer == "sgd" else {}))
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2])
    clips, labels = TRAIN
    encoder.train(mode == "train")
    losses = []
    for _ in range(3):
        total = 0.0
        for rows in torch.randperm(40, generator=generator).split(16):
            optimiser.zero_grad()
            scores = head(encoder(clips[rows].double()))
            smooth = 0.9 * nn.functional.one_hot(labels[rows], 3).double() + 0.1 / 3
            loss = -(smooth * scores.log_softmax(1)).sum(1).mean()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        schedule.step()
        losses.append(total / 40)
    with torch.no_grad():
        expected = head(encoder.eval()(TEST[0].double()))
    torch.testing.assert_close(torch.tensor(result.logits), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.losses, losses, rtol=1e-6)
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(result.encoder_state[name], value, rtol=1e-9, atol=1e-9)


def test_reproducible_by_seed(encoder):
    def noise(clips, generator):
        return clips + 0.1 * torch.randn(clips.shape, generator=generator)

    first = run(encoder, augment=noise)
    torch.manual_seed(99)  # dropout does not hang on the state outside
    again, other = run(encoder, augment=noise), run(encoder, attrs.evolve(SHORT, seed=1), augment=noise)
    np.testing.assert_array_equal(first.logits, again.logits)
    assert first.losses == again.losses
    assert (first.logits != other.logits).any()
    assert first.losses != run(encoder).losses


def test_augment_sees_train_clips_alone(encoder):
    seen = []

    def watch(clips, generator):
        seen.append(clips)
        return clips

    run(encoder, augment=watch)
    assert [len(clips) for clips in seen] == [16, 16, 8] * 3
    torch.testing.assert_close(torch.cat(seen[:3]).sum(0), TRAIN[0].sum(0))


def test_eval_mode_keeps_statistics(encoder):
    state = run(encoder, attrs.evolve(SHORT, mode="eval")).encoder_state
    assert torch.equal(state["norm.running_mean"], encoder.norm.running_mean)
    assert not torch.equal(state["conv.weight"], encoder.conv.weight)
    assert not torch.equal(run(encoder).encoder_state["norm.running_mean"], encoder.norm.running_mean)


def test_parameter_groups(encoder):
    def groups(module):
        return [{"params": module.conv.parameters(), "lr": 1e-12}, {"params": [module.norm.weight]}]

    state = run(encoder, parameter_groups=groups).encoder_state
    torch.testing.assert_close(state["conv.weight"], encoder.conv.weight.detach(), rtol=0, atol=1e-9)
    assert (state["norm.weight"] - encoder.norm.weight).abs().max() > 1e-3
    assert torch.equal(state["norm.bias"], encoder.norm.bias)


def test_test_labels_change_nothing_but_the_accuracy(encoder):
    plain = run(encoder)
    blind = skel_eval.finetune(encoder, *TRAIN, TEST[0], -torch.ones(40, dtype=torch.long), settings=SHORT)
    np.testing.assert_array_equal(plain.logits, blind.logits)
    assert np.isnan(blind.accuracy)


def test_few_labels_and_an_absent_class(encoder):
    clips, labels = TRAIN
    hidden = torch.where((torch.arange(40) < 12) & (labels != 1), labels, -1)
    result = run(encoder, train=(clips, hidden))
    part = run(encoder, train=(clips[hidden >= 0], labels[hidden >= 0]))
    np.testing.assert_array_equal(result.logits, part.logits)
    assert (result.logits[:, 1] == -np.inf).all()
    assert np.isfinite(result.logits[:, [0, 2]]).all()


class Flat(nn.Module):
    """BatchNorm over clips alone, which cannot take a single one."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(240)

    def forward(self, clips):
        return self.norm(clips.flatten(1))


@pytest.mark.parametrize(("clips", "sizes"), [(1, [1]), (2, [2]), (17, [17]), (33, [16, 17]), (18, [16, 2])])
def test_a_single_clip_left_over_joins_the_step_before(clips, sizes):
    seen = []

    def watch(x, generator):
        seen.append(len(x))
        return x

    result = run(Flat(), attrs.evolve(SHORT, epochs=1), (TRAIN[0][:clips], TRAIN[1][:clips]), augment=watch)
    assert seen == sizes
    assert np.isfinite(result.losses).all()


def test_drop_last(encoder):
    seen = []
    run(encoder, attrs.evolve(SHORT, epochs=1, drop_last=True), augment=lambda x, _: seen.append(len(x)) or x)
    assert seen == [16, 16]


def test_bfloat16_is_near(encoder):
    exact, rough = run(encoder), run(encoder, attrs.evolve(SHORT, precision="bfloat16"))
    assert rough.logits.dtype == np.float32
    assert (rough.logits != exact.logits).any()
    np.testing.assert_allclose(rough.losses, exact.losses, rtol=0.02)


def test_recurrent_encoder_in_eval_mode():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(30, 4, batch_first=True)

        def forward(self, clips):
            return self.gru(clips.permute(0, 2, 1, 3, 4).flatten(2))[0][:, -1]

    assert np.isfinite(run(Recurrent(), attrs.evolve(SHORT, mode="eval")).losses).all()


def test_numpy_clips(encoder):
    plain = run(encoder)
    arrays = [x.numpy() for x in (*TRAIN, *TEST)]
    np.testing.assert_array_equal(skel_eval.finetune(encoder, *arrays, settings=SHORT).logits, plain.logits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 1}, "batch_size"),
        ({"optimizer": "lamb"}, "optimizer"),
        ({"optimizer": "adam", "momentum": 0.5}, "momentum is not used with optimizer 'adam'"),
        ({"schedule": "constant"}, "schedule"),
        ({"schedule": "cosine", "gamma": 0.5}, "gamma is not used with schedule 'cosine'"),
        ({"warmup_epochs": 80}, "warmup_epochs must be fewer than the 80 epochs"),
        ({"mode": "half"}, "mode"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
    ],
)
def test_settings_errors(change, message):
    with pytest.raises(ValueError, match=message):
        Finetune(**change)


def test_errors(encoder):
    clips, labels = TRAIN
    with pytest.raises(ValueError, match=r"train_y must have shape \(40,\)"):
        run(encoder, train=(clips, labels[:5]))
    with pytest.raises(ValueError, match="train_clips holds values that are not finite"):
        run(encoder, train=(clips / 0, labels))
    with pytest.raises(ValueError, match="no labelled row"):
        run(encoder, train=(clips, labels * 0 - 1))
    with pytest.raises(ValueError, match=r"features \(1, D\), got \(1, 3, 8, 5, 2\)"):
        run(nn.Identity())
    with pytest.raises(ValueError, match="nothing to fine-tune"):
        run(encoder.requires_grad_(False))
    with pytest.raises(TypeError, match="train_clips must be a numpy array"):
        run(encoder, train=([1], labels))


def test_training_that_diverges_is_an_error(encoder):
    clips, labels = torch.randn(12, 3, 4, 5, 1), torch.arange(12) % 3
    settings = Finetune(epochs=4, milestones=(), batch_size=4, learning_rate=1e20)
    with pytest.raises(ValueError, match=r"diverged: the loss of epoch \d is (nan|inf) at learning rate"):
        skel_eval.finetune(encoder, clips, labels, clips, labels, settings=settings)


def test_features_that_are_no_numbers_are_an_error():
    class Broken(nn.Linear):
        def forward(self, x):
            return super().forward(x) * (1 if self.training else torch.nan)

    clips, labels = torch.randn(12, 4), torch.arange(12) % 3
    with pytest.raises(ValueError, match="logits of the test clips of 12 of 12 rows are NaN"):
        skel_eval.finetune(
            Broken(4, 3), clips, labels, clips, labels, settings=Finetune(epochs=1, milestones=())
        )


def test_hidden_layer(encoder):
    """Predictions follow from the encoder, the hidden layer and the linear head that come out."""
    settings = attrs.evolve(SHORT, epochs=20, milestones=(15,), hidden=7, dropout=0.2)
    result = run(encoder, settings)
    assert result.accuracy > 0.8
    assert result.weight.shape == (3, 7)
    encoder.load_state_dict(result.encoder_state)
    hidden = nn.Sequential()
    hidden.add_module("linear", nn.Linear(6, 7))
    hidden.add_module("norm", nn.BatchNorm1d(7))
    hidden.load_state_dict(result.hidden_state)
    with torch.no_grad():
        features = torch.relu(hidden.eval()(encoder.eval()(TEST[0]))).numpy()
    np.testing.assert_allclose(features @ result.weight.T + result.bias, result.logits, rtol=1e-4, atol=1e-5)
    again = run(Encoder(), attrs.evolve(settings, epochs=1, seed=3), train=(TRAIN[0][:1], TRAIN[1][:1]))
    assert np.isfinite(again.logits).all()
    assert not run(encoder).hidden_state


def test_dropout_is_of_training_alone(encoder):
    settings = attrs.evolve(SHORT, epochs=1, learning_rate=1e-12)
    dropped, plain = (run(encoder, attrs.evolve(settings, dropout=share)) for share in (0.9, 0.0))
    assert dropped.losses != plain.losses
    np.testing.assert_allclose(dropped.weight, plain.weight, atol=1e-6)


class WithOrder(nn.Module):
    """The cross-entropy, and a classifier of its own for whether a clip was reversed."""

    def __init__(self, weight=0.0):
        super().__init__()
        self.reversed = nn.Linear(Encoder.feature_dim, 2)
        self.weight = weight

    def forward(self, model, clips, labels, generator):
        loss = nn.functional.cross_entropy(model.head(model.features(clips)), labels)
        if not self.weight:
            return loss
        order = torch.randint(2, (len(clips),), generator=generator)
        seen = torch.where(order.bool().view(-1, 1, 1, 1, 1), clips.flip(2), clips)
        return loss + self.weight * nn.functional.cross_entropy(self.reversed(model.features(seen)), order)


def test_objective_of_ones_own(encoder):
    torch.manual_seed(1)
    same = run(encoder, objective=WithOrder())
    assert np.array_equal(same.logits, run(encoder).logits)
    objective = WithOrder(1.0)
    before = objective.reversed.weight.detach().clone()
    other = run(encoder, objective=objective)
    assert not np.array_equal(other.logits, same.logits)
    assert not torch.equal(objective.reversed.weight, before)
    assert np.array_equal(
        run(encoder, objective=_seeded(1.0)).logits, run(encoder, objective=_seeded(1.0)).logits
    )


def _seeded(weight):
    torch.manual_seed(2)
    return WithOrder(weight)
