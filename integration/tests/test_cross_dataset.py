"""Recognition across data sets: labels of a source, test clips of a target with other joints and classes."""

import json
import math

import numpy as np
import pytest
import torch
from attrs import evolve
from torch.nn import functional

from skel_data import Store, SynthSettings, get_split, synth_store
from skel_eval import Finetune, Result, finetune, linear_probe
from skel_recipes import EvaluationInputs, evaluate, pretrain
from skel_recipes.cli import main
from skel_recipes.evaluate.adaptation import Adaptation
from skel_recipes.evaluate.cross_dataset import CrossDataset
from skel_recipes.evaluate.inputs import encoder_refs
from skel_recipes.evaluate.protocols import PROTOCOLS
from skel_recipes.methods.context import MethodContext
from skel_recipes.run.run import Run

SHORT = Finetune(epochs=2, batch_size=16, milestones=())
TUNED = ("source", "cubism", "temporal", "spatial", "mmd", "dann")


FOUR = {"classes": 4, "subjects": 4, "cameras": 1, "repetitions": 2, "shortest": 12, "longest": 24, "seed": 1}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """Four classes, of which the source has three, in other joints."""
    path = tmp_path_factory.mktemp("target") / "target.store"
    return synth_store(path, SynthSettings(**FOUR, layout="kinect-20"))


@pytest.fixture
def relabelled(tmp_path_factory):
    """The same in the joints of the source, with a label for some of the clips."""
    path = tmp_path_factory.mktemp("target") / "target.store"
    synth_store(path, SynthSettings(**FOUR))

    def make(part, label):
        changed = Store.open(path)
        changed.check()
        if part:
            changed.columns["label"][getattr(get_split(changed), part)] = label
        return changed

    return make


@pytest.fixture
def across(run, store, target):
    def measure(learn="linear", to=target, **options):
        if learn in TUNED:
            options = {"settings": SHORT, **options}
        return evaluate(run, to, "cross-dataset", **{"source": store.path, "learn": learn, **options})

    return measure


def joined(run, store, target):
    """Features, clips and labels of all source clips; test clips of the target of three classes."""
    given, found = (
        EvaluationInputs.of(encoder_refs([run]), one, convert=True, needs_labels=False)
        for one in (store, target)
    )
    test = found.split.test[found.store.labels[found.split.test] < 3]
    return given, found, test


@pytest.mark.parametrize("learn", ["linear", "knn", "rbf"])
def test_smoke_of_frozen_features(across, target, learn):
    result = across(learn)
    assert result.title == f"{learn} from tiny"
    assert [one.model for one in result.baselines] == [
        "untrained encoder",
        "coordinates",
        "distances",
        "chance",
    ]
    assert all(set(one.metrics) == {"accuracy", "mean_class_accuracy"} for one in (result, *result.baselines))
    test = get_split(target, result.split).test
    shared = test[target.labels[test] < 3]
    assert result.predictions.clips.tolist() == shared.tolist()
    assert set(result.predictions.classes.tolist()) <= {0, 1, 2}
    assert (result.counts["train"], result.counts["test"], result.counts["unlabelled"]) == (
        48,
        len(shared),
        0,
    )
    assert result.settings["class_map"] == {name: name for name in target.classes[:3]}
    assert Result.from_dict(json.loads(json.dumps(result.to_dict()))).cell == result.cell


@pytest.mark.slow
@pytest.mark.parametrize("learn", TUNED)
def test_smoke_of_training(across, target, learn):
    result = across(learn, repeats=2)
    assert result.predictions.classes.shape == (2, result.counts["test"])
    assert result.metric.std is not None
    alone = result.details.get("accuracy_of_tasks", {})
    assert set(alone) == ({"temporal", "spatial"} if learn == "cubism" else set())
    helped = len(get_split(target, result.split).train) if learn != "source" else 0
    assert result.counts["unlabelled"] == helped
    before = result.baseline("untrained encoder").predictions.logits
    assert not np.allclose(before, result.predictions.logits)


def test_errors(across, store, target, tmp_path):
    with pytest.raises(ValueError, match="needs a source: --source STORE"):
        across(source=None)
    with pytest.raises(FileNotFoundError):
        across(source=tmp_path / "none.store")
    with pytest.raises(ValueError, match="is both source and target"):
        across(to=store)
    with pytest.raises(ValueError, match="learn knn leaves the encoder as it is: it takes no settings, view"):
        across("knn", settings=SHORT, view="compact.view")
    with pytest.raises(ValueError, match="label_smoothing goes with learn source"):
        across("mmd", settings=evolve(SHORT, label_smoothing=0.1))
    for learn, name, users in (
        ("linear", "pretext_weight", "cubism or temporal or spatial"),
        ("source", "mmd_weight", "mmd"),
        ("mmd", "dann_weight", "dann"),
        ("spatial", "segments", "cubism or temporal"),
    ):
        with pytest.raises(ValueError, match=f"{name} goes with learn {users}, got it with {learn}"):
            across(learn, **{name: 2})
    with pytest.raises(ValueError, match="no class map 'mine'"):
        across(class_map="mine")
    path = tmp_path / "mine.toml"
    path.write_text(f'[classes]\n"hover" = "{target.classes[0]}"\n"{store.classes[1]}" = "hover"\n')
    with pytest.raises(
        ValueError, match=r"class map mine: .* has no class 'hover' and .* has no class 'hover'"
    ):
        across(class_map=str(path))
    assert not (tmp_path / "kept").exists()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    with pytest.raises(FileExistsError, match="name another folder"):
        across("source", keep=tmp_path / "kept")


def test_target_without_test_clips_of_the_source_classes(across, relabelled):
    with pytest.raises(ValueError, match="has no test clip of a class that"):
        across(to=relabelled("test", 3))


def test_linear_is_that_of_the_functions_on_arrays(across, run, store, target):
    given, found, test = joined(run, store, target)
    (encoder,) = given.encoders
    expected = linear_probe(
        given.features(encoder),
        store.labels,
        found.features(encoder)[test],
        target.labels[test],
        groups=store.subjects,
    )
    assert np.array_equal(across().predictions.classes, expected.predictions)


@pytest.mark.slow
def test_source_alone_is_fine_tuning_on_arrays(across, run, store, target):
    given, found, test = joined(run, store, target)
    (encoder,) = given.encoders
    expected = finetune(
        run.encoder("joint"),
        given.clips_of(encoder),
        store.labels,
        found.clips_of(encoder, test),
        target.labels[test],
        settings=SHORT,
    )
    np.testing.assert_allclose(across("source").predictions.logits, expected.logits, atol=1e-6)


@pytest.mark.slow
def test_without_weight_the_target_does_not_matter(across):
    """With stored statistics in BatchNorm, target clips of a batch change nothing but by their term."""
    settings = evolve(SHORT, mode="eval")
    alone = across("source", settings=settings).predictions.logits
    for learn in ("mmd", "dann"):
        same = across(learn, settings=settings, **{f"{learn}_weight": 0.0}).predictions.logits
        np.testing.assert_allclose(same, alone, atol=1e-5)
        drawn = across(learn, settings=settings, **{f"{learn}_weight": 5.0}).predictions.logits
        assert np.abs(drawn - alone).max() > 1e-4


def test_gradient_of_the_domain_classifier_is_reversed_by_a_rising_weight(run):
    """At half of the training the weight is 2 / (1 + exp(-5)) - 1; at its start no gradient comes through."""
    context = MethodContext(run.shape, "joint", 8)
    protocol = CrossDataset(settings=evolve(SHORT, epochs=1), dann_weight=3.0)
    adaptation = Adaptation(protocol, "dann", context, np.zeros((4, 1)), np.arange(4), 6, 0)
    features = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    wanted = torch.tensor([0.0] * 4 + [1.0] * 4)
    plain = functional.binary_cross_entropy_with_logits(adaptation.domain(features).squeeze(1), wanted)
    (expected,) = torch.autograd.grad(plain, features)
    for weight in (0, 3 * (2 / (1 + math.exp(-5)) - 1)):
        loss = adaptation._domain_loss(features)
        torch.testing.assert_close(loss, plain)
        (found,) = torch.autograd.grad(loss, features)
        torch.testing.assert_close(found, -weight * expected)


@pytest.mark.slow
@pytest.mark.parametrize("learn", ["linear", "temporal", "mmd", "dann"])
@pytest.mark.parametrize("label", [-1, 2])
def test_labels_of_the_target_teach_nothing(across, relabelled, learn, label):
    stores = relabelled("", 0), relabelled("train", label)
    before, after = (across(learn, to=one).predictions for one in stores)
    assert (stores[0].labels != stores[1].labels).any()
    assert np.array_equal(before.classes, after.classes)
    assert before.logits is None or np.array_equal(before.logits, after.logits)


@pytest.mark.slow
def test_both_ways_to_teach_actions_differ(across):
    permuted, both = (across("temporal", actions_of=way).predictions.logits for way in ("permuted", "both"))
    assert not np.allclose(permuted, both)


def test_several_classes_of_the_source_are_one_of_the_target(across, store, target, tmp_path):
    path = tmp_path / "mine.toml"
    names = store.classes
    path.write_text(
        f'[classes]\n"{names[0]}" = "{target.classes[3]}"\n'
        f'"{names[1]}" = "{target.classes[3]}"\n"{names[2]}" = "{target.classes[0]}"\n'
    )
    result = across(class_map=str(path))
    assert result.title == "linear from tiny, mine"
    assert set(result.predictions.classes.tolist()) <= {0, 3}
    assert result.baseline("chance").predictions.classes.tolist() == [3] * result.counts["test"]


@pytest.mark.slow
def test_streams_are_fused_and_views_drawn(store, target, tmp_path, tiny):
    run = pretrain(tiny("compact", data__stream="joint+bone", train__epochs=1), store, tmp_path / "run")
    for learn in ("linear", "cubism"):
        options = {} if learn == "linear" else {"settings": SHORT, "view": "cubism.view"}
        result = evaluate(run, target, "cross-dataset", source=store.path, learn=learn, **options)
        assert result.stream == "joint+bone"


@pytest.mark.slow
def test_tuned_encoders_are_kept(across, store, target, tmp_path):
    across("cubism", keep=tmp_path / "kept")
    folders = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert folders == ["spatial", "temporal"]
    kept = Run.open(tmp_path / "kept" / "spatial")
    clips = torch.zeros(2, 3, 16, 25, 1)
    assert kept.encoder("joint")(clips).shape == (2, kept.encoder("joint").feature_dim)


@pytest.mark.slow
def test_command(run, store, target, capsys):
    words = ["eval", "cross-dataset", str(run.path), str(target.path), "--source", str(store.path)]
    main([*words, "--learn", "knn"])
    said = capsys.readouterr()
    assert "knn from tiny" in said.out
    assert "learned from synthetic: 48 clips of 3 classes" in said.out
    assert "untrained encoder" in said.out
    assert "32 clips, 12 test clips" in said.err
    main([*words, "--learn", "temporal", "--epochs", "1", "--json", "--report"])
    assert "knn from tiny" in (run.path / "report.html").read_text()
    assert json.loads(capsys.readouterr().out)["counts"]["unlabelled"] == 16


def test_protocol_and_maps_are_listed(capsys):
    assert "Recognition across data sets" in PROTOCOLS.summary("cross-dataset")
    main(["list", "class-maps"])
    assert "51 classes of pku-mmd-1, pku-mmd-2 in ntu60, ntu120" in capsys.readouterr().out
