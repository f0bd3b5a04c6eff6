"""Detection on untrimmed recordings, from a run to its report."""

import numpy as np
import pytest
from attrs import evolve

from skel_data import Store, get_split, join_clips, write_store
from skel_data.store._derive import clips_of
from skel_eval import HANDMADE, UNTRAINED, Result, frame_labels, segments_of, window_probabilities
from skel_recipes import evaluate, report
from skel_recipes.cli import main
from skel_recipes.evaluate import detect
from skel_recipes.evaluate.detect import Detection, _Task
from skel_recipes.evaluate.inputs import EvaluationInputs, encoder_refs
from skel_recipes.evaluate.windows import CentredWindows


@pytest.fixture(scope="module")
def long_store(store, tmp_path_factory):
    return join_clips(store, tmp_path_factory.mktemp("long") / "long.store", clips=6, rest=(6, 12))


@pytest.fixture(scope="module")
def inputs(run, long_store):
    return EvaluationInputs.of(encoder_refs([run]), long_store, device="cpu", needs_labels=False)


@pytest.fixture(scope="module")
def result(run, long_store):
    return evaluate(run, long_store, "detect", step=6, device="cpu")


def test_a_result_has_all_metrics_and_baselines(result, run):
    names = [one.model for one in result.baselines]
    assert names == [UNTRAINED, *HANDMADE, "chance", "annotation of a training recording"]
    assert result.main == "mAP_action@0.5"
    assert len(result.metrics) == 2 * 7 + 3 + 2
    assert all(set(one.metrics) == set(result.metrics) for one in result.baselines)
    for one in (result, *result.baselines):
        assert all(0 <= metric.value <= 1 for metric in one.metrics.values())
    assert result.counts["seen_in_pretraining"] is None  # the clips of these recordings were
    assert 12 <= result.settings["window"] <= 24
    kept = Result.load(next((run.path / "eval").glob("*detect*.json")))
    assert kept.metrics == result.metrics
    assert kept.details["recordings"] == result.details["recordings"]


def test_windows_that_know_their_class_find_all_actions(inputs, monkeypatch):
    def oracle(self, source):
        store = self.inputs.store
        labels = [
            frame_labels(store.intervals(row), int(store.lengths[row]))[centre]
            for row, centre in zip(self.clips.tolist(), self.centres.tolist(), strict=True)
        ]
        return [np.eye(1 + len(store.classes))[np.array(labels) + 1]]

    monkeypatch.setattr(CentredWindows, "features", oracle)
    found = _Task.of(inputs, Detection(step=1)).measure("coordinates").metrics
    assert found["edit"].value == found["F1@50"].value == found["frame_accuracy"].value == 1
    assert found["mAP_action@0.7"].value == pytest.approx(1)
    assert found["mAP_video@0.7"].value == pytest.approx(1)


def test_chance_is_the_most_frequent_class_of_training_frames(inputs, long_store):
    task = _Task.of(inputs, Detection())
    every = np.concatenate(
        [frame_labels(long_store.intervals(row), int(long_store.lengths[row])) for row in task.train]
    )
    most = np.bincount(every + 1).argmax() - 1
    tested = np.concatenate(task.truth(task.test)[0])
    found = task.most_frequent().metrics
    assert found["frame_accuracy"].value == (tested == most).mean()


def test_windows_are_cut_at_the_ends(inputs, long_store):
    rows = np.array([1, 0])
    windows = CentredWindows.of(inputs, rows, 10, 4)
    spans = [windows._span(window) for window in range(len(windows.clips))]
    assert spans[0] == (1, 0, 7)  # centre 2
    assert spans[2] == (1, 5, 15)
    frames = int(long_store.lengths[1])
    last = [span for span in spans if span[0] == 1][-1]
    assert last[2] == frames
    assert [span[0] for span in spans] == sorted((span[0] for span in spans), reverse=True)
    features = windows.features("trained")[0]
    assert features.shape == (len(spans), inputs.run.encoder("joint").feature_dim)
    assert windows.features("distances")[0].shape[0] == len(spans)


def test_test_annotations_choose_nothing(inputs, long_store, monkeypatch):
    """With other actions in the test recordings, settings and predictions stay."""
    task = _Task.of(inputs, Detection(step=8))
    first = task.measure("coordinates")
    truth = _Task.truth

    def other(self, rows):
        labels, actions = truth(self, rows)
        if np.array_equal(rows, self.test):
            return [np.full_like(one, -1) for one in labels], [one[:1] for one in actions]
        return labels, actions

    monkeypatch.setattr(_Task, "truth", other)
    second = task.measure("coordinates")
    assert second.settings == first.settings
    for one, two in zip(first.details["recordings"], second.details["recordings"], strict=True):
        assert one["predicted"] == two["predicted"]
    assert second.metrics != first.metrics


def test_thresholds_are_chosen_without_the_group_of_a_window(inputs, monkeypatch):
    seen = []

    def watched(train_x, train_y, groups, test_x, **how):
        seen.append(groups)
        return window_probabilities(train_x, train_y, groups, test_x, **how)

    monkeypatch.setattr(detect, "window_probabilities", watched)
    task = _Task.of(inputs, Detection(step=8))
    task.measure("coordinates")
    rows = task.windows.clips[np.isin(task.windows.clips, task.train)]
    (groups,) = seen
    assert len(set(groups.tolist())) > 1
    for row in np.unique(rows):
        assert len(set(groups[rows == row].tolist())) == 1


def test_the_report_draws_the_recordings(run, long_store, result):
    text = report(run, long_store, result).read_text(encoding="utf-8")
    assert 'id="recordings"' in text
    name = result.details["recordings"][0]["name"]
    assert f"actions of {name}" in text
    assert "predicted: " in text
    assert "chance" in text


def test_the_command(run, store, long_store, result, capsys, tmp_path):
    how = ["--step", "6", "--out", str(tmp_path / "one.json")]
    assert main(["eval", "detect", str(run.path), str(long_store.path), *how]) == 0
    said = capsys.readouterr().out
    assert "mAP action@0.5" in said
    assert "annotation of a training recording" in said
    assert "frames: not to be compared with" in said
    assert Result.load(tmp_path / "one.json").metrics == result.metrics
    assert main(["list", "protocols"]) == 0
    assert "detect" in capsys.readouterr().out
    assert main(["eval", "detect", str(run.path), str(store.path)]) != 0
    assert "has no untrimmed recordings: skel data import with --untrimmed" in capsys.readouterr().err
    assert main(["eval", "linear", str(run.path), str(long_store.path)]) != 0
    assert "0 labelled training clips" in capsys.readouterr().err


def test_the_command_that_joins(store, tmp_path, capsys):
    out = tmp_path / "joined.store"
    assert main(["data", "join", str(store.path), str(out), "--clips", "4", "--rest", "2", "5"]) == 0
    assert f"{len(store)} actions" in capsys.readouterr().out
    assert len(Store.open(out).all_intervals) == len(store)


@pytest.fixture(scope="module")
def mixed(store, long_store, tmp_path_factory):
    """The recordings, a third of the trimmed clips, and one recording of each part without any action."""
    clips = [*clips_of(long_store), *clips_of(store, range(0, len(store), 3))]
    split = get_split(long_store, "xsub")
    for row in (split.train[0], split.test[0]):
        clips.append(evolve(clips[row], name=f"nothing-{row}", label=-2, intervals=()))
    folder = tmp_path_factory.mktemp("mixed")
    return write_store(folder / "mixed.store", clips, store.info, source="made")


def test_trimmed_clips_of_the_same_store_are_left_out(run, long_store, mixed):
    inputs = EvaluationInputs.of(encoder_refs([run]), mixed, split="xsub", device="cpu", needs_labels=False)
    found = Detection().narrowed(inputs).split
    whole = get_split(long_store, "xsub")
    assert found.train.tolist() == [*whole.train, len(mixed) - 2]
    assert found.test.tolist() == [*whole.test, len(mixed) - 1]
    others = EvaluationInputs.of(encoder_refs([run]), mixed, split="xsub", device="cpu").split
    assert (mixed.labels[others.train] >= 0).all()
    assert (mixed.labels[others.test] >= 0).all()


def test_detections_in_a_recording_without_any_action_count_as_wrong(run, mixed):
    inputs = EvaluationInputs.of(encoder_refs([run]), mixed, split="xsub", device="cpu", needs_labels=False)
    task = _Task.of(Detection(step=8).narrowed(inputs), Detection(step=8))
    labels, actions = task.truth(task.test)
    scores = [np.ones(len(one)) for one in actions]
    assert all(metric.value == 1 for metric in task._metrics(labels, actions, scores).values())
    wrong = [*labels[:-1], np.full_like(labels[-1], actions[0][0, 0])]
    found = [*actions[:-1], segments_of(wrong[-1])]
    metrics = task._metrics(wrong, found, [*scores[:-1], np.ones(1)])
    for name in ("mAP_action@0.5", "F1@50", "edit", "frame_accuracy"):
        assert metrics[name].value < 1, name
    assert task.measure("coordinates").counts["test"] == len(task.test)


def test_too_few_recordings(run, store, tmp_path):
    joined = join_clips(store, tmp_path / "few.store", clips=1000)
    with pytest.raises(ValueError, match="training and 0 test recordings|has no|detection needs 2"):
        evaluate(run, joined, Detection(), split="all", device="cpu")
