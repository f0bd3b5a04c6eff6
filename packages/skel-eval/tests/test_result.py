import json

import numpy as np
import pytest
from attrs import asdict, evolve

from skel_eval import UNTRAINED, Metric, Predictions, Result

VERSION_1 = """{
 "protocol": "few-shot", "tag": "", "dataset": "synthetic", "store": "a7608e2a8d90202ad4f4def64014098d",
 "split": "listed", "recipe": "compact", "stream": "joint", "runs": ["run"], "seed": 3, "epochs": 10,
 "headline": "accuracy", "accuracy": 0.75, "margin": 0.012, "accuracy_without_copies": 0.5,
 "baselines": {
  "untrained encoder": {"accuracy": 0.5, "margin": 0.013, "accuracy_without_copies": 0.25},
  "chance": {"accuracy": 0.2}
 },
 "settings": {"ways": 5, "shots": 1, "queries": 5, "episodes": 1000, "seed": 0, "by_group": true},
 "train_clips": 36, "test_clips": 18, "test_clips_that_are_copies": 2,
 "test_clips_seen_in_pretraining": null, "seconds": 2.14, "labelled_classes": 6
}"""


def make(**more):
    metrics = {"accuracy": Metric(0.75, distinct=0.7), "calibration_error": Metric(0.1, std=0.02)}
    given = {"protocol": "linear", "dataset": "d", "split": "s", "metrics": metrics, **more}
    return Result("recipe", **given)


def predictions(**more):
    clips, labels = np.arange(10, 16), np.arange(6) % 3
    return Predictions(clips, labels, labels[::-1].copy(), copies=clips[:2], **more)


def old(**changes):
    return json.loads(VERSION_1) | changes


def test_round_trip(tmp_path):
    baseline = make(metrics={"accuracy": Metric(0.5, distinct=0.4)})
    result = make(
        variant="linear with a twist",
        stream="joint+bone",
        weights=(0.6, 0.4),
        tag="aimclr",
        store="abc",
        seed=4,
        epochs=9,
        runs=("a", "b"),
        baselines=(evolve(baseline, model=UNTRAINED), evolve(baseline, model="chance")),
        settings={"solver": "sgd", "milestones": [80]},
        counts={"train": 5, "seen_in_pretraining": None},
        seconds=1.5,
        details={"labelled_classes": 3},
        predictions=predictions(logits=np.eye(6, 3), groups=np.array(list("aabbcc"))),
    )
    file = result.save(tmp_path / "any name.json")
    loaded = Result.load(file)
    assert loaded == result
    for name, value in asdict(result.predictions).items():
        np.testing.assert_array_equal(getattr(loaded.predictions, name), value)
    assert loaded.baseline("chance").metric == Metric(0.5, 0.4)
    assert loaded.baseline("ridge") is None
    # predictions of an earlier result of this name do not stay
    evolve(result, predictions=None).save(file)
    assert Result.load(file).predictions is None


def test_what_a_result_is_called():
    result = make(variant="5-NN", protocol="knn", tag="shifted", stream="joint+motion", weights=(0.6, 0.4))
    assert result.cell == ("d", "s", "5-NN, shifted", "joint+motion (0.6, 0.4)")
    assert (result.main, result.metric.value) == ("accuracy", 0.75)
    assert make(weights=(1.0, 1.0), stream="joint+bone").stream_title == "joint+bone"
    with pytest.raises(ValueError, match="a result needs a metric, got none for recipe linear"):
        make(metrics={})


def test_positives_of_other_recordings_are_another_question(tmp_path):
    plain, other = make(), make(positives="performance", tag="shifted")
    assert other.title == "linear, shifted, positives by performance"
    assert evolve(other, tag="").cell != plain.cell
    assert Result.load(other.save(tmp_path / "result.json")).positives == "performance"
    data = plain.to_dict()
    del data["positives"]  # as files of earlier releases
    assert Result.from_dict(data) == plain


def test_tags_that_look_like_streams_are_kept_apart(tmp_path):
    """Results were told apart by the names of their files, which took the tag ``no-joint`` for ``no``."""
    cells = {
        Result.load(make(tag=tag).save(tmp_path / "same.json")).cell
        for tag in ("no", "no-joint", "", "joint")
    }
    assert len(cells) == 4


def test_the_name_of_a_file_says_nothing(tmp_path):
    first = make().save(tmp_path / "d-s-knn5-aimclr-joint.json")
    assert Result.load(first).cell == ("d", "s", "linear", "joint")


def test_a_joint_head_is_a_cell_of_its_own(tmp_path):
    late, joint = (make(stream="joint+bone", fusion=fusion) for fusion in ("", "joint"))
    assert late.cell != joint.cell
    assert joint.stream_title == "joint+bone, joint head"
    assert Result.load(joint.save(tmp_path / "one.json")).cell == joint.cell


def test_settings_of_a_published_program_do_not_change_the_protocol():
    result = Result.from_dict(old(protocol="linear", tag="aimclr", settings={"solver": "sgd"}))
    assert (result.protocol, result.variant, result.tag) == ("linear", "", "aimclr")


def test_without_copies():
    result = make(
        baselines=(make(metrics={"accuracy": Metric(0.5)}), make()),
        counts={"test": 6, "copies": 2},
        predictions=predictions(),
    )
    apart = result.distinct()
    assert apart.metrics == {"accuracy": Metric(0.7)}
    assert [one.metrics for one in apart.baselines] == [{"accuracy": Metric(0.7)}]
    assert apart.counts == {"test": 4, "copies": 0}
    np.testing.assert_array_equal(apart.predictions.clips, np.arange(12, 16))
    assert apart.distinct() is None
    assert make(predictions=evolve(predictions(), copies=np.empty(0, int))).distinct().predictions is None


def test_files_of_version_1(tmp_path):
    file = tmp_path / "synthetic-listed-few-shot-5way-1shot.json"
    file.write_text(VERSION_1)
    kept = predictions()
    np.savez(file.with_suffix(".npz"), predictions=kept.classes, labels=kept.labels, clips=kept.clips)
    result = Result.load(file)
    assert result.metrics == {"accuracy": Metric(0.75, distinct=0.5), "margin": Metric(0.012)}
    assert result.cell == ("synthetic", "listed", "5-way 1-shot, by group", "joint")
    assert (result.model, result.seed, result.epochs, result.runs) == ("compact", 3, 10, ("run",))
    assert result.counts == {"train": 36, "test": 18, "copies": 2, "seen_in_pretraining": None}
    assert [one.model for one in result.baselines] == [UNTRAINED, "chance"]
    assert result.baseline(UNTRAINED).metric == Metric(0.5, distinct=0.25)
    assert (result.settings["queries"], result.details) == (5, {"labelled_classes": 6})
    np.testing.assert_array_equal(result.predictions.classes, kept.classes)
    assert Result.from_dict(result.to_dict()) == evolve(result, predictions=None)


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        ({"protocol": "knn", "settings": {"k": 5, "temperature": 0.1}}, ("5-NN", "joint")),
        ({"protocol": "knn", "settings": {"k": 1}, "tag": "new", "stream": "bone"}, ("1-NN, new", "bone")),
        (
            {"protocol": "semi", "settings": {"fraction": 0.01, "balanced": False}},
            ("1 % of the labels, drawn uniformly", "joint"),
        ),
        (
            {"protocol": "linear", "stream": "joint+bone", "settings": {"weights": [0.6, 0.4]}},
            ("linear", "joint+bone (0.6, 0.4)"),
        ),
    ],
)
def test_titles_of_version_1(changes, cell):
    result = Result.from_dict(old(**changes))
    assert result.cell[2:] == cell
    assert "weights" not in result.settings


def test_other_main_metrics_of_version_1():
    scores = {"nmi": 0.4, "accuracy": 0.6}
    given = old(protocol="clustering", headline="nmi", **scores, accuracy_std=0.1)
    given["baselines"] = {"coordinates": scores, "chance": {"accuracy": 0.1}}
    result = Result.from_dict(given)
    assert list(result.metrics) == ["nmi", "accuracy", "margin"]
    assert result.metrics["accuracy"] == Metric(0.6, 0.5, 0.1)
    assert [one.model for one in result.baselines] == ["coordinates"]  # the only one with the main metric


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no result of an evaluation"),
        ("[]", "is no result of an evaluation"),
        ("{}", "expected a skel-result of version 2, got None None"),
        (json.dumps({**make().to_dict(), "version": 9}), "of version 2, got 'skel-result' 9"),
        (json.dumps({**make().to_dict(), "metrics": {}}), "a result needs a metric"),
    ],
)
def test_files_that_are_no_results(tmp_path, text, message):
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        Result.load(file)


def test_damaged_predictions(tmp_path):
    file = make(predictions=predictions()).save(tmp_path / "x.json")
    arrays = file.with_suffix(".npz")
    arrays.write_bytes(arrays.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"x.npz does not hold predictions: .*; evaluate again"):
        Result.load(file)
    np.savez(arrays, clips=np.arange(3))
    with pytest.raises(ValueError, match=r"does not hold predictions: .*; evaluate again"):
        Result.load(file)
