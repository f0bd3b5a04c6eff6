"""Groups of runs: the table of results, the comparison."""

import csv
import importlib.util
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from safetensors.numpy import save_file

from skel_eval import Metric, Predictions, Result
from skel_recipes import Run, dump_recipe, load_recipe, recipe_names
from skel_recipes.cli.results import compare, table
from skel_recipes.config.library import recipe_summary
from skel_recipes.config.recipe import flat_recipe
from skel_recipes.evaluate.compare import compare_runs
from skel_recipes.evaluate.evaluate import results_of
from skel_recipes.evaluate.grouping import group_by_seed
from skel_recipes.evaluate.table import pretraining_of, published_cells, table_rows

CELL = "paper/aimclr-ntu60-xsub-joint"


def result(recipe, seed, right, run, **change):
    shared = {"protocol": "linear", "dataset": "ntu60", "split": "xsub"}
    shared |= {name: change[name] for name in shared if name in change}
    simple = {"untrained encoder": 0.5, "ridge on coordinates": 0.6, "chance": 0.1}
    values = {
        "model": recipe,
        "metrics": {"accuracy": Metric(right)},
        "runs": (str(run),),
        "seed": seed,
        "baselines": tuple(
            Result(name, metrics={"accuracy": Metric(value)}, **shared) for name, value in simple.items()
        ),
        "counts": {"train": 80, "test": 40, "copies": 0, "seen_in_pretraining": 0},
    }
    return Result(**(shared | values | change))


def predictions(hits, seed=0):
    labels = np.arange(40) % 4
    order = np.random.default_rng(seed).permutation(40)
    guess = np.where(order < hits, labels, (labels + 1) % 4)
    return Predictions(np.arange(100, 140), labels, guess, np.arange(40) % 20)


@pytest.fixture
def make(tmp_path):
    """A run folder without training, with a linear probe on 40 test clips."""

    def run(name, recipe=CELL, seed=0, hits=30, kept=True, settings=None, evaluated=True):
        path = tmp_path / name
        (path / "eval").mkdir(parents=True)
        recipe = load_recipe(recipe, {"train.seed": seed} | (settings or {}))
        info = {
            "format": "skel-run",
            "version": 1,
            "store": {"path": str(tmp_path / "no.store"), "dataset": "ntu60", "hash": "0"},
            "split": "xsub",
        }
        metrics = [{"epoch": e, "loss": 1 / e, "seconds": 30.0, "clips_per_second": 10.0} for e in (1, 2)]
        (path / "recipe.toml").write_text(dump_recipe(recipe), encoding="utf-8")
        (path / "run.json").write_text(json.dumps(info), encoding="utf-8")
        (path / "metrics.jsonl").write_text("\n".join(map(json.dumps, metrics)), encoding="utf-8")
        save_file({"a": np.zeros((3, 4)), "running_mean": np.zeros(9)}, path / "encoder.safetensors")
        if evaluated:
            found = predictions(hits, seed) if kept else None
            write(path, "linear", result(recipe.name, seed, hits / 40, path, predictions=found))
        return Run.open(path)

    return run


def write(path, stem, content):
    content.save(path / "eval" / f"{stem}.json")


def test_runs_that_differ_in_seed_only_are_one_group(make):
    runs = [make("b", seed=1), make("a"), make("c", settings={"optim.lr": 0.5}), make("d", recipe="compact")]
    groups = group_by_seed([*runs, runs[0]])
    assert [[run.path.name for run in group.runs] for group in groups] == [["a", "b"], ["c"], ["d"]]
    assert [group.name for group in groups] == [CELL, f"{CELL}, optim.lr 0.5", "compact"]
    assert group_by_seed(runs[:2])[0].name == CELL
    # the folder says what it was run with, whatever is beside it
    assert group_by_seed(runs[2:3])[0].name == f"{CELL}, optim.lr 0.5"


def test_runs_that_began_with_other_weights_are_no_seeds_of_those_without(make):
    first, second = make("a"), make("b", seed=1)
    told = json.loads((second.path / "run.json").read_text()) | {"init": {"loaded": ["joint.blocks.0"]}}
    (second.path / "run.json").write_text(json.dumps(told))
    groups = group_by_seed([first, Run.open(second.path)])
    assert [group.name for group in groups] == [f"{CELL} (a)", f"{CELL} (b)"]
    assert [row.seeds for row in table_rows(groups)] == [(0,), (1,)]


def test_runs_tuned_from_two_seeds_of_one_run_are_seeds_of_one_method(make):
    cases = {
        "a": {"path": "x"},
        "b": {"path": "y"},
        "other method": {"recipe": {"name": "skeletonclr"}},
        "other layers": {"layers": ["blocks.0"]},
        "other store": {"store": {"hash": "1"}},
        "other split": {"split": "xview"},
        "other beginning": {"init": {"loaded": [], "recipe": {"name": "mae"}}},
        "an older run.json": {"store": {}, "recipe": {}},
    }
    told = {"loaded": ["joint.a"], "layers": [], "recipe": {"name": "compact"}, "store": {"hash": "0"}}
    runs = [make(name, seed=seed) for seed, name in enumerate(cases)]
    runs = [
        evolve(run, info={**run.info, "init": told | case})
        for run, case in zip(runs, cases.values(), strict=True)
    ]
    assert [len(group.runs) for group in group_by_seed(runs)] == [2, 1, 1, 1, 1, 1, 1]


def test_the_same_run_twice_is_an_error(make):
    with pytest.raises(ValueError, match="same settings and the same seed"):
        group_by_seed([make("a"), make("b")])


def test_flat_is_what_set_takes():
    recipe = load_recipe("aimclr")
    values = flat_recipe(recipe)
    assert values["train.epochs"] == str(recipe.train.epochs)
    assert values["method.view.0.name"] == "temporal_crop_resize"
    assert not any(value.startswith("{") for value in values.values())


@pytest.mark.parametrize(
    ("change", "protocol", "stream"),
    [
        ({}, "linear", "joint"),
        ({"protocol": "knn", "variant": "1-NN"}, "1-NN", "joint"),
        ({"tag": "aimclr"}, "linear, aimclr", "joint"),
        ({"stream": "joint+bone", "weights": (1, 1)}, "linear", "joint+bone"),
        ({"stream": "joint+bone", "weights": (0.6, 0.4)}, "linear", "joint+bone (0.6, 0.4)"),
        ({"protocol": "clustering", "metrics": {"nmi": Metric(0.3)}}, "clustering, nmi", "joint"),
    ],
)
def test_cells_of_results(make, change, protocol, stream):
    run = make("a", evaluated=False)
    write(run.path, "whatever the name", result(CELL, 0, 0.5, run.path, **change))
    (row,) = table_rows(group_by_seed([run]))
    assert (row.protocol, row.stream) == (protocol, stream)


def test_results_with_other_runs_are_left_out(make):
    run = make("a")
    write(run.path, "fused", result(CELL, 0, 0.5, run.path, runs=("a", "b")))
    assert len(results_of(run)) == 1


def test_rows_are_means_over_seeds(make):
    groups = group_by_seed([make("a", hits=30), make("b", seed=1, hits=32)])
    (row,) = table_rows(groups)
    assert (row.method, row.dataset, row.split, row.protocol) == (CELL, "ntu60", "xsub", "linear")
    assert row.seeds == (0, 1)
    assert row.result.mean == pytest.approx(31 / 40)
    assert row.result.std == pytest.approx(2 / 40 / 2**0.5)
    assert row.baselines["untrained encoder"].mean == 0.5
    assert row.baselines["ridge on coordinates"].mean == pytest.approx(0.6)
    assert row.published == ((74.34, "README of github.com/Levigty/AimCLR"),)
    cost = pretraining_of(groups[0])
    assert (cost.minutes, cost.clips_per_second, cost.parameters) == (1.0, 10.0, 12)


def test_two_tags_are_no_two_seeds(make):
    """One tag ends like a stream: the results of one run stay two rows of one seed each."""
    run = make("a", evaluated=False)
    for tag in ("no", "no-joint"):
        write(run.path, f"ntu60-xsub-linear-{tag}", result(CELL, 0, 0.5, run.path, tag=tag))
    rows = table_rows(group_by_seed([run]))
    assert {(row.protocol, row.seeds) for row in rows} == {("linear, no", (0,)), ("linear, no-joint", (0,))}


def test_the_published_probe_has_the_published_number(make):
    run = make("a", evaluated=False)
    write(run.path, "x", result(CELL, 0, 0.5, run.path, tag="aimclr"))
    (row,) = table_rows(group_by_seed([run]))
    assert row.published == ((74.34, "README of github.com/Levigty/AimCLR"),)


def test_every_published_number_has_a_cell_and_a_command():
    cells = published_cells()
    numbers = sum(len(load_recipe(name).published) for name in recipe_names())
    assert sum(len(cell.published) for cell in cells) == numbers
    by = {(cell.method, cell.protocol): cell for cell in cells}
    assert len(by) == len(cells)
    assert by[CELL, "linear"].command == (
        f"skel pretrain {CELL} ntu60.store --out runs/aimclr-ntu60-xsub-joint && "
        "skel eval linear runs/aimclr-ntu60-xsub-joint ntu60.store"
    )
    assert by["paper/scdnet-ntu60-xsub-joint", "1-NN"].command.endswith(
        "skel eval knn runs/scdnet-ntu60-xsub-joint ntu60.store"
    )
    assert by["paper/aimclr-ntu60-xsub-3s", "linear"].command.endswith(
        "skel eval fuse runs/aimclr-ntu60-xsub-3s ntu60.store --weights 0.6 0.4 0.6"
    )


def test_cells_with_settings_of_another_data_set_say_so():
    by = {(cell.method, cell.protocol): cell for cell in published_cells()}
    words = "settings extrapolated from NTU-60"
    for name in ("aimclr-ntu120-xset-3s", "crossclr-pku-mmd-1-xsub-3s", "scdnet-ntu60-xview-joint"):
        assert words in recipe_summary(f"paper/{name}")
        assert all(words in source for _, source in by[f"paper/{name}", "linear"].published)
    for name in ("aimclr-ntu60-xsub-3s", "crossclr-ntu60-xview-3s", "scdnet-ntu60-xsub-joint"):
        assert "extrapolated" not in recipe_summary(f"paper/{name}")
    for name in ("crossclr-ntu60-xview-3s", "cmcs-ntu120-xset-3s"):
        assert by[f"paper/{name}", "linear"].command.endswith("--fusion joint")


def test_table_command(make, capsys, tmp_path):
    runs = tuple(run.path for run in (make("a"), make("b", seed=1, hits=32)))
    table(runs, format="csv", all=True)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == len(published_cells())  # one of them filled
    filled = [row for row in rows if row["ours"]]
    assert [(row["method"], row["ours"], row["seeds"]) for row in filled] == [(CELL, "77.5", "2")]
    assert filled[0]["command"] == ""
    assert all(row["command"] for row in rows if not row["ours"])
    table(runs, out=tmp_path / "t.md")
    assert "77.5 ± 3.5" in (tmp_path / "t.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="expected: skel table RUN"):
        table()
    table((make("c", evaluated=False).path,))
    assert "was not evaluated yet" in capsys.readouterr().err


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, _):
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_compare_command(make, capsys, tmp_path):
    runs = [
        make("a", hits=20),
        make("b", seed=1, hits=22),
        make("c", seed=2, hits=38, settings={"optim.lr": 0.5}),
    ]
    compare(tuple(run.path for run in runs), out=tmp_path / "c.html", resamples=300)
    told = capsys.readouterr()
    assert told.out.splitlines()[0].split()[:4] == ["protocol", "method", "seeds", "accuracy"]
    assert "52.5 ± 3.5" in told.out
    assert "+42.5 [" in told.out
    assert "over groups of 40 clips" in told.err
    text = (tmp_path / "c.html").read_text(encoding="utf-8")
    reader = Tags()
    reader.feed(text)
    assert reader.open == []
    assert "http" not in text
    assert "optim.lr" in reader.text
    assert "train.epochs" not in reader.text
    assert "class 3" in reader.text  # the store is not there


def test_comparison_without_predictions(make):
    found = compare_runs([make("a"), make("b", recipe="compact", kept=False)], resamples=100)
    (difference,) = found.differences.values()
    assert difference.interval is None
    assert "not kept" in difference.reason


def test_other_streams_than_the_run_is_for_are_protocols_of_their_own(make):
    run = make("a", recipe="crossclr", evaluated=False)
    whole = run.recipe.data.stream
    write(run.path, "fused", result("crossclr", 0, 0.8, run.path, stream=whole, weights=(1, 1, 1)))
    write(run.path, "linear", result("crossclr", 0, 0.7, run.path))
    found = compare_runs([run, make("b")])
    assert list(found.results) == ["linear, ntu60 xsub", "linear, ntu60 xsub, joint"]
    assert [key for key, _ in found.differences] == ["linear, ntu60 xsub"]


def test_compare_errors(make, tmp_path):
    with pytest.raises(ValueError, match="no run was evaluated"):
        compare((make("a", evaluated=False).path,), out=tmp_path / "c.html")
    with pytest.raises(ValueError, match=r"--out must end in \.html"):
        compare((tmp_path,), out=tmp_path / "c.txt")


@pytest.fixture
def script():
    file = Path(__file__).parents[2] / "docs" / "make_results.py"
    spec = importlib.util.spec_from_file_location("make_results", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_of_results_are_as_the_script_writes_them(script):
    rows = script.read((script.DOCS / "results.json").read_text(encoding="utf-8"))
    text = script.written(rows)
    assert script.written(script.read(text)) == text
    for name in script.PAGES:
        page = (script.DOCS / name).read_text(encoding="utf-8")
        assert "<!-- table:" in page
        assert script.rendered(page, rows) == page


def test_runs_take_the_place_of_older_rows(script, make):
    rows = script.read((script.DOCS / "results.json").read_text(encoding="utf-8"))
    paths = [make("a", hits=30).path, make("b", seed=1, hits=32).path]
    more = script.updated(rows, paths, "a laptop")
    assert len(more) == len(rows) + 1
    assert more[-1].machine == "a laptop"
    again = script.updated(script.read(script.written(more)), paths[:1], "")
    assert len(again) == len(more)
    assert again[-1].row.seeds == (0,)
    assert f"| {CELL} | ntu60 | xsub | linear | joint | 77.5 ± 3.5 | 2 |" in script.published(more)
    changed = make("c", settings={"train.epochs": 3})
    with pytest.raises(SystemExit, match=r"not the recipe as it is, but .*train\.epochs 3"):
        script.updated(rows, [changed.path], "")


def test_results_with_other_settings_are_not_compared(make):
    runs = [
        make(name, evaluated=False, settings=change) for name, change in (("a", {}), ("b", {"optim.lr": 0.5}))
    ]
    for run, queries in zip(runs, (5, 15), strict=True):
        used = {"protocol": "few-shot", "variant": "5-way 1-shot"}
        used["settings"] = {"ways": 5, "queries": queries, "seed": queries}
        write(run.path, "few-shot", result(CELL, 0, queries / 20, run.path, **used))
    titles = list(compare_runs(runs, resamples=10).results)
    assert titles == [f"5-way 1-shot, queries {n}, ntu60 xsub" for n in (5, 15)]
    rows = table_rows(group_by_seed(runs))
    assert {row.protocol for row in rows} == {"5-way 1-shot, queries 5", "5-way 1-shot, queries 15"}
    # what was chosen on training clips does not tell them apart, another store does
    for run, strength in zip(runs, (0.1, 0.01), strict=True):
        used = {"settings": {"regularisation": strength}, "store": "0123456789"}
        write(run.path, "linear", result(CELL, 0, 0.5, run.path, **used))
    assert "linear, ntu60 xsub" in compare_runs(runs, resamples=10).results
    write(runs[0].path, "linear", result(CELL, 0, 0.5, runs[0].path, store="abcdefghij"))
    titles = compare_runs(runs, resamples=10).results
    assert {"linear, store abcdefgh, ntu60 xsub", "linear, store 01234567, ntu60 xsub"} < set(titles)


def test_copies_are_compared_apart(make):
    runs = [make("a", evaluated=False), make("b", evaluated=False, settings={"optim.lr": 0.5})]
    for run, hits in zip(runs, (20, 30), strict=True):
        found = evolve(predictions(hits), copies=np.arange(100, 110))
        distinct = found.distinct()
        apart = float((distinct.classes == distinct.labels).mean())
        metrics = {"accuracy": Metric(hits / 40, apart)}
        write(run.path, "linear", result(CELL, 0, 0, run.path, metrics=metrics, predictions=found))
    found = compare_runs(runs, resamples=100)
    assert list(found.results) == ["linear, ntu60 xsub", "linear, ntu60 xsub, without copies"]
    every, apart = (found.differences[title, 1] for title in found.results)
    assert (every.clips, apart.clips) == (40, 30)
    first, second = (
        by_seed[0].metric.value for by_seed in found.results["linear, ntu60 xsub, without copies"]
    )
    assert apart.mean == pytest.approx(second - first)
