import numpy as np
import pytest

import skel_eval
from skel_eval import ComparedRun, Contender, Predicted, Score, compare, comparison_rows, write_comparison

CLIPS = np.arange(100, 180)
LABELS = np.arange(80) % 4


def made_up_run(seed, rate, *, keep=True, order=None, groups=None):
    rng = np.random.default_rng(seed)
    guess = np.where(rng.random(80) < rate, LABELS, (LABELS + 1) % 4)
    rows = np.arange(80) if order is None else order
    parts = groups if groups is None else groups[rows]
    predicted = Predicted(CLIPS[rows], LABELS[rows], guess[rows], parts) if keep else None
    score = Score(float((guess == LABELS).mean()), {"untrained encoder": 0.5, "chance": 0.25}, predicted)
    metrics = [{"epoch": epoch, "loss": 1 / epoch} for epoch in (1, 2, 3)]
    return ComparedRun(seed, {"linear, d": score}, metrics)


@pytest.fixture
def pair():
    return [
        Contender("<first>", [made_up_run(0, 0.5), made_up_run(1, 0.5)], {"lr": "0.1", "epochs": "3"}),
        Contender("second", [made_up_run(2, 0.9), made_up_run(3, 0.9)], {"lr": "0.2", "epochs": "3"}),
    ]


def test_difference_is_that_of_the_paired_bootstrap(pair):
    found = compare(pair, resamples=500)
    difference = found.differences["linear, d", 1]
    a, b = (
        np.stack([run.scores["linear, d"].predicted.predictions == LABELS for run in one.runs])
        for one in pair
    )
    assert difference.interval == skel_eval.paired_bootstrap(b, a, resamples=500)
    assert difference.mean == pytest.approx(b.mean() - a.mean())
    assert (difference.clips, difference.drawn, difference.reason) == (80, "clips", "")
    assert difference.interval.low > 0.1


def test_clips_are_matched_by_number(pair):
    straight = compare(pair, resamples=200)
    order = np.random.default_rng(9).permutation(80)
    mixed = [pair[0], Contender("second", [made_up_run(2, 0.9, order=order), made_up_run(3, 0.9)])]
    key = ("linear, d", 1)
    assert compare(mixed, resamples=200).differences[key] == straight.differences[key]
    # half of the clips are shared
    part = [pair[0], Contender("second", [made_up_run(2, 0.9, order=order[:40])])]
    assert compare(part, resamples=200).differences[key].clips == 40


def test_repeats_of_a_run_count_like_runs(pair):
    parts = [run.scores["linear, d"].predicted for run in pair[1].runs]
    both = Predicted(CLIPS, LABELS, np.stack([part.predictions for part in parts]))
    score = Score(pair[1].accuracy("linear, d").mean, {}, both)
    repeated = Contender("second", [ComparedRun(2, {"linear, d": score})])
    key = ("linear, d", 1)
    expected = compare(pair, resamples=200).differences[key]
    assert compare([pair[0], repeated], resamples=200).differences[key] == expected


def test_groups_are_drawn_if_there_are_enough():
    for count, drawn in ((8, "clips"), (20, "groups")):
        groups = np.array([f"s{i % count}" for i in range(80)])
        both = [Contender(str(i), [made_up_run(i, 0.7, groups=groups)]) for i in range(2)]
        assert compare(both, resamples=200).differences["linear, d", 1].drawn == drawn


def test_without_predictions_a_sentence_stands_for_the_interval(pair):
    bare = Contender("bare", [made_up_run(5, 0.6, keep=False)])
    found = compare([*pair, bare], resamples=200)
    difference = found.differences["linear, d", 2]
    assert difference.interval is None
    assert "not kept" in difference.reason
    rows = comparison_rows(found)
    assert [len(row) for row in rows] == [7] * 4
    assert rows[1][1:4] == ("<first>", "0, 1", skel_eval.spread(pair[0].accuracy("linear, d")))
    assert rows[1][-1] == ""
    assert "[" in rows[2][-1]
    assert "[" not in rows[3][-1]
    assert rows[3][2] == "5"


def test_methods_that_share_no_protocol(pair):
    other = Contender("other", [ComparedRun(0, {"knn, d": Score(0.5)})])
    found = compare([pair[0], other], resamples=200)
    assert found.protocols == ["linear, d", "knn, d"]
    assert found.differences == {}


def test_classes_that_differ_are_told(pair):
    changed = made_up_run(2, 0.9)
    predicted = changed.scores["linear, d"].predicted
    wrong = Predicted(predicted.clips, (LABELS + 1) % 4, predicted.predictions)
    other = Contender("other", [ComparedRun(2, {"linear, d": Score(0.9, {}, wrong)})])
    reason = compare([pair[0], other], resamples=200).differences["linear, d", 1].reason
    assert reason == "the classes of the test clips differ between the runs"


def test_page(pair, tmp_path, parse):
    bare = Contender("bare", [made_up_run(5, 0.6, keep=False)], {"lr": "0.1", "epochs": "3", "extra": "1"})
    found = compare([*pair, bare], resamples=200)
    path = write_comparison(tmp_path / "c.html", found, title="a & b", class_names=["walk", "run"])
    checker, text = parse(path)
    assert checker.headings() == ["Results", "Training", "Classes", "Settings that differ"]
    words = [data for _, data in checker.text]
    assert "<first>" in words
    assert "walk" in words
    assert "class 3" in words
    assert text.count('class="curve"') == 5  # a line for each run
    assert text.count('class="bar"') == 4  # the second alone has predictions
    assert {"lr", "extra"} <= set(words)
    assert "epochs" not in words
    assert any("not kept" in word for word in words)
    assert any("one seed" in word for word in words)


def test_page_of_one_method_without_anything(tmp_path, parse):
    found = compare([Contender("a", [ComparedRun(0, {})])])
    checker, _ = parse(write_comparison(tmp_path / "c.html", found))
    assert checker.headings() == []


def test_errors():
    with pytest.raises(ValueError, match="one method or more"):
        compare([])
    with pytest.raises(ValueError, match="one run or more"):
        compare([Contender("a", [])])


def test_seeds_weigh_the_same_however_often_each_was_evaluated():
    """The difference that is printed is the one that its interval is of."""
    repeats = np.stack([LABELS] * 5)  # all right, five times
    runs = [
        ComparedRun(0, {"semi, d": Score(1.0, {}, Predicted(CLIPS, LABELS, repeats))}),
        ComparedRun(1, {"semi, d": Score(0.0, {}, Predicted(CLIPS, LABELS, (LABELS + 1) % 4))}),
    ]
    half = np.where(np.arange(80) < 40, LABELS, (LABELS + 1) % 4)
    base = ComparedRun(0, {"semi, d": Score(0.5, {}, Predicted(CLIPS, LABELS, half))})
    found = compare([Contender("a", [base]), Contender("b", runs)], resamples=100).differences["semi, d", 1]
    assert found.mean == found.interval.difference == 0


def test_the_difference_is_on_the_clips_that_both_have():
    right = Score(1.0, {}, Predicted(CLIPS, LABELS, LABELS))
    part = Predicted(CLIPS[:40], LABELS[:40], (LABELS[:40] + (np.arange(40) < 10)) % 4)
    runs = [ComparedRun(0, {"knn, d": one}) for one in (right, Score(0.9, {}, part))]
    found = compare([Contender(name, [run]) for name, run in zip("ab", runs, strict=True)], resamples=100)
    difference = found.differences["knn, d", 1]
    assert difference.mean == difference.interval.difference == -0.25


def test_clips_without_a_label_do_not_count():
    known = np.where(np.arange(80) < 60, LABELS, -1)
    runs = [ComparedRun(0, {"knn, d": Score(1.0, {}, Predicted(CLIPS, known, LABELS))}) for _ in range(2)]
    found = compare([Contender(name, [run]) for name, run in zip("ab", runs, strict=True)], resamples=100)
    assert found.differences["knn, d", 1].clips == 60
    hits, _, labels, _ = skel_eval._compare.shared_hits(*found.contenders, "knn, d")
    assert hits[0].all()
    assert (labels >= 0).all()
