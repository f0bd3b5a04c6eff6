"""CRRL: the published program's numbers in both steps, and the second step from a finished run."""

import pytest
import torch

from skel_data import ClipShape, SkeletonLayout, get_layout
from skel_encoders import GRU, reverse_time
from skel_recipes import MethodContext, Run, load_recipe, pretrain
from skel_recipes.cli import main
from skel_recipes.methods.crrl import CRRLSettings, MotionContrastSettings
from skel_recipes.train.optim import Optimization


def published(config, settings):
    """A method around the published encoder, on clips of one body that is a chain of joints."""
    names = [str(joint) for joint in range(config.get("output_size", config["input_size"]) // 3)]
    layout = SkeletonLayout.from_dict({"joints": names, "bones": list(zip(names[1:], names, strict=False))})
    encoder = GRU(
        layout,
        bodies=1,
        hidden_dim=8,
        layers=config["layers"],
        direction="bidirectional",
        input_norm=False,
        pooling="mean",
        packed=True,
    )
    return settings.build(encoder, MethodContext(ClipShape(layout, 14, 1), "joint", 40))


def as_clips(sequences):
    """Clips (N, 3, T, V, 1) of published sequences (N, T, V C)."""
    return torch.from_numpy(sequences).unflatten(2, (-1, 3)).permute(0, 3, 1, 2)[..., None]


def tensors(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def encoder_weights(arrays):
    return GRU.rename_published(
        {f"encoder.{name}": x for name, x in tensors(arrays).items() if "gru" in name}
    )


def decoder_weights(arrays):
    """Published weights of the decoder, or their gradients, under our names."""
    ours = {}
    for name, value in tensors(arrays).items():
        weight, layer = name.removeprefix("gru.").rsplit("_l", 1)
        ours[f"blocks.{layer}.{weight}"] = value
    return ours


def head_weights(arrays, prefix):
    return {name.removeprefix(prefix): x for name, x in tensors(arrays).items() if name.startswith(prefix)}


@pytest.fixture
def agree():
    """Results agree with golden ones to 1e-5 of the largest entry."""

    def check(pairs):
        for ours, theirs in pairs:
            expected = torch.as_tensor(theirs)
            atol = 1e-5 * float(expected.abs().max())
            torch.testing.assert_close(ours.detach(), expected, rtol=0, atol=atol)

    return check


def gradients(module, expected):
    return [(module.get_parameter(name).grad, value) for name, value in expected.items()]


@pytest.mark.vectors("crrl.moco")
def test_published_contrast(vector, agree):
    """The whole step: lengths, velocity, moving averages, logits, loss, gradients and queue."""
    config = vector.config
    kind = {"own": "own", "moving average": "average"}[config["key_projector"]]
    settings = MotionContrastSettings(
        queue_size=config["queue_size"],
        temperature=config["temperature"],
        momentum=config["momentum"],
        projection_dim=2 * config["hidden"],
        key_projector=kind,
    )
    method = published(config, settings)
    query, key = (vector.group(f"state.encoder_fc_{one}.") for one in "qk")
    method.encoder.load_state_dict(encoder_weights(query))
    method.teacher.module.load_state_dict(encoder_weights(key))
    method.projector.load_state_dict(head_weights(query, "fc."))
    method.teacher_projector.module.load_state_dict(head_weights(key, "fc."))
    method.queue.keys.copy_(torch.from_numpy(vector["state.queue"]).T)
    method.queue.position.fill_(config["pointer"])
    clips = as_clips(vector["in.x"]).requires_grad_()
    losses = method(clips, epoch=0)
    losses["loss"].backward()
    agree([(losses["loss"], vector["out.loss"]), (method.queue.keys.T, vector["out.queue_after"])])
    assert int(method.queue.position) == int(vector["out.pointer_after"][0])
    expected = vector.group("grad.encoder_fc_q.")
    agree(gradients(method.encoder, encoder_weights(expected)))
    agree(gradients(method.projector, head_weights(expected, "fc.")))
    agree([(clips.grad, as_clips(vector["grad.x"]))])
    after = vector.group("key_after.encoder_fc_k.")
    moved = method.teacher.module.state_dict()
    agree((moved[name], value) for name, value in encoder_weights(after).items())
    moved = method.teacher_projector.module.state_dict()
    agree((moved[name], value) for name, value in head_weights(after, "fc.").items())


@pytest.mark.vectors("crrl.decoder")
def test_published_decoder(vector, agree):
    config = vector.config
    method = published({**config, "layers": 1}, CRRLSettings(distillation=0, decoder_dropout=0))
    method.decoder.load_state_dict(decoder_weights(vector.group("state.")))
    hidden = torch.from_numpy(vector["in.hidden"]).requires_grad_()
    target, reverse, lengths = (
        torch.from_numpy(vector[f"in.{name}"]) for name in ("x", "reversed", "lengths")
    )
    losses = method.reconstruction(hidden.transpose(0, 1), target.transpose(0, 1), lengths)
    (losses["forward"] + losses["reverse"]).backward()
    agree((losses[name], vector[f"out.loss_{name}"]) for name in ("forward", "reverse"))
    agree([(hidden.grad, vector["grad.hidden"])])
    agree(gradients(method.decoder, decoder_weights(vector.group("grad.gru."))))
    shown = torch.arange(14)[:, None] < lengths[:, None, None]
    starts = hidden[:, 0], hidden[torch.arange(4), lengths - 1]
    for name, start in zip(("forward", "reverse"), starts, strict=True):
        agree([(method.decoder(start, 14) * shown, vector[f"out.{name}"])])
    agree([(reverse_time(target.transpose(0, 1), lengths).transpose(0, 1), reverse)])


@pytest.mark.vectors("crrl.distil")
def test_published_distillation(vector, agree):
    config = vector.config
    method = published({"input_size": 15, "layers": 1}, CRRLSettings())
    method.mapper.load_state_dict(head_weights(vector.group("state."), "classifier_."))
    student = torch.from_numpy(vector["in.student"]).requires_grad_()
    teacher = torch.from_numpy(vector["in.teacher"])
    pooled, taught = (method.encoder.pool(x[:, None, :, None]) for x in (student, teacher))
    loss = method.distillation(pooled, taught)
    loss.backward()
    agree([(pooled, vector["out.pooled_student"]), (taught, vector["out.pooled_teacher"])])
    agree([(method.mapper(pooled), vector["out.mapped"]), (loss, vector["out.loss"])])
    agree([(config["weight"] * loss, vector["out.weighted"])])
    assert method.settings.distillation == config["weight"]
    agree(gradients(method.mapper, head_weights(vector.group("grad."), "classifier_.")))
    shown = torch.arange(14)[:, None] < torch.from_numpy(vector["in.lengths"])[:, None, None]
    agree([(student.grad * shown, vector["grad.student"])])


@pytest.mark.vectors("crrl.fusion")
def test_published_second_step(vector, agree):
    method = published(vector.config, CRRLSettings(decoder_dropout=0))
    state, grad = vector.group("state."), vector.group("grad.")

    def part(arrays, name):
        return {key.removeprefix(f"{name}."): x for key, x in arrays.items() if key.startswith(f"{name}.")}

    method.encoder.load_state_dict(encoder_weights(part(state, "student")))
    method.teacher.module.load_state_dict(encoder_weights(part(state, "teacher")))
    method.decoder.load_state_dict(decoder_weights(part(state, "decoder")))
    method.mapper.load_state_dict(head_weights(part(state, "mlp"), "classifier_."))
    clips = as_clips(vector["in.x"])
    losses = method(clips, epoch=0)
    losses["loss"].backward()
    names = {"loss": "loss", "forward": "loss_forward", "reverse": "loss_reverse"}
    names["distillation"] = "loss_distil"
    agree((losses[ours], vector[f"out.{theirs}"]) for ours, theirs in names.items())
    for encoder, name in ((method.encoder, "student"), (method.teacher.module, "teacher")):
        agree([(encoder.forward_features(clips)[:, 0, :, 0], vector[f"out.hidden_{name}"])])
    agree(gradients(method.encoder, encoder_weights(part(grad, "student"))))
    agree(gradients(method.decoder, decoder_weights(part(grad, "decoder"))))
    agree(gradients(method.mapper, head_weights(part(grad, "mlp"), "classifier_.")))
    assert all(weight.grad is None for weight in method.teacher.parameters())


def test_learning_rate_of_the_published_recipe_is_halved_twice():
    method = torch.nn.Module()
    method.encoder = torch.nn.Linear(2, 2)
    optim = Optimization(method, ("joint",), load_recipe("paper/crrl-motion").optim, 60, 1)
    rates = [optim.begin(epoch, 0) for epoch in range(60)]
    assert rates == [0.05] * 19 + [0.025] * 32 + [0.0125] * 9


@pytest.mark.parametrize(
    "recipe", ["paper/crrl-motion-ntu60-xsub-joint", "paper/crrl-motion-cmu-listed-joint"]
)
def test_published_cells(recipe):
    first, second = load_recipe(recipe), load_recipe(recipe.replace("-motion", ""))
    assert (first.encoder, first.data, first.optim) == (second.encoder, second.data, second.optim)
    assert first.method == MotionContrastSettings()
    assert second.method == CRRLSettings()


def test_second_step_learns_from_a_finished_run(store, tiny, tmp_path, capsys):
    first = pretrain(tiny("crrl-motion", train__epochs=1), store, tmp_path / "motion")
    words = ["--train.epochs", "1", "--train.batch_size", "8", "--out", str(tmp_path / "run")]
    status = main(["pretrain", "crrl", str(store.path), "--init", str(first.path), *words])
    said = capsys.readouterr().err
    assert status == 0, said
    assert f"taken from {first.path}: encoder, data.pipeline" in said
    run = Run.open(tmp_path / "run")
    assert run.recipe.encoder == first.recipe.encoder
    assert {"loss", "forward", "reverse", "distillation"} <= run.metrics()[0].keys()
    method = torch.load(run.path / "checkpoint.pt", weights_only=True)["method"]
    for name, weight in first.encoder().state_dict().items():
        assert torch.equal(method[f"teacher.module.{name}"], weight)
        if name.startswith("blocks."):
            assert not torch.equal(run.encoder().state_dict()[name], weight)


def test_second_step_needs_a_run_with_a_gru(store, tiny, tmp_path, run):
    with pytest.raises(ValueError, match="method crrl learns from the encoder of a finished run"):
        pretrain(tiny("crrl"), store, tmp_path / "run")
    words = ["--init", str(run.path), "--out", str(tmp_path / "run")]
    assert main(["pretrain", "crrl", str(store.path), *words]) == 1
    assert not (tmp_path / "run").exists()
    alone = pretrain(tiny("crrl", method__distillation=0.0, train__epochs=1), store, tmp_path / "run")
    assert alone.metrics()[0].keys() >= {"forward", "reverse"}
    assert "distillation" not in alone.metrics()[0]


@pytest.mark.parametrize(
    ("name", "settings"), [("crrl-motion", MotionContrastSettings), ("crrl", CRRLSettings)]
)
def test_other_encoders_are_refused(name, settings):
    context = MethodContext(ClipShape(get_layout("utd-20"), 14, 1), "joint", 40)
    with pytest.raises(ValueError, match=f"method {name} needs encoder gru, got Identity"):
        settings().build(torch.nn.Identity(), context)


def test_dropout_of_the_teacher_acts_only_when_asked():
    config = {"input_size": 15, "layers": 2}
    clips = torch.randn(4, 3, 14, 5, 1)
    for drops in (False, True):
        method = published(config, CRRLSettings(teacher_dropout=drops))
        method.teacher.module.drop.p = 0.5
        method.train()(clips, epoch=0)
        said = [method.teacher(clips) for _ in range(2)]
        assert torch.equal(*said) != drops


def test_absent_bodies_change_no_loss():
    layout, frames = get_layout("utd-20"), 6
    encoder = GRU(layout, bodies=2, hidden_dim=4)
    settings = CRRLSettings(distillation=0, decoder_dropout=0)
    method = settings.build(encoder, MethodContext(ClipShape(layout, frames, 2), "joint", 40))
    torch.manual_seed(0)
    clips = torch.randn(frames, 3, 20 * 3, 2)
    clips[:, 0, :, 1] = 0
    told = torch.randn(3, frames, 20 * 3, 2)
    losses = []
    for change in (0, 5):
        told[0, ..., 1] += change
        method.decoder = Told(told.flatten(2))
        losses.append(method.reconstruction(torch.zeros(frames, 3, 8), clips.flatten(2), None))
    assert losses[0] == losses[1]
    expected = (told - clips.transpose(0, 1))[0, ..., 0].square().sum(1).mean()
    expected += (told - clips.transpose(0, 1))[1:].square().sum((2, 3)).mean(1).sum()
    torch.testing.assert_close(losses[0]["forward"], expected / 3)


class Told(torch.nn.Module):
    """A decoder that says the same of every start."""

    def __init__(self, sequences):
        super().__init__()
        self.sequences = sequences

    def forward(self, start, frames):  # noqa: ARG002
        return self.sequences
