import subprocess
import sys

import attrs
import numpy as np
import pytest

import skel_eval
from skel_eval import Report, ResultRow


@pytest.fixture
def full(task):
    train, labels, test, truth, _ = task
    result = skel_eval.knn(train, labels, test, k=3)
    clips = np.random.default_rng(0).normal(size=(len(train), 3, 10, 4, 2))
    logits = np.random.default_rng(1).normal(size=(len(test), 4))
    names = [f"clip-{i}" for i in range(120)]
    gallery = skel_eval.retrieval_gallery(
        result,
        clips.__getitem__,
        clips.__getitem__,
        truth,
        labels,
        queries=2,
        test_names=[f"<t{i}>" for i in range(120)],
    )
    return Report(
        title="a & b <i>",
        subtitle="on <made-up> data",
        results=[
            ResultRow("1-NN", "cross-subject", skel_eval.accuracy(result.predictions, truth), 0.5, 120, 110),
            ResultRow("linear probe", "cross-subject", skel_eval.summarise([0.5, 0.6]), note="strength < 1"),
            ResultRow("chance", "cross-subject", 0.25, baseline=True),
        ],
        metrics=[
            {"epoch": i, "loss": 3 / (i + 1), "lr": 0.1, "note": "x", "rank": float("nan")} for i in range(5)
        ],
        class_names=["walk", "<script>alert(1)</script>", 'say "hello"', "run & jump"],
        labels=truth,
        predictions=result.predictions,
        calibration=skel_eval.calibration(logits, truth),
        features=test,
        names=names,
        clip=clips.__getitem__,
        confused=skel_eval.confused_pairs(
            truth, result.predictions, test, clips.__getitem__, names=names, pairs=3
        ),
        gallery=gallery,
        retrieval=skel_eval.retrieval(train, labels, test, truth, ks=(1, 5)),
        bones=[(1, 0), (2, 1), (3, 2)],
        settings="[a]\nb = '<c>'",
        versions={"torch": "<2>"},
        most_points=60,
    )


def test_full_report(full, tmp_path, parse):
    path = skel_eval.write_report(tmp_path / "report.html", full)
    checker, text = parse(path)
    assert checker.headings() == [
        "Results",
        "Training",
        "Confusion",
        "Mistakes",
        "Classes",
        "Calibration",
        "Embedding",
        "Retrieval",
        "Settings",
        "Versions",
    ]
    assert checker.tags.count("script") == 1
    assert "<script>alert" not in text
    words = [data for _, data in checker.text]
    assert "<script>alert(1)</script>" in words
    assert "55.0 ± 7.1 %" in words
    assert "25.0 %" in words
    # one mark per point, two queries with three neighbours each, charts of loss and rate but not of nan
    points = text.split('class="points"')[1].split("</svg>")[0]
    assert points.count("<circle") + points.count("<path") == points.count("data-motion=") == 60
    assert text.count('class="preview') + text.count('class="motion preview') == 1
    mistakes = text.split('class="confused"')[1].split("</section>")[0]
    assert mistakes.count('class="pair"') == 3
    assert mistakes.count("data-motion=") == 9
    assert f"{100 * full.calibration.expected_error:.1f} points" in text
    assert f"{100 * full.retrieval.precision[5]:.1f} %" in words
    assert text.count('class="strip"') == 8
    assert text.count('class="chart"') == 2
    assert [name.name for name in tmp_path.iterdir()] == ["report.html"]


def test_confusion_is_drawn_as_counted(full, tmp_path, parse):
    checker, _ = parse(skel_eval.write_report(tmp_path / "report.html", full))
    matrix = skel_eval.confusion_matrix(full.labels, full.predictions)
    titles = [data for tag, data in checker.text if tag == "title"]
    assert (
        f"walk recognised: {matrix[0, 0]} of {matrix[0].sum()} ({matrix[0, 0] / matrix[0].sum():.0%})"
        in titles
    )
    drawn = [title for title in titles if " of " in title and "(" in title]
    assert len(drawn) == np.count_nonzero(matrix)


def test_report_is_reproducible_and_replaces(full, tmp_path):
    path = skel_eval.write_report(tmp_path / "report.html", full)
    first = path.read_bytes()
    skel_eval.write_report(path, full)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "key",
    [
        "results",
        "metrics",
        "features",
        "gallery",
        "settings",
        "versions",
        "predictions",
        "confused",
        "calibration",
    ],
)
def test_sections_without_data_are_left_out(full, tmp_path, key, parse):
    nothing = attrs.fields_dict(Report)[key].default
    change = {key: {} if key == "versions" else nothing}
    if key == "gallery":
        change["retrieval"] = None
    checker, _ = parse(skel_eval.write_report(tmp_path / "r.html", attrs.evolve(full, **change)))
    missing = {
        "results": {"Results"},
        "metrics": {"Training"},
        "features": {"Embedding"},
        "gallery": {"Retrieval"},
        "settings": {"Settings"},
        "versions": {"Versions"},
        "predictions": {"Confusion", "Classes"},
        "confused": {"Mistakes"},
        "calibration": {"Calibration"},
    }[key]
    assert missing.isdisjoint(checker.headings())
    assert len(checker.headings()) == 10 - len(missing)


def test_empty_report(tmp_path, parse):
    checker, _ = parse(skel_eval.write_report(tmp_path / "r.html", Report(title="nothing")))
    assert checker.headings() == []


def test_report_of_degenerate_data(tmp_path, parse):
    labels = np.full(6, -1)
    report = Report(
        title="t",
        labels=labels,
        predictions=np.zeros(6, int),
        features=np.ones((6, 3)),
        metrics=[{"loss": 1.0}, {"loss": float("inf")}],
        results=[ResultRow("a", "b", float("nan"))],
    )
    checker, _ = parse(skel_eval.write_report(tmp_path / "r.html", report))
    assert checker.headings() == ["Results"]
    constant = attrs.evolve(report, metrics=[{"step": i, "loss": 2.0} for i in (0, 10)], results=())
    checker, _ = parse(skel_eval.write_report(tmp_path / "r.html", constant))
    assert checker.headings() == ["Training"]


def test_errors(full, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of the report does not exist"):
        skel_eval.write_report(tmp_path / "no" / "r.html", full)
    with pytest.raises(ValueError, match="predictions must have one entry per label, 120, got 3"):
        attrs.evolve(full, predictions=np.zeros(3, int))
    with pytest.raises(ValueError, match="need labels"):
        Report(title="t", features=np.zeros((3, 2)))


def test_a_failed_write_leaves_the_old_report(full, tmp_path, monkeypatch):
    path = skel_eval.write_report(tmp_path / "r.html", full)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        skel_eval.write_report(path, Report(title="other"))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_motions_of_many_clips_stay_small(tmp_path, parse):
    rng = np.random.default_rng(0)
    clips = rng.normal(size=(400, 3, 64, 25, 2)).astype(np.float32)
    labels, predictions = rng.integers(0, 20, size=(2, 400))
    features = rng.normal(size=(400, 8))
    report = Report(
        title="t",
        labels=labels,
        predictions=predictions,
        features=features,
        clip=clips.__getitem__,
        confused=skel_eval.confused_pairs(labels, predictions, features, clips.__getitem__),
        bones=[(i, i // 2) for i in range(1, 25)],
    )
    path = skel_eval.write_report(tmp_path / "r.html", report)
    _, text = parse(path)
    assert text.count("data-motion=") == 400 + 6 * 3
    assert path.stat().st_size < 3e6


def test_import_is_light():
    code = (
        "import sys, skel_eval; print(sorted({'sklearn', 'torchmetrics', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
