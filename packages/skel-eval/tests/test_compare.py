import numpy as np
import pytest
from attrs import evolve

import skel_eval
from skel_eval import (
    UNTRAINED,
    Method,
    Metric,
    Predictions,
    Result,
    compare,
    comparison_rows,
    write_comparison,
)
from skel_eval.comparison.paired import shared_hits

CLIPS = np.arange(100, 180)
LABELS = np.arange(80) % 4
CURVE = [{"epoch": epoch, "loss": 1 / epoch} for epoch in (1, 2, 3)]


def result(value, predictions=None, protocol="linear", **more):
    """A result with its baselines."""
    where = {"protocol": protocol, "dataset": "d", "split": "s"}
    baselines = [
        Result(name, metrics={"accuracy": Metric(x)}, **where)
        for name, x in ((UNTRAINED, 0.5), ("chance", 0.25))
    ]
    metrics = {"accuracy": Metric(value)}
    return Result("m", metrics=metrics, baselines=tuple(baselines), predictions=predictions, **where, **more)


def made_up(seed, rate, *, keep=True, order=None, groups=None):
    """A result with predictions of which a share is right."""
    rng = np.random.default_rng(seed)
    guess = np.where(rng.random(80) < rate, LABELS, (LABELS + 1) % 4)
    rows = np.arange(80) if order is None else order
    parts = groups if groups is None else groups[rows]
    predictions = Predictions(CLIPS[rows], LABELS[rows], guess[rows], parts) if keep else None
    return result(float((guess == LABELS).mean()), predictions)


def method(name, results, **settings):
    """Runs by seed, each with a curve."""
    return Method(name, {s: [one] for s, one in results.items()}, dict.fromkeys(results, CURVE), settings)


@pytest.fixture
def pair():
    return [
        method("<first>", {0: made_up(0, 0.5), 1: made_up(1, 0.5)}, lr="0.1", epochs="3"),
        method("second", {2: made_up(2, 0.9), 3: made_up(3, 0.9)}, lr="0.2", epochs="3"),
    ]


KEY = ("linear, d s", 1)


def test_difference_is_that_of_the_paired_bootstrap(pair):
    difference = compare(pair, resamples=500).differences[KEY]
    a, b = (
        np.stack([one.predictions.classes == LABELS for (one,) in method.results.values()]) for method in pair
    )
    assert difference.interval == skel_eval.paired_bootstrap(b, a, resamples=500)
    assert difference.mean == pytest.approx(b.mean() - a.mean())
    assert (difference.clips, difference.drawn, difference.reason) == (80, "clips", "")
    assert difference.interval.low > 0.1


def test_clips_are_matched_by_number(pair):
    straight = compare(pair, resamples=200)
    order = np.random.default_rng(9).permutation(80)
    mixed = [pair[0], method("second", {2: made_up(2, 0.9, order=order), 3: made_up(3, 0.9)})]
    assert compare(mixed, resamples=200).differences[KEY] == straight.differences[KEY]
    # half of the clips are shared
    part = [pair[0], method("second", {2: made_up(2, 0.9, order=order[:40])})]
    assert compare(part, resamples=200).differences[KEY].clips == 40


def test_repeats_of_a_run_count_like_runs(pair):
    parts = [one.predictions for (one,) in pair[1].results.values()]
    both = Predictions(CLIPS, LABELS, np.stack([part.classes for part in parts]))
    mean = np.mean([one.metric.value for (one,) in pair[1].results.values()])
    repeated = method("second", {2: result(mean, both)})
    expected = compare(pair, resamples=200).differences[KEY]
    assert compare([pair[0], repeated], resamples=200).differences[KEY] == expected


def test_groups_are_drawn_if_there_are_enough():
    for count, drawn in ((8, "clips"), (20, "groups")):
        groups = np.array([f"s{i % count}" for i in range(80)])
        both = [method(str(i), {i: made_up(i, 0.7, groups=groups)}) for i in range(2)]
        assert compare(both, resamples=200).differences[KEY].drawn == drawn


def test_without_predictions_a_sentence_stands_for_the_interval(pair):
    bare = method("bare", {5: made_up(5, 0.6, keep=False)})
    found = compare([*pair, bare], resamples=200)
    difference = found.differences["linear, d s", 2]
    assert difference.interval is None
    assert "not kept" in difference.reason
    rows = comparison_rows(found)
    assert [len(row) for row in rows] == [9] * 4
    values = [one.metric.value for (one,) in pair[0].results.values()]
    assert rows[1][1:4] == ("<first>", "0, 1", skel_eval.spread(skel_eval.summarise(values)))
    assert rows[1][-1] == ""
    assert "[" in rows[2][-1]
    assert "[" not in rows[3][-1]
    assert rows[3][2] == "5"


def test_predictions_do_not_give_another_main_metric():
    one = evolve(made_up(0, 0.5), metrics={"accuracy_with_faults": Metric(0.4), "accuracy": Metric(0.5)})
    found = compare([method("a", {0: one}), method("b", {0: one})], resamples=100)
    (key,) = found.differences
    assert key == ("linear, accuracy_with_faults, d s", 1)
    assert "not kept" in found.differences[key].reason


def test_methods_that_share_no_protocol(pair):
    found = compare([pair[0], method("other", {0: result(0.5, protocol="knn")})], resamples=200)
    assert list(found.results) == ["linear, d s", "knn, d s"]
    assert found.differences == {}


def test_classes_that_differ_are_told(pair):
    kept = made_up(2, 0.9).predictions
    other = method("other", {2: result(0.9, Predictions(kept.clips, (LABELS + 1) % 4, kept.classes))})
    reason = compare([pair[0], other], resamples=200).differences[KEY].reason
    assert reason == "the classes of the test clips differ between the runs"


def test_page(pair, tmp_path, parse):
    bare = method("bare", {5: made_up(5, 0.6, keep=False)}, lr="0.1", epochs="3", extra="1")
    found = compare([*pair, bare], resamples=200)
    path = write_comparison(tmp_path / "c.html", found, title="a & b", class_names={"d": ["walk", "run"]})
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
    elsewhere = write_comparison(tmp_path / "c.html", found, class_names={"other": ["walk", "run"]})
    assert "walk" not in elsewhere.read_text()
    assert "class 0" in elsewhere.read_text()


def test_page_of_one_method_without_anything(tmp_path, parse):
    found = compare([Method("a", {0: []})])
    checker, _ = parse(write_comparison(tmp_path / "c.html", found))
    assert checker.headings() == []


def test_errors():
    with pytest.raises(ValueError, match="one method or more"):
        compare([])
    with pytest.raises(ValueError, match="one run or more"):
        compare([Method("a", {})])


def test_seeds_weigh_the_same_however_often_each_was_evaluated():
    """The difference that is printed is the one that its interval is of."""
    repeats = np.stack([LABELS] * 5)  # all right, five times
    runs = {
        0: result(1.0, Predictions(CLIPS, LABELS, repeats)),
        1: result(0.0, Predictions(CLIPS, LABELS, (LABELS + 1) % 4)),
    }
    half = np.where(np.arange(80) < 40, LABELS, (LABELS + 1) % 4)
    base = {0: result(0.5, Predictions(CLIPS, LABELS, half))}
    found = compare([method("a", base), method("b", runs)], resamples=100).differences[KEY]
    assert found.mean == found.interval.value == 0


def test_the_difference_is_on_the_clips_that_both_have():
    right = result(1.0, Predictions(CLIPS, LABELS, LABELS))
    part = Predictions(CLIPS[:40], LABELS[:40], (LABELS[:40] + (np.arange(40) < 10)) % 4)
    both = [method("a", {0: right}), method("b", {0: result(0.9, part)})]
    difference = compare(both, resamples=100).differences[KEY]
    assert difference.mean == difference.interval.value == -0.25


def test_clips_without_a_label_do_not_count():
    known = np.where(np.arange(80) < 60, LABELS, -1)
    both = [method(name, {0: result(1.0, Predictions(CLIPS, known, LABELS))}) for name in "ab"]
    found = compare(both, resamples=100)
    assert found.differences[KEY].clips == 60
    hits, _, labels, _ = shared_hits(*found.results["linear, d s"])
    assert hits[0].all()
    assert (labels >= 0).all()


def test_results_without_copies_are_compared_apart():
    kept = made_up(0, 0.5).predictions
    one = result(0.5, evolve(kept, copies=CLIPS[:20]), counts={"test": 80, "copies": 20})
    one = evolve(
        one,
        metrics={"accuracy": Metric(0.5, distinct=0.4)},
        baselines=(
            evolve(one.baselines[0], metrics={"accuracy": Metric(0.5, distinct=0.3)}),
            one.baselines[1],
        ),
    )
    found = compare([method("a", {0: one}), method("b", {0: one})], resamples=100)
    assert list(found.results) == ["linear, d s", "linear, d s, without copies"]
    assert [found.differences[title, 1].clips for title in found.results] == [80, 60]
    rows = [row for row in comparison_rows(found) if "without" in row[0]]
    assert [row[3:6] for row in rows] == [("40.0", "30.0", "+10.0")] * 2
    # where it is not known which the copies are, there is no interval
    blind = evolve(one, predictions=kept)
    found = compare([method("a", {0: blind}), method("b", {0: blind})], resamples=100)
    assert found.differences["linear, d s, without copies", 1].interval is None


def test_other_settings_and_stores_are_cells_of_their_own():
    def few(queries, store="x" * 32, seed=0):
        settings = {"queries": queries, "seed": seed}
        return result(0.5, protocol="few-shot", variant="5-way 1-shot", settings=settings, store=store)

    same = compare([method("a", {0: few(5)}), method("b", {0: few(5, seed=1)})], resamples=100)
    assert list(same.results) == ["5-way 1-shot, d s"]
    other = compare([method("a", {0: few(5)}), method("b", {0: few(15)})], resamples=100)
    assert list(other.results) == ["5-way 1-shot, queries 5, d s", "5-way 1-shot, queries 15, d s"]
    stores = compare([method("a", {0: few(5)}), method("b", {0: few(5, "y" * 32)})], resamples=100)
    assert list(stores.results) == [f"5-way 1-shot, store {8 * letter}, d s" for letter in "xy"]
    assert stores.differences == {}


def test_the_own_stream_is_not_named():
    fused = [result(0.5, stream="joint+bone"), result(0.4, stream="bone")]
    methods = [Method("a", {0: fused}, stream="joint+bone"), Method("b", {0: [result(0.6)]})]
    found = compare(methods)
    assert list(found.results) == ["linear, d s", "linear, d s, bone"]
    assert found.differences["linear, d s", 1].mean == pytest.approx(0.1)


def test_own_streams_with_other_settings_or_stores_are_not_compared():
    def fused(solver, store="x" * 32, **more):
        settings = {"solver": [solver] * 2, "regularisation": [0.1, 1.0], **more}
        one = result(0.5, stream="joint+bone", settings=settings, store=store)
        return Method("a", {0: [one]}, stream="joint+bone")

    def alone(solver, **more):
        settings = {"solver": solver, "regularisation": 0.1, **more}
        return Method("b", {0: [result(0.6, settings=settings, store="x" * 32)]})

    same = compare([fused("lbfgs"), alone("lbfgs")])
    assert list(same.results) == ["linear, d s"]
    for first, second in (
        (fused("lbfgs"), alone("sgd")),
        (fused("lbfgs", "y" * 32), alone("lbfgs")),
        (fused("lbfgs", strengths=[[1.0, 0.1]] * 2), alone("lbfgs", strengths=[0.1])),
    ):
        found = compare([first, second])
        assert found.differences == {}
        assert len(found.results) == 2


def test_settings_of_a_file_are_those_in_memory():
    kept, fresh = (result(0.5, settings={"strengths": of}) for of in ([1.0, 0.1], (1.0, 0.1)))
    assert list(compare([method("a", {0: kept}), method("b", {0: fresh})]).results) == ["linear, d s"]


@pytest.mark.parametrize(
    "chosen",
    [
        {"strength": [1.0]},
        {"stacking_gamma": [0.1]},
        {"texts": "a/b.npz"},
        {"labels": {"smoothing": 3}, "detections": {"threshold": 0.1}, "held_out": {"F1": 0.5}},
    ],
)
def test_what_was_chosen_on_training_clips_may_differ(chosen):
    seeds = {0: result(0.5, settings={"window": 8}), 1: result(0.7, settings={"window": 8, **chosen})}
    other = {0: result(0.5, settings={"window": 8, **dict.fromkeys(chosen, "other")})}
    found = compare([method("a", seeds), method("b", other)])
    assert list(found.results) == ["linear, d s"]


def test_two_results_of_one_question_are_refused():
    twice = Method("a", {0: [result(0.5), result(0.6)]})
    with pytest.raises(ValueError, match="a, seed 0, has two results of d, s, linear, joint, with different"):
        skel_eval.summarise_methods([twice])
    copied = Method("a", {0: [result(0.5), result(0.5)]})
    assert len(skel_eval.summarise_methods([copied])) == 1
