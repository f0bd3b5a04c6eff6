"""Second views from another recording of the same performance."""

import json

import numpy as np
import pytest
import torch
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from skel_augment import View
from skel_data import ClipShape, get_layout, get_split, stream, write_store
from skel_data.store._derive import clips_of
from skel_eval import comparison_rows
from skel_recipes import MethodContext, Run, evaluate, load_recipe, pretrain, resume
from skel_recipes.evaluate.compare import compare_runs
from skel_recipes.evaluate.grouping import group_by_seed
from skel_recipes.evaluate.table import table_rows
from skel_recipes.methods import METHODS
from skel_recipes.train import trainer
from skel_recipes.train.partners import Partners, partners_of

OTHER = {"data__positives": "performance", "data__split": "xsub"}


@pytest.fixture(scope="module")
def trained(store, tiny, tmp_path_factory):
    """Runs without and with positives of other recordings, each evaluated."""
    folder, runs = tmp_path_factory.mktemp("runs"), {}
    for name, settings in (("clip", {"data__split": "xsub"}), ("performance", OTHER)):
        runs[name] = pretrain(tiny("vicreg", **settings), store, folder / name)
        evaluate(runs[name], store, "linear")
    return runs


def partners(groups, probability=1.0):
    return Partners("performance", np.array(groups), probability, True)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 50), st.integers(0, 50))
def test_partners_are_of_the_same_group_and_not_the_clip_itself(groups, seed, epoch):
    found = partners(groups)
    drawn = found.draw(seed, epoch)
    sizes = np.bincount(groups)[groups]
    assert np.array_equal(found.groups[drawn], found.groups)
    assert np.array_equal(drawn != np.arange(len(groups)), sizes > 1)
    assert np.array_equal(drawn, found.draw(seed, epoch))
    assert found.count == (sizes > 1).sum()


def test_draws_are_as_often_as_asked_for_and_even():
    groups = np.repeat(np.arange(1000), 3)
    half = partners(groups, 0.5).draw(0, 0)
    assert abs(np.mean(half != np.arange(3000)) - 0.5) < 0.03
    every = partners(groups)
    steps = np.stack([(every.draw(0, epoch) - np.arange(3000)) % 3 for epoch in range(4)])
    assert set(np.unique(steps % 3)) == {1, 2}
    assert abs(np.mean(steps == 1) - 0.5) < 0.03
    assert (steps[0] != steps[1]).any()  # epochs draw anew


def test_partners_of_a_store(store):
    train = get_split(store, "xsub").train
    settings = load_recipe("vicreg", {"data.positives": "performance"}).data
    drawn = train[partners_of(store, train, settings).draw(0, 0)]
    for codes in (store.labels, store.subjects, store.replications):
        assert np.array_equal(codes[drawn], codes[train])
    moved = store.cameras[drawn] != store.cameras[train]
    assert np.array_equal(moved, drawn != train)
    again = load_recipe("vicreg", {"data.positives": "repetition"}).data
    drawn = train[partners_of(store, train, again).draw(0, 0)]
    for codes in (store.labels, store.subjects, store.cameras):
        assert np.array_equal(codes[drawn], codes[train])
    assert np.array_equal(store.replications[drawn] != store.replications[train], drawn != train)


def test_the_second_view_shows_the_partner():
    shape, plain = ClipShape(get_layout("utd-20"), 16, 1), View(())
    context = MethodContext(shape, "joint+bone", 40)
    clips = torch.randn(8, 3, 16, 20, 1, generator=torch.Generator().manual_seed(0))
    context.for_stream("joint").second.clips = clips.flip(0)  # streams share it
    seen = context.views_by_stream(clips, [plain, plain, plain], None)
    for shown, expected in zip(seen, (clips, clips.flip(0), clips), strict=True):
        for name in context.streams:
            assert torch.equal(shown[name], stream(expected, name, context.layout))


def test_run_says_what_it_did(trained, store, tiny, tmp_path, capsys):
    expected = {
        "name": "performance",
        "clips_with_partner": 24,
        "clips_without": 0,
        "names_contain_class": True,
    }
    assert Run.open(trained["performance"].path).info["positives"] == expected
    assert "positives" not in trained["clip"].info
    pretrain(tiny("vicreg", **OTHER), store, tmp_path / "run", progress=True)
    said = " ".join(capsys.readouterr().err.split())
    assert "data.positives = performance" in said
    assert "for 24 of 24 clips; 0 have none and use themselves" in said
    assert "by their names, and these contain the class" in said


def test_without_labels_it_is_not_known_whether_names_contain_the_class(store, tmp_path):
    settings = load_recipe("vicreg", {"data.positives": "performance"}).data
    clips = (evolve(clip, label=-1) for clip in clips_of(store))
    bare = write_store(tmp_path / "bare.store", clips, store.info, source="made")
    found = partners_of(bare, get_split(store, "xsub").train, settings)
    assert found.info["names_contain_class"] is None
    assert "it is not known whether names contain the class" in found.note


def test_they_change_the_run_and_streamed_clips_do_not(trained, store, tiny, tmp_path):
    def weights(run):
        return load_file(run.path / "encoder.safetensors")

    streamed = pretrain(tiny("vicreg", **OTHER, data__keep="stream"), store, tmp_path / "run")
    first, second, without = map(weights, (trained["performance"], streamed, trained["clip"]))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], without[key]) for key in first)


def test_resume_is_exact(trained, store, tiny, tmp_path, monkeypatch):
    class PowerCutError(Exception):
        pass

    def cut(*_):
        raise PowerCutError

    recipe = tiny("vicreg", **OTHER, train__checkpoint_every=1)
    monkeypatch.setattr(
        trainer.Trainer,
        "_checkpoint",
        lambda self, epoch, real=trainer.Trainer._checkpoint: (real(self, epoch), cut()),
    )
    with pytest.raises(PowerCutError):
        pretrain(recipe, store, tmp_path / "run")
    monkeypatch.undo()
    losses = [line["loss"] for line in resume(tmp_path / "run").metrics()]
    assert losses == [line["loss"] for line in trained["performance"].metrics()]


def test_results_stand_apart(trained, store):
    results = {
        name: json.loads(next((run.path / "eval").glob("*.json")).read_text())
        for name, run in trained.items()
    }
    assert {name: result["positives"] for name, result in results.items()} == {
        "clip": "",
        "performance": "performance",
    }
    groups = group_by_seed(trained.values())
    assert len(groups) == 2
    rows = {row.method: row.protocol for row in table_rows(groups)}
    assert sorted(rows.values()) == ["linear", "linear, positives by performance"]
    found = compare_runs(list(trained.values()))
    assert not found.differences
    titles = {row[0] for row in comparison_rows(found)[1:]}
    assert titles == {"linear, synthetic xsub", "linear, positives by performance, synthetic xsub"}


def test_no_published_number_stands_beside_them(trained):
    (row,) = table_rows(group_by_seed([trained["performance"]]))
    assert row.variant != "linear"
    assert row.published == ()


def test_errors(store, tiny, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no training clip of .* has another camera's recording"):
        pretrain(tiny("vicreg", data__positives="performance"), store, tmp_path / "run")  # one camera trains
    with pytest.raises(ValueError, match="positives"):
        tiny("vicreg", data__positives="class")
    with pytest.raises(ValueError, match="partner_probability"):
        tiny("vicreg", data__partner_probability=0)
    assert not (tmp_path / "run").exists()
    kind = METHODS.lookup("vicreg")
    monkeypatch.setattr(kind, "one_view", True, raising=False)
    with pytest.raises(ValueError, match="method vicreg draws one view of a clip"):
        tiny("vicreg", **OTHER)


def test_a_method_without_a_second_view_is_refused(store, tiny, tmp_path, monkeypatch):
    real = MethodContext.views_by_stream

    def apart(self, clips, views, generator, *, same=False):
        return [real(self, clips, [view], generator, same=same)[0] for view in views]

    monkeypatch.setattr(MethodContext, "views_by_stream", apart)
    with pytest.raises(ValueError, match="the method draws no second view with its context"):
        pretrain(tiny("vicreg", **OTHER), store, tmp_path / "run")
