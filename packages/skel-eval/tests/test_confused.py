import numpy as np
import pytest

import skel_eval

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1])
GUESS = np.array([0, 1, 1, 1, 1, 1, 0, 0, 0, 1])


def pairs(**change):
    angle = np.array([0, 0.5, 0.6, 0.7, 1.0, 1.2, 0.1, 0.2, 0.3, 0.9])
    features = np.stack([np.cos(angle), np.sin(angle)], 1)
    given = {"labels": LABELS, "predictions": GUESS, "features": features} | change
    return skel_eval.confused_pairs(**given, clip=lambda row: np.full((3, 2, 2, 1), row + 1.0))


def row_of(clip):
    return int(clip.clip.flat[0]) - 1


def test_pairs_with_most_mistakes_come_first():
    found = pairs(names=[f"c{i}" for i in range(10)])
    assert [(p.truth, p.guess, p.count, p.total) for p in found] == [(0, 1, 3, 4), (2, 0, 2, 2), (1, 0, 1, 3)]
    first = found[0]
    # the middle one of the three; the only recognised clip of class 0; of two equally near the first
    assert row_of(first.clip) == 2
    assert first.clip.name == "c2"
    assert (row_of(first.typical_truth), first.typical_truth.label) == (0, 0)
    assert (row_of(first.typical_guess), first.typical_guess.label) in [(4, 1), (5, 1)]
    assert len(pairs(pairs=1)) == 1


def test_a_class_without_another_clip_has_no_typical_one():
    assert pairs()[1].typical_truth is None
    # of a third class
    third = pairs(predictions=np.where(np.arange(10) == 8, 1, GUESS))
    assert row_of(next(p for p in third if (p.truth, p.guess) == (2, 0)).typical_truth) == 8


def test_no_mistakes():
    assert pairs(predictions=LABELS) == ()


def test_page(tmp_path, parse):
    report = skel_eval.Report(
        title="t", confused=pairs(), class_names=["<a>", "b", "c"], bones=[(1, 0)], up=False
    )
    checker, text = parse(skel_eval.write_report(tmp_path / "r.html", report))
    assert checker.headings() == ["Mistakes"]
    assert text.count('class="pair"') == 3
    assert text.count("data-motion=") == 8  # one pair has no typical clip of its class
    words = [data for _, data in checker.text]
    assert "3 of 4" in words
    assert "taken for b" in words
    assert "<a>" in words


def test_errors():
    with pytest.raises(ValueError, match=r"predictions must have shape \(10,\)"):
        pairs(predictions=GUESS[:3])
    with pytest.raises(TypeError, match="labels must hold integers"):
        pairs(labels=LABELS.astype(float))
