import subprocess
import sys

import numpy as np
import pytest
from attrs import evolve

import skel_eval
from skel_eval import FeatureSet, Metric, Predictions, Result, Skeleton
from skel_eval.report.gallery import nearest

SECTIONS = [
    "Results",
    "Training",
    "Confusion matrix",
    "Mistakes",
    "Classes",
    "Calibration",
    "Embedding",
    "Retrieval",
    "Settings",
    "Versions",
]
BONES = Skeleton([(1, 0), (2, 1), (3, 2)], [0, 1, 2, 0])


def result(model="skel", protocol="linear", value=0.5, **more):
    return Result(model, protocol, "<made-up>", "cross-subject", {"accuracy": Metric(value)}, **more)


@pytest.fixture
def full(task):
    """All that `write_report` takes, with 120 training rows and 120 test rows."""
    train, labels, test, truth, _ = task
    classes = skel_eval.knn(train, labels, test, k=3).predictions
    logits = np.random.default_rng(1).normal(size=(len(test), 4))
    points = np.random.default_rng(0).normal(size=(240, 10, 2, 4, 2))
    rows = np.arange(120, 240)
    first = result(
        protocol="knn",
        variant="1-NN",
        predictions=Predictions(rows, truth, classes, logits=logits),
        counts={"train": 120, "test": 120, "copies": 10},
        baselines=(result("chance", "knn", 0.25), result("<untrained>", "knn", 0.3)),
    )
    first = evolve(first, metrics={"accuracy": Metric(0.5, 0.45)})
    second = evolve(
        result(tag="shifted", stream="joint+motion", weights=(0.6, 0.4)),
        metrics={"nmi": Metric(0.55, None, 0.071)},
    )
    return {
        "results": [first, second],
        "title": "a & b <i>",
        "subtitle": "on <made-up> data",
        "features": FeatureSet(
            np.concatenate([train, test]),
            np.concatenate([labels, truth]),
            np.arange(120),
            rows,
            names=[f"<t{i}>" for i in range(240)],
            class_names=["walk", "<script>alert(1)</script>", 'say "hello"', "run & jump"],
        ),
        "points": points.__getitem__,
        "skeleton": BONES,
        "training": [
            {"epoch": i, "loss": 3 / (i + 1), "lr": 0.1, "note": "x", "rank": float("nan")} for i in range(5)
        ],
        "settings": "[a]\nb = '<c>'",
        "versions": {"torch": "<2>"},
    }


@pytest.fixture
def written(tmp_path, parse):
    """Writes a report and reads it."""

    def write(results, title="t", **settings):
        return parse(skel_eval.write_report(tmp_path / "report.html", results, title=title, **settings))

    return write


def test_full_report(full, written, tmp_path):
    checker, text = written(**full)
    assert checker.headings() == SECTIONS
    assert checker.tags.count("script") == 1
    assert "<script>alert" not in text
    words = [data for _, data in checker.text]
    assert "<script>alert(1)</script>" in words
    # one mark per point, six queries with three neighbours each, charts of loss and rate but not of nan
    points = text.split('class="points"')[1].split("</svg>")[0]
    assert points.count("<circle") + points.count("<path") == points.count("data-motion=") == 120
    assert text.count('class="motion preview') == 1
    mistakes = text.split('class="confused"')[1].split("</section>")[0]
    assert mistakes.count('class="pair"') == 6
    assert text.count('class="strip"') == 24
    assert text.count('class="chart"') == 2
    assert [name.name for name in tmp_path.iterdir()] == ["report.html"]


def test_numbers_are_those_of_the_functions(full, written):
    checker, text = written(**full)
    words = [data for _, data in checker.text]
    rows, found = full["features"], full["results"][0].predictions
    error = skel_eval.calibration(found.logits, found.labels).expected_error
    assert f"{100 * error:.1f} points" in text
    x, train, test = rows.features, rows.train, rows.test
    retrieved = skel_eval.retrieval(x[train], rows.labels[train], x[test], rows.labels[test], ks=(1, 5))
    assert f"{100 * retrieved.precision[5]:.1f} %" in words
    neighbours = skel_eval.knn(x[train], rows.labels[train], x[test], k=3)
    queries = nearest(rows)
    assert len(queries) == 6
    for query, near in queries:
        assert [row for row, _ in near] == train[neighbours.neighbours[query - 120]].tolist()
        np.testing.assert_allclose(
            [similarity for _, similarity in near], neighbours.similarities[query - 120], atol=1e-6
        )


def test_results_table_says_what_results_say(full, written):
    checker, text = written(full["results"])
    assert checker.headings()[:1] == ["Results"]
    words = [data.strip() for _, data in checker.text]
    assert (
        "accuracy; cross-subject; stream joint; 120 test clips, 10 of them copies of training clips" in words
    )
    assert "nmi; cross-subject; streams joint + motion (0.6, 0.4)" in words
    assert {"nearest neighbour (1-NN)", "linear probe, shifted"} <= set(words)
    assert {"50.0 %", "45.0 %", "25.0 %", "30.0 %", "55.0 ± 7.1 %"} <= set(words)
    assert text.count('class="tile ') == 3
    assert text.count('<tr class="baseline"') == 2


def test_results_of_one_question_stand_together(written):
    _, text = written([result("a"), result("b", "knn"), result("c")])
    assert text.count('class="group"') == 2
    table = text.split("<tbody>")[1]
    assert [table.index(f"<td>{name}</td>") for name in "acb"] == sorted(
        table.index(f"<td>{name}</td>") for name in "abc"
    )


def test_confusion_is_drawn_as_counted(full, written):
    checker, _ = written(**full)
    found = full["results"][0].predictions
    matrix = skel_eval.confusion_matrix(found.labels, found.classes)
    titles = [data for tag, data in checker.text if tag == "title"]
    assert (
        f"walk recognised: {matrix[0, 0]} of {matrix[0].sum()} ({matrix[0, 0] / matrix[0].sum():.0%})"
        in titles
    )
    drawn = [title for title in titles if " of " in title and "(" in title]
    assert len(drawn) == np.count_nonzero(matrix)


def test_repeats_show_the_first(full, written):
    first = full["results"][0]
    found = first.predictions
    repeats = np.stack([found.classes, (found.classes + 1) % 4])
    _, one = written(**full)
    _, several = written(
        **full | {"results": [evolve(first, predictions=evolve(found, classes=repeats)), full["results"][1]]}
    )
    assert one == several


def test_report_is_reproducible_and_replaces(full, tmp_path):
    path = skel_eval.write_report(tmp_path / "report.html", **full)
    first = path.read_bytes()
    skel_eval.write_report(path, **full)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("key", "missing"),
    [
        ("results", {"Results", "Confusion matrix", "Mistakes", "Classes", "Calibration"}),
        ("training", {"Training"}),
        ("features", {"Mistakes", "Embedding", "Retrieval"}),
        ("points", {"Mistakes"}),
        ("settings", {"Settings"}),
        ("versions", {"Versions"}),
        ("skeleton", set()),
    ],
)
def test_sections_without_data_are_left_out(full, key, missing, written):
    nothing = {"results": [], "training": (), "settings": ""}
    checker, _ = written(**full | {key: nothing.get(key)})
    assert checker.headings() == [name for name in SECTIONS if name not in missing]


def test_without_predictions_or_logits(full, written):
    first, second = full["results"]
    bare = evolve(first, predictions=evolve(first.predictions, logits=None))
    assert "Calibration" not in written(**full | {"results": [bare]})[0].headings()
    assert "Confusion matrix" not in written(**full | {"results": [second, first]})[0].headings()


def test_empty_report(written):
    assert written([])[0].headings() == []


def test_report_of_degenerate_data(written):
    unknown = Predictions(np.arange(6), np.full(6, -1), np.zeros(6, int))
    features = FeatureSet(np.ones((8, 3)), np.array([-1] * 6 + [0, 1]), np.arange(6, 8), np.arange(6))
    checker, _ = written(
        [result(value=float("nan"), predictions=unknown)],
        features=features,
        training=[{"loss": 1.0}, {"loss": float("inf")}],
    )
    assert checker.headings() == ["Results"]
    checker, _ = written([], training=[{"step": i, "loss": 2.0} for i in (0, 10)])
    assert checker.headings() == ["Training"]


def test_errors(full, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of the page does not exist"):
        skel_eval.write_report(tmp_path / "no" / "r.html", [], title="t")
    first = full["results"][0]
    found = first.predictions
    beyond = evolve(first, predictions=evolve(found, clips=found.clips + 5))
    with pytest.raises(ValueError, match="name clips 125 to 244, but there are features of 240"):
        skel_eval.write_report(tmp_path / "r.html", **full | {"results": [beyond]})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    path = skel_eval.write_report(tmp_path / "r.html", [], title="old")
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        skel_eval.write_report(path, [], title="other")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_motions_of_many_clips_stay_small(written, tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(402, 64, 2, 25, 2))
    labels, classes = rng.integers(0, 20, size=(2, 402))
    test = np.arange(400)
    _, text = written(
        [result(predictions=Predictions(test, labels[test], classes[test]))],
        features=FeatureSet(rng.normal(size=(402, 8)), labels, np.array([400, 401]), test),
        points=points.__getitem__,
        skeleton=Skeleton([(i, i // 2) for i in range(1, 25)]),
    )
    assert text.count("data-motion=") == 400 + 6 * 3
    assert (tmp_path / "report.html").stat().st_size < 3e6


def test_import_is_light():
    code = (
        "import sys, skel_eval; print(sorted({'sklearn', 'torchmetrics', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
