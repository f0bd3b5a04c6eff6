"""Recordings without labels: features, clusters, and the clips to label next."""

import csv

import numpy as np
import pytest
from attrs import evolve

from skel_data import Clip, Store, get_layout, with_labels, write_store
from skel_eval import FeatureSet
from skel_recipes import Run, embed, evaluate, pretrain
from skel_recipes.cli import main


def skel(capsys, *words):
    status = main([str(word) for word in words])
    return status, capsys.readouterr()


def rewritten(store, path, labels, **facts):
    """A store of the same recordings with other labels."""
    clips = [
        Clip(store.clip(row), str(store.names[row]), label=label, tracks=store.tracks(row), **facts)
        for row, label in enumerate(labels)
    ]
    return write_store(path, clips, store.info, source="test")


@pytest.fixture(scope="module")
def unlabelled(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlabelled")
    return rewritten(store, folder / "raw.store", [-1] * len(store))


def rows_of(file):
    with file.open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_an_unlabelled_store_is_embedded(run, store, unlabelled, tmp_path, capsys):
    out = tmp_path / "features.npz"
    status, output = skel(capsys, "embed", run.path, unlabelled.path, out)
    assert status == 0, output.err
    assert "48 training clips (0 with a label), 0 test clips" in output.err.splitlines()[0]
    saved = FeatureSet.load(out)
    np.testing.assert_array_equal(saved.features, embed(run, store).features)
    assert (saved.labels == -1).all()
    status, output = skel(capsys, "eval", "knn", out)
    assert (status, "training rows has a label" in output.err) == (1, True)
    status, output = skel(capsys, "eval", "knn", run.path, unlabelled.path)
    assert (status, "has 0 labelled training clips and 0 labelled test clips" in output.err) == (1, True)


def test_one_clip_is_embedded(run, store, tmp_path):
    one = write_store(
        tmp_path / "one.store",
        [Clip(store.clip(3), "alone", tracks=store.tracks(3))],
        store.info,
        source="test",
    )
    np.testing.assert_allclose(
        embed(run, one).features[0], embed(run, store).features[3], rtol=1e-5, atol=1e-6
    )


def test_clusters_of_every_clip(run, unlabelled, tmp_path, capsys):
    out = tmp_path / "clusters.csv"
    status, output = skel(capsys, "cluster", run.path, unlabelled.path, "--k", "3", "--out", out)
    assert status == 0, output.err
    assert "all 48 clips" in output.err.splitlines()[0]
    rows = rows_of(out)
    assert [int(row["clip"]) for row in rows] == list(range(48))
    assert {row["cluster"] for row in rows} == {"0", "1", "2"}
    names = unlabelled.names.tolist()
    assert all(set(row["nearest"].split("; ")) <= set(names) - {row["name"]} for row in rows)
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert all(f"Cluster {cluster}" in page for cluster in range(3))
    status, output = skel(capsys, "cluster", run.path, unlabelled.path, "--k", "99", "--out", out)
    assert (status, "need as many different rows" in output.err) == (1, True)


def test_labels_go_out_and_come_back(run, unlabelled, tmp_path, capsys):
    out, made = tmp_path / "todo.csv", tmp_path / "labelled.store"
    status, output = skel(capsys, "label", run.path, unlabelled.path, "--budget", "5", "--out", out)
    assert status == 0, output.err
    assert "48 training clips, of which 0 have a label" in output.err.splitlines()[0]
    rows = rows_of(out)
    assert [row["label"] for row in rows] == [""] * 5
    assert all(unlabelled.names[int(row["clip"])] == row["name"] for row in rows)
    status, output = skel(capsys, "label", run.path, unlabelled.path, "--budget", "5", "--out", out)
    assert (status, "may hold labels" in output.err) == (1, True)
    back = ("label", run.path, unlabelled.path, "--labels", out, "--out", made)
    status, output = skel(capsys, *back)
    assert (status, "none of 5 rows has a label" in output.err) == (1, True)
    for row, label in zip(rows, ("nod", "wave", "nod", "", "jump"), strict=True):
        row["label"] = label
    lines = [";".join(rows[0]), *(";".join(row.values()) for row in rows)]
    out.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")  # as a spreadsheet saves it
    status, output = skel(capsys, *back)
    assert status == 0, output.err
    assert "4 labels" in output.out
    assert "1 row without one; 4 of 48 clips have a label now" in output.out
    new = Store.open(made)
    found = {index: new.classes[new.labels[index]] for index in np.flatnonzero(new.labels >= 0).tolist()}
    assert found == {int(row["clip"]): row["label"] for row in rows if row["label"]}
    again = tmp_path / "more.csv"
    assert skel(capsys, "label", run.path, made, "--budget", "9", "--out", again)[0] == 0
    assert not {row["clip"] for row in rows_of(again)} & {str(index) for index in found}


def test_proposals_are_training_clips(run, store, tmp_path, capsys):
    half = rewritten(store, tmp_path / "half.store", [-1] * len(store))
    split = evaluate(run, store, "knn").predictions.clips
    listed = write_store(
        tmp_path / "listed.store",
        [
            evolve(Clip(half.clip(row), str(row), tracks=half.tracks(row)), split=2 if row in split else 1)
            for row in range(len(half))
        ],
        store.info,
        source="test",
    )
    listed = with_labels(listed, tmp_path / "some.store", {int(row): "a" for row in split})
    out = tmp_path / "todo.csv"
    assert skel(capsys, "label", run.path, listed.path, "--budget", "12", "--out", out)[0] == 0
    assert not {int(row["clip"]) for row in rows_of(out)} & set(split.tolist())
    more = ("label", run.path, listed.path, "--budget", "37", "--out", tmp_path / "more.csv")
    status, output = skel(capsys, *more)
    assert (status, "there are 36" in output.err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--labels", "todo.csv", "--split", "xsub"),
        ("--labels", "todo.csv", "--stream", "bone"),
        ("--labels", "todo.csv", "--convert"),
        ("--budget", "3", "--overwrite"),
    ],
)
def test_flags_of_the_other_use(run, unlabelled, tmp_path, capsys, words):
    status, output = skel(capsys, "label", run.path, unlabelled.path, *words, "--out", tmp_path / "out")
    flag = next(word for word in reversed(words) if word.startswith("--"))
    assert (status, f"with {words[0]}, {flag} would have no effect" in output.err) == (1, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,name\n", "has no column label"),
        ("clip,name,label\n99,x,a\n", "line 2: .* has no clip 99 named 'x'"),
        ("clip,name,label\n0,x,a\n", "line 2: .* has no clip 0 named 'x'"),
        ("clip,name,label\n0,{0},a\n0,{0},b\n", "line 3: clip 0 is there twice"),
    ],
)
def test_tables_that_are_wrong(run, unlabelled, tmp_path, text, message):
    from skel_recipes.evaluate.few_labels import bring_back

    table = tmp_path / "table.csv"
    table.write_text(text.format(unlabelled.names[0]), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        bring_back(unlabelled, table, tmp_path / "new.store")
    assert not (tmp_path / "new.store").exists()


def test_pretraining_on_every_clip(store, unlabelled, tiny, tmp_path, capsys):
    words = ["--train.epochs", "1", "--train.min_steps", "0", "--data.pipeline.frames", "16"]
    made = tmp_path / "all"
    status, output = skel(capsys, "pretrain", "compact", store.path, "--split", "all", *words, "--out", made)
    assert status == 0, output.err
    assert "48 training clips of split all" in output.err.splitlines()[0]
    run = Run.open(made)
    result = evaluate(run, store, "knn")
    assert result.split == "listed"
    assert result.counts["seen_in_pretraining"] == result.counts["test"]
    listed = rewritten(store, tmp_path / "ones.store", [-1] * len(store), split=1)
    kept = pretrain(tiny("compact", train__epochs=1), listed, tmp_path / "ones")
    assert (kept.info["train_clips"], kept.info["split"]) == (48, "listed")
    assert len(embed(kept, listed).train) == 48


def test_the_shared_case(tiny, tmp_path, capsys):
    rng = np.random.default_rng(0)
    file, st = tmp_path / "nolabels.npz", tmp_path / "st"
    np.savez(file, positions=rng.normal(size=(24 * 30, 20, 3)), lengths=np.full(24, 30))
    assert skel(capsys, "data", "import", "npz", file, st, "--layout", "kinect-20")[0] == 0
    run = pretrain(tiny("compact", train__epochs=1), Store.open(st), tmp_path / "run")
    assert run.layout == get_layout("kinect-20")
    assert skel(capsys, "embed", run.path, st, tmp_path / "feats.npz")[0] == 0
    assert skel(capsys, "eval", "knn", run.path, st, "--json")[0] == 1
