import numpy as np

import skel_eval
from skel_eval.report.mistakes import confused_pairs

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1])
GUESS = np.array([0, 1, 1, 1, 1, 1, 0, 0, 0, 1])


def features():
    angle = np.array([0, 0.5, 0.6, 0.7, 1.0, 1.2, 0.1, 0.2, 0.3, 0.9])
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def test_pairs_with_most_mistakes_come_first():
    found = confused_pairs(LABELS, GUESS, features())
    assert [(p.truth, p.guess, p.count, p.total) for p in found] == [(0, 1, 3, 4), (2, 0, 2, 2), (1, 0, 1, 3)]
    first = found[0]
    # the middle one of the three; the only recognised clip of class 0; of two equally near the first
    assert (first.row, first.typical_truth) == (2, 0)
    assert first.typical_guess in (4, 5)
    assert len(confused_pairs(LABELS, GUESS, features(), pairs=1)) == 1


def test_a_class_without_another_clip_has_no_typical_one():
    assert confused_pairs(LABELS, GUESS, features())[1].typical_truth is None
    # of a third class
    third = confused_pairs(LABELS, np.where(np.arange(10) == 8, 1, GUESS), features())
    assert next(p for p in third if (p.truth, p.guess) == (2, 0)).typical_truth == 8


def test_no_mistakes():
    assert confused_pairs(LABELS, LABELS, features()) == ()


def test_section(tmp_path, parse):
    """Rows of predictions are rows of the features, whatever their order."""
    rows = np.arange(10)[::-1]
    found = skel_eval.Predictions(rows, LABELS[rows], GUESS[rows])
    result = skel_eval.Result("m", "linear", "d", "s", {"accuracy": skel_eval.Metric(0.5)}, predictions=found)
    points = np.random.default_rng(0).normal(size=(13, 2, 1, 2, 2))
    names = [f"c{index}" for index in range(13)]
    data = skel_eval.FeatureSet(
        np.concatenate([features(), np.eye(3, 2)]),
        np.concatenate([LABELS, [0, 1, 2]]),
        np.arange(10, 13),
        np.arange(10),
        names=names,
        class_names=["<a>", "b", "c"],
    )
    skeleton = skel_eval.Skeleton([(1, 0)], [1, 2])
    path = skel_eval.write_report(
        tmp_path / "r.html", [result], title="t", features=data, points=points.__getitem__, skeleton=skeleton
    )
    _, text = parse(path)
    mistakes = text.split('class="film"')[1].split("</section>")[0]
    assert mistakes.count('class="pair"') == 3
    assert mistakes.count("data-motion=") == 8  # one pair has no typical clip of its class
    first = mistakes.split('class="pair"')[1]
    assert "<b>&lt;a&gt;</b> <span>typical</span>" in first
    assert "3 of 4" in first
    assert [name in first for name in ("c0<", "c2<", "c3<", "c9<")] == [True, True, False, False]
    assert ">left</b>" in mistakes
