import csv
import io

import numpy as np
import pytest
from attrs import evolve

from skel_eval import (
    UNTRAINED,
    Method,
    Metric,
    Predictions,
    Result,
    best_simple,
    best_simple_sentence,
    compare,
    comparison_rows,
    paired_bootstrap,
    results_table,
    summarise_methods,
    write_comparison,
    write_report,
)

CLIPS, LABELS = np.arange(100, 180), np.arange(80) % 4
WHERE = {"protocol": "linear", "dataset": "d", "split": "s"}


def made(model, right, *, kept=True, copies=0, **more):
    """A result in which the first clips, so many of the 80, are predicted right."""
    guess = np.where(np.arange(80) < right, LABELS, (LABELS + 1) % 4)
    distinct = float((guess == LABELS)[copies:].mean()) if copies else None
    predictions = Predictions(CLIPS, LABELS, guess, copies=CLIPS[:copies]) if kept else None
    metrics = {"accuracy": Metric(right / 80, distinct)}
    return Result(model, metrics=metrics, predictions=predictions, counts={"test": 80}, **WHERE, **more)


def beside(right, coordinates, distances, **options):
    """A result beside its baselines."""
    rights = {UNTRAINED: 79, "coordinates": coordinates, "distances": distances, "chance": 20}
    baselines = tuple(made(name, number, **options) for name, number in rights.items())
    return made("m", right, baselines=baselines, **options)


@pytest.mark.parametrize(
    ("coordinates", "distances", "name"), [(30, 60, "distances"), (50, 40, "coordinates")]
)
def test_the_best_is_named_with_the_paired_difference(coordinates, distances, name):
    result = beside(70, coordinates, distances)
    best = best_simple({0: result})
    value = max(coordinates, distances) / 80
    assert (best.name, best.value) == (name, value)
    hits = [one.predictions.classes == LABELS for one in (result, result.baseline(name))]
    assert best.difference.interval == paired_bootstrap(*hits)
    assert best.difference.mean == pytest.approx(70 / 80 - value)


def test_seeds_are_averaged_and_drawn():
    runs = {0: beside(60, 30, 50), 1: beside(70, 30, 50)}
    best = best_simple(runs)
    assert (best.name, best.value, best.difference.mean) == ("distances", 50 / 80, pytest.approx(15 / 80))
    assert best.difference.interval.low < 15 / 80 < best.difference.interval.high


def test_results_without_these_baselines_have_none():
    old = made("m", 60, baselines=(made(UNTRAINED, 40), made("ridge on coordinates", 70)))
    assert best_simple({0: old}) is None
    assert best_simple({0: old, 1: beside(60, 30, 50)}) is None
    assert best_simple({}) is None
    (row,) = summarise_methods([Method("m", {0: [old]})])
    assert row.simple is None
    only = made("m", 60, baselines=(made("coordinates", 40),))
    assert best_simple({0: only}).name == "coordinates"


def test_baselines_of_another_main_metric_do_not_count():
    result = beside(60, 30, 50)
    other = evolve(result, metrics={"recall": Metric(0.9), **result.metrics})
    assert best_simple({0: other}) is None


def test_without_predictions_there_is_no_interval():
    best = best_simple({0: beside(60, 30, 50, kept=False)})
    assert best.difference.interval is None
    assert "were not kept" in best.difference.reason
    assert best_simple_sentence("m", best) == "best simple baseline: distances 62.5 %; m +12.5 points"


def test_a_result_below_its_best_simple_baseline_says_so():
    sentence = best_simple_sentence("m", best_simple({0: beside(40, 30, 70)}))
    assert sentence.startswith("best simple baseline: distances 87.5 %; m −37.5 [−")
    assert "p = 0.0002" in sentence


def test_predictions_of_baselines_are_kept_with_the_result(tmp_path):
    result = beside(60, 30, 50, copies=5)
    loaded = Result.load(result.save(tmp_path / "a.json"))
    assert best_simple({0: loaded}) == best_simple({0: result})
    assert best_simple({0: loaded.distinct()}) == best_simple({0: result.distinct()})
    np.testing.assert_array_equal(
        loaded.baseline("distances").predictions.classes, result.baseline("distances").predictions.classes
    )


def test_a_file_whose_baselines_have_no_predictions_is_read(tmp_path):
    file = evolve(beside(60, 30, 50), baselines=(made("distances", 50, kept=False),)).save(
        tmp_path / "a.json"
    )
    loaded = Result.load(file)
    assert loaded.predictions is not None
    assert loaded.baseline("distances").predictions is None
    assert best_simple({0: loaded}).difference.interval is None


def test_comparison_table_and_pages_name_it(tmp_path):
    methods = [Method("a", {0: [beside(60, 30, 50, copies=5)]}), Method("b", {0: [beside(70, 30, 50)]})]
    found = compare(methods, resamples=500)
    rows = comparison_rows(found)
    place = rows[0].index("best simple")
    assert rows[0][place : place + 2] == ("best simple", "against it")
    assert [row[place] for row in rows[1:]] == ["distances 62.5", "distances 62.5", "distances 60.0"]
    assert rows[1][place + 1].startswith("+12.5 [+")
    page = write_comparison(tmp_path / "c.html", found).read_text()
    assert "Best simple" in page
    assert "distances 62.5 %" in page
    report = write_report(tmp_path / "r.html", [methods[0].results[0][0]], title="t").read_text()
    assert "minus distances: +12.5 [" in report

    table_rows = summarise_methods(methods[:1])
    markdown = results_table(table_rows)
    assert r"distances 62.5 | +12.5 \[" in markdown
    assert "distances 60.0" in markdown.splitlines()[3]
    assert "distances 62.5 & +12.5 [" in results_table(table_rows, "latex")
    below = results_table(summarise_methods([Method("m", {0: [beside(40, 30, 70)]})]), "latex")
    assert "$-$37.5" in below
    (first, _) = csv.DictReader(io.StringIO(results_table(table_rows, "csv")))
    interval = table_rows[0].simple.difference.interval
    assert [first[key] for key in ("best simple", "its result", "against it", "low", "high")] == [
        *("distances", "62.5", "12.5"),
        *(f"{100 * end:.1f}" for end in (interval.low, interval.high)),
    ]
