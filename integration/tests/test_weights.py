"""Weights from elsewhere: encoder folders in the place of runs, and as the start of a pretraining."""

import json

import numpy as np
import pytest
import torch
from attrs import evolve

from skel_data import convert_store, get_layout, write_store
from skel_data.store._derive import clips_of
from skel_encoders import STGCN, TCN, from_pretrained, save_pretrained
from skel_eval import Finetune
from skel_recipes import (
    EvaluationInputs,
    Run,
    SkeletonFeatures,
    embed,
    evaluate,
    fit,
    load_model,
    pretrain,
    resume,
)
from skel_recipes.cli import main
from skel_recipes.evaluate.inputs import encoder_refs

SIZES = ("--set", "base_channels=4", "feature_dim=16")


def skel(capsys, *words):
    status = main([str(word) for word in words])
    return status, capsys.readouterr()


def published(encoder):
    """An ST-GCN's weights as AimCLR's program names them, in its query network."""
    ours = {
        "spatial.weight": "gcn.conv.weight",
        "spatial_bias": "gcn.conv.bias",
        "spatial_norm": "tcn.0",
        "temporal.": "tcn.2.",
        "temporal_norm": "tcn.3",
        "residual": "residual",
    }
    state = {"A": torch.ones(3, 25, 25), "fc.0.weight": torch.ones(2, 16)}
    for name, value in encoder.state_dict().items():
        if name.startswith("input_norm."):
            state[name.replace("input_norm", "data_bn")] = value
            continue
        _, index, rest = name.split(".", 2)
        if rest == "edge_weight":
            state[f"edge_importance.{index}"] = value
            continue
        if rest == "spatial.weight":
            value = torch.cat(value.chunk(3, 1))
        elif rest == "spatial_bias":
            value = value.flatten()
        part = next(part for part in ours if rest.startswith(part))
        state[f"st_gcn_networks.{index}.{ours[part]}{rest.removeprefix(part)}"] = value
    return {f"encoder_q.{name}": value for name, value in state.items()}


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(1)
    return STGCN(get_layout("ntu-25"), base_channels=4, feature_dim=16).eval()


@pytest.fixture(scope="module")
def folder(encoder, tmp_path_factory):
    """What ``skel convert-checkpoint`` makes of AimCLR's file."""
    place = tmp_path_factory.mktemp("aimclr")
    torch.save(published(encoder), place / "epoch300_model.pt")
    words = ["convert-checkpoint", "stgcn", place / "epoch300_model.pt", place / "aimclr", "--frames", "16"]
    assert main([str(word) for word in (*words, *SIZES)]) == 0
    return place / "aimclr"


def test_a_converted_checkpoint_is_taken_wherever_a_run_is(folder, encoder, store, tmp_path, capsys):
    opened = Run.open(folder)
    assert (opened.streams, opened.shape.frames, opened.shape.bodies) == (("joint",), 16, 2)
    status, output = skel(capsys, "eval", "knn", folder, store.path, "--json")
    assert status == 0, output.err
    result = json.loads(output.out)
    assert (result["model"], result["epochs"]) == ("aimclr", 0)
    assert result["baselines"][0]["model"] == "untrained encoder"
    features = tmp_path / "features.npz"
    assert skel(capsys, "embed", folder, store.path, features)[0] == 0
    with np.load(features) as file, torch.no_grad():
        from skel_recipes.run.clips import clips_of_store

        expected = encoder(torch.from_numpy(np.array(clips_of_store(opened, store))))
        np.testing.assert_allclose(file["features"], expected, rtol=1e-5, atol=1e-6)
    assert SkeletonFeatures(folder).fit([]).transform([store.clip(0)]).shape == (1, 16)


def test_a_converted_checkpoint_has_the_clips_of_a_recipe(encoder, tmp_path, capsys):
    torch.save(published(encoder), tmp_path / "weights.pt")
    words = ["convert-checkpoint", "stgcn", tmp_path / "weights.pt", tmp_path / "made", *SIZES]
    recipe = ["--recipe", "paper/slim-ntu60-xsub-joint"]
    assert skel(capsys, *words, *recipe)[0] == 0
    opened = Run.open(tmp_path / "made")
    assert opened.recipe.data.pipeline.centre_bodies == "spine middle"
    assert (opened.recipe.data.frames, opened.shape.frames) == (64, 64)
    status, output = skel(capsys, *words, *recipe, "--frames", "16")
    assert (status, "--recipe has pipeline and frames" in output.err) == (1, True)


def test_a_tuned_encoder_is_kept(folder, store, tmp_path, capsys):
    kept, words = tmp_path / "tuned", ("--epochs", "2", "--json")
    status, output = skel(capsys, "eval", "finetune", folder, store.path, "--keep", kept, *words)
    assert status == 0, output.err
    result = json.loads(output.out)
    assert "keep" not in result["settings"]
    assert not torch.equal(
        from_pretrained(kept).input_norm.running_mean, from_pretrained(folder).input_norm.running_mean
    )
    with np.load(kept / "head.npz") as head:
        logits = embed(Run.open(kept), store).features @ head["weight"].T + head["bias"]
        assert tuple(head["classes"]) == store.classes
    found = evaluate(Run.open(folder), store, "finetune", settings=_epochs(2)).predictions
    np.testing.assert_allclose(logits[found.clips], found.logits, rtol=1e-4, atol=1e-5)
    status, output = skel(capsys, "eval", "finetune", folder, store.path, "--keep", kept, *words)
    assert (status, "exists already" in output.err) == (1, True)


def _epochs(count):
    from skel_eval import Finetune

    return Finetune(epochs=count)


def test_a_run_that_is_exported_gives_the_same_features(run, store, tmp_path, capsys):
    out = tmp_path / "exported"
    assert skel(capsys, "export", run.path, out)[0] == 0
    exported = Run.open(out)
    assert exported.shape == run.shape
    np.testing.assert_array_equal(embed(exported, store).features, embed(run, store).features)
    assert exported.info["store"]["hash"] == store.hash
    assert evaluate(exported, store, "knn").counts["seen_in_pretraining"] == 0


def test_a_plain_folder_gets_the_default_pipeline(store, tmp_path):
    save_pretrained(TCN(get_layout("ntu-25"), widths=(4,), kernels=(3,), strides=(1,)), tmp_path)
    opened = Run.open(tmp_path)
    assert (opened.pipeline.name, opened.shape.frames, opened.streams) == ("default", 64, ("joint",))
    assert embed(opened, store).features.shape == (len(store), opened.encoder().feature_dim)


def test_folders_that_are_damaged(folder, tmp_path):
    with pytest.raises(ValueError, match="no run and no encoder"):
        Run.open(tmp_path)
    save_pretrained(from_pretrained(folder), tmp_path)
    for text in ("{", "[]", '{"format": "skel-clips", "version": 9, "data": {}}'):
        (tmp_path / "clips.json").write_text(text)
        with pytest.raises(ValueError, match=r"clips\.json"):
            Run.open(tmp_path)
    (tmp_path / "clips.json").write_text('{"format": "skel-clips", "version": 1, "data": {"crops": 1}}')
    with pytest.raises(ValueError, match="unknown key crops"):
        Run.open(tmp_path)


def same(a, b):
    return all(torch.equal(value, b[name]) for name, value in a.items())


def test_pretraining_begins_with_the_weights_of_a_run(run, store, tiny, tmp_path):
    started = pretrain(tiny("compact"), store, tmp_path / "started", init=run)
    assert same(started.initial_encoders()["joint"].state_dict(), run.encoder().state_dict())
    assert started.metrics()[0]["loss"] != run.metrics()[0]["loss"]
    assert same(started.encoder(trained=False).state_dict(), run.encoder(trained=False).state_dict())
    kept = json.loads((started.path / "run.json").read_text())["init"]
    assert (kept["path"], kept["not_loaded"], kept["unused"]) == (str(run.path), [], [])
    for name in ("encoder.safetensors", "checkpoint.pt"):
        (started.path / name).unlink()
    again = resume(started.path)
    assert same(again.encoder().state_dict(), started.encoder().state_dict())


def test_pretraining_begins_with_a_folder(folder, store, tmp_path, capsys):
    words = ["--encoder.name", "stgcn", "--encoder.base_channels", "4", "--encoder.feature_dim", "16"]
    words += [
        "--data.pipeline.frames",
        "16",
        "--train.epochs",
        "1",
        "--train.min_steps",
        "0",
        "--train.batch_size",
        "8",
    ]
    command = ["pretrain", "skeletonclr", store.path, *words, "--init", folder]
    status, output = skel(capsys, *command, "--out", tmp_path / "all")
    assert status == 0, output.err
    assert f"weights of {folder}" in output.err
    status, output = skel(
        capsys, *command, "--out", tmp_path / "few", "--init-layers", "blocks.0", "input_norm"
    )
    assert status == 0, output.err
    assert "stay fresh, in joint.blocks.1" in output.err
    loaded = Run.open(tmp_path / "few").initial_encoders()["joint"].state_dict()
    fresh, given = Run.open(tmp_path / "few").encoder(trained=False), from_pretrained(folder).state_dict()
    for name, value in fresh.state_dict().items():
        expected = given[name] if name.startswith(("blocks.0.", "input_norm.")) else value
        assert torch.equal(loaded[name], expected), name
    status, output = skel(capsys, *command, "--out", tmp_path / "none", "--init-layers", "block.0")
    assert (status, "has no layer block.0; its layers begin with" in output.err) == (1, True)
    assert not (tmp_path / "none").exists()


def test_weights_of_another_size_are_listed(run, store, tiny, tmp_path):
    wider = tiny("compact", encoder__widths=[8, 12], train__epochs=1)
    kept = pretrain(wider, store, tmp_path / "wider", init=run).info["init"]
    assert kept["loaded"]
    assert kept["not_loaded"]
    assert set(kept["loaded"]).isdisjoint(kept["not_loaded"])
    encoder = Run.open(tmp_path / "wider").encoder().state_dict()
    assert {f"joint.{name}" for name in encoder} == {*kept["loaded"], *kept["not_loaded"]}


def test_what_the_first_run_saw_counts_for_those_that_begin_with_its_weights(store, tiny, tmp_path, capsys):
    def seen(run, where=store):
        counts = evaluate(run, where, "knn", split="xsub", device="cpu").counts
        return counts["seen_in_pretraining"], counts["test"]

    def tuned(name, init):
        return pretrain(short, store, tmp_path / name, split="xsub", init=init, device="cpu")

    short = tiny("compact", train__epochs=1)
    first = pretrain(short, store, tmp_path / "first", split="all", device="cpu")
    second = tuned("second", first)
    third = tuned("third", second)
    assert second.info["init"]["store"]["hash"] == store.hash
    assert second.info["init"]["recipe"].items() >= {"name": "compact", "train.epochs": "1"}.items()
    assert "train.seed" not in second.info["init"]["recipe"]
    number, test = seen(first)
    assert (number, seen(second), seen(third)) == (test, (test, test), (test, test))
    assert skel(capsys, "export", third.path, tmp_path / "exported")[0] == 0
    exported = Run.open(tmp_path / "exported")
    assert seen(exported) == seen(tuned("fourth", exported)) == (test, test)
    # in another store they are known by their content
    other = write_store(tmp_path / "other.store", list(clips_of(store))[::-1], store.info, source="b")
    assert other.hash != store.hash
    assert seen(second, other) == (test, test)
    inputs = EvaluationInputs.of(encoder_refs([third]), store, split="xsub", device="cpu")
    assert inputs.pretrained_on_classes(store.classes) == len(store)


def test_what_weights_of_unknown_training_saw_is_unknown(run, folder, store, tiny, tmp_path):
    kept, short = tmp_path / "kept", tiny("compact", train__epochs=1)
    evaluate(run, store, "finetune", settings=_epochs(1), keep=kept, device="cpu")
    tuned = pretrain(short, store, tmp_path / "run", init=Run.open(kept), device="cpu")
    told = tuned.info["init"]
    gone = {
        **told,
        "store": {**run.info["store"], "hash": "0", "path": str(tmp_path / "gone"), "relative": ""},
    }
    untold = {key: told[key] for key in ("path", "digest", "layers", "loaded")}  # by an earlier version
    for init in (told, gone, untold):
        one = evolve(tuned, info={**tuned.info, "init": init})
        inputs = EvaluationInputs.of(encoder_refs([one]), store, device="cpu")
        assert inputs.seen_in_pretraining is None
        assert inputs.pretrained_on_classes(store.classes) is None


def test_other_joints_are_converted_or_refused(run, store, tiny, tmp_path):
    other = convert_store(store, tmp_path / "other.store", get_layout("kinect-20"))
    with pytest.raises(ValueError, match="--convert brings them together"):
        pretrain(tiny("compact"), other, tmp_path / "run", init=run)
    one = write_store(tmp_path / "one.store", clips_of(other, [0]), other.info, source="made")
    with pytest.raises(ValueError, match="split 'all' of .* has 1 training clip"):
        pretrain(tiny("compact"), one, tmp_path / "run", split="all", init=run, convert=True)
    assert not list(run.path.glob(f"converted/*{one.hash[:16]}*"))  # it is refused before it is converted
    converted = pretrain(tiny("compact", train__epochs=1), other, tmp_path / "run", init=run, convert=True)
    assert converted.layout == run.layout
    assert converted.info["init"]["not_loaded"] == []


def test_weights_that_do_not_fit(run, store, tiny, tmp_path):
    with pytest.raises(ValueError, match="an encoder TCN, the recipe one of STGCN"):
        pretrain(tiny("skeletonclr"), store, tmp_path / "run", init=run)
    with pytest.raises(ValueError, match="no encoder of the stream motion; it has joint"):
        pretrain(tiny("compact", data__stream="joint+motion"), store, tmp_path / "run", init=run)
    with pytest.raises(ValueError, match="give that too"):
        pretrain(tiny("compact"), store, tmp_path / "run", init_layers=["blocks"])
    with pytest.raises(ValueError, match="convert brings recordings to the joints of init: give init too"):
        pretrain(tiny("compact"), store, tmp_path / "run", convert=True)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_takes_no_settings(run, capsys):
    status, output = skel(capsys, "pretrain", "--resume", run.path, "--train.epochs", "9")
    assert (status, f"--init {run.path}" in output.err) == (1, True)


@pytest.mark.parametrize("head", ["linear", "finetune"])
def test_a_folder_is_fitted_and_predicts(folder, store, tmp_path, head):
    """What `skel fit` makes of a folder needs no run, and says that nothing is known of its pretraining."""
    settings = Finetune(epochs=1, milestones=()) if head == "finetune" else None
    run = Run.open(folder)
    model = fit(run, store, labels="train", head=head, settings=settings, device="cpu")
    assert model.origin["pretraining"]["hash"] == ""
    assert model.held_out["clips"] == 12
    opened = load_model(model.save(tmp_path / "model"), device="cpu")
    found = opened.predict(store)
    np.testing.assert_array_equal(found.probabilities, model.predict(store).probabilities)
    if head == "linear":
        expected = embed(run, store, device="cpu").features
        np.testing.assert_allclose(opened.embed(store), expected, atol=1e-6)
        result = evaluate(run, store, "linear", device="cpu")
        assert model.held_out["accuracy"] == pytest.approx(result.metric.value)


def test_a_folder_is_fitted_by_the_command(folder, store, tmp_path, capsys):
    model = tmp_path / "model"
    status, output = skel(capsys, "fit", folder, store.path, "--out", model)
    assert (status, "48 labels used (all labels)" in output.out) == (0, True), output.err
    status, output = skel(capsys, "predict", model, store.path, "--json")
    assert (status, len(json.loads(output.out))) == (0, 48)
