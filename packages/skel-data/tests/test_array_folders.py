"""Folders of arrays, tables, lines and SMPL poses: class, subject and part of the split."""

import json

import numpy as np
import pytest
from attrs import evolve

from skel_data import get_layout, import_dataset

X = np.random.default_rng(0).normal(size=(4, 17, 3)).round(3)
JOINTS = get_layout("coco-17").joints


def npy(path, x):
    np.save(path.with_suffix(".npy"), x)


def csv(path, x, label=None):
    head = ["frame", *(f"{joint}_{axis}" for joint in JOINTS for axis in "xyz")]
    rows = [[t, *frame.reshape(-1)] for t, frame in enumerate(x)]
    if label is not None:
        head, rows = [*head, "label"], [[*row, label] for row in rows]
    path.with_suffix(".csv").write_text("\n".join(",".join(map(str, row)) for row in [head, *rows]))


def jsonl(path, x, label=None):
    lines = [{"frame": t, "keypoints": frame.tolist()} for t, frame in enumerate(x)]
    if label is not None:
        lines = [{**line, "label": label} for line in lines]
    path.with_suffix(".jsonl").write_text("\n".join(map(json.dumps, lines)))


def smpl(path, x):
    poses = np.resize(x, (len(x), 66)) / 10
    np.savez(path.with_suffix(".npz"), poses=poses, trans=np.zeros((len(x), 3)))


WRITERS = {"npy": npy, "csv": csv, "jsonl": jsonl, "smpl": smpl}


def frames(path, x):
    path.mkdir()
    for t, frame in enumerate(x):
        np.save(path / f"{t:04}.npy", frame)


@pytest.fixture
def load(tmp_path):
    def run(name, paths, write=None, **settings):
        for seed, path in enumerate(paths):
            file = tmp_path / "data" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            (write or WRITERS[name])(file, X + seed)
        if name != "smpl":
            settings["layout"] = evolve(get_layout("coco-17"), dims=3, confidence=False)
        return import_dataset(name, tmp_path / "data", tmp_path / "a.store", **settings)

    return run


KINDS = [*((name, None) for name in WRITERS), ("npy", frames)]


@pytest.mark.parametrize(("name", "write"), KINDS)
def test_class_and_subject(load, name, write):
    store = load(name, [f"{c}/S0{s}/clip{c}{s}" for c in ("run", "walk") for s in (1, 2)], write)
    assert store.info.classes == ("run", "walk")
    assert store.info.subject_names == ("S01", "S02")
    assert (store.labels.tolist(), store.subjects.tolist()) == ([0, 0, 1, 1], [0, 1, 0, 1])


@pytest.mark.parametrize(("name", "write"), KINDS)
def test_parts_and_classes(load, name, write):
    store = load(name, [f"{p}/{c}/clip{p}{c}" for p in ("test", "train") for c in ("run", "walk")], write)
    assert store.info.classes == ("run", "walk")
    assert store.labels.tolist() == [0, 1, 0, 1]
    assert store.listed_split.ravel().tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_labels_in_the_files_stay(load, name):
    def write(path, x):
        WRITERS[name](path, x, path.name[-1])

    paths = [f"S0{s}/clip{c}" for c in "ab" for s in (1, 2)]
    store = load(name, paths, write, subjects_from="{}/*")
    assert store.info.classes == ("a", "b")
    assert sorted(zip(store.labels.tolist(), store.subjects.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
