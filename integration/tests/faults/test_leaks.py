"""Leaks between the parts of a split: however a copy was moved, it is found, and nothing else is."""

import json

import numpy as np
import pytest
from attrs import evolve

from skel_data import Clip, SynthSettings, broken_claims, find_copies, get_split, synth_store, write_store
from skel_eval import FeatureSet, feature_leaks
from skel_recipes.cli.app import main

SETTINGS = SynthSettings(classes=4, subjects=3, cameras=2, repetitions=1, shortest=30, longest=60, pairs=1)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return synth_store(tmp_path_factory.mktemp("leaks") / "recorded.store", SETTINGS)


def there(x, y):
    """Missing joints stay zeros."""
    return np.where((x != 0).any(-1, keepdims=True), y, 0)


def turned(x):
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    q[:, 0] *= np.linalg.det(q)
    return there(x, x @ q.T)


def mirrored(x, layout):
    return (x * [-1, 1, 1])[:, :, list(layout.mirror)]


ATTACKS = {
    "as it is": lambda x, _: x,
    "shifted": lambda x, _: there(x, x + np.array([0.3, -2, 5])),
    "turned": lambda x, _: turned(x),
    "scaled": lambda x, _: x * 1000,
    "rounded": lambda x, _: np.round(x, 2),
    "cut": lambda x, _: x[4:-6],
    "window": lambda x, _: x[len(x) // 2 :],
    "mirrored": mirrored,
    "mirrored, left and right as they were": lambda x, _: x * [-1, 1, 1],
    "reversed": lambda x, _: x[::-1],
    "all": lambda x, layout: np.round(turned(mirrored(x, layout)[::-1][3:-3]) * 0.1, 3),
    "bodies exchanged": lambda x, _: x[:, ::-1],
}


def with_copies(recorded, path, attack, *, rows=12):
    """The recordings as training clips but for every fifth, and copies of some as test clips."""

    def clip(i, positions, name, part):
        codes = {"subject": int(recorded.subjects[i]), "camera": int(recorded.cameras[i])}
        return Clip(positions, name, label=int(recorded.labels[i]), split=part, **codes)

    clips = [clip(i, recorded.clip(i), f"own {i}", 2 if i % 5 == 4 else 1) for i in range(len(recorded))]
    chosen = [i for i in range(len(recorded)) if i % 5 != 4][-rows:]
    for i in chosen:
        moved = np.ascontiguousarray(attack(recorded.clip(i), recorded.layout), np.float32)
        clips.append(clip(i, moved, f"copy {i}", 2))
    return write_store(path, clips, recorded.info, source="made")


@pytest.mark.parametrize("name", ATTACKS)
def test_copies_are_found_however_they_were_moved(recorded, tmp_path, name):
    store = with_copies(recorded, tmp_path / "a.store", ATTACKS[name])
    found = find_copies(store, get_split(store, "listed"))
    pairs = {(str(store.names[one.test]), str(store.names[one.train])) for one in found}
    copies = [str(each) for each in store.names if each.startswith("copy")]
    assert pairs == {(copy, copy.replace("copy", "own")) for copy in copies}
    assert all(one.backwards == (name in ("reversed", "all")) for one in found)
    for one in found:
        assert one.frames >= min(store.lengths[one.test] // 5, 8)
        assert one.difference <= 0.01


def test_where_the_shared_frames_are(recorded, tmp_path):
    store = with_copies(recorded, tmp_path / "a.store", ATTACKS["cut"], rows=8)
    for one in find_copies(store, get_split(store, "listed")):
        assert one.train_start == one.start + 4
        here, own = (store.clip(row)[start : start + one.frames] for row, start in (
            (one.test, one.start), (one.train, one.train_start)))  # fmt: skip
        np.testing.assert_array_equal(here, own)


def test_a_split_without_leaks_is_told_nothing(own_run, recorded, capsys):
    for _ in range(2):  # found, then kept
        assert main(["eval", "knn", str(own_run.path), str(recorded.path), "--split", "random"]) == 0
        assert "share frames" not in capsys.readouterr().err


@pytest.mark.parametrize(("noise", "copies"), [(0.004, 0), (0.0, 1)])
def test_people_who_stand_still_alike_are_no_copies(recorded, tmp_path, noise, copies):
    """Two who hold one pose, each with the noise of a sensor; a copy of a still recording is found."""
    pose = recorded.clip(0)[:1, :1].astype(np.float64)
    random = np.random.default_rng(0)
    first, second = (pose + noise * random.normal(size=(30, *pose.shape[1:])) for _ in range(2))
    clips = [
        Clip(np.ascontiguousarray(x, np.float32), str(part), label=0, split=part)
        for part, x in ((1, first), (2, second))
    ]
    store = write_store(tmp_path / "a.store", clips, recorded.info, source="made")
    assert len(find_copies(store, get_split(store, "listed"))) == copies


def test_frames_without_joints_are_no_copies(recorded, tmp_path):
    """Absent bodies, missing joints and bodies of one point have nothing to compare."""
    clips = []
    for k in range(1, 7):
        positions = np.zeros((20, 2, 25, 3), np.float32)
        positions[..., 2] = k
        clips.append(Clip(positions, str(k), label=0, split=1 + k % 2))
    store = write_store(tmp_path / "a.store", clips, recorded.info, source="made")
    assert find_copies(store, get_split(store, "listed")) == []


def test_groups_in_both_parts_and_classes_without_training(recorded):
    xsub = get_split(recorded, "xsub")
    assert broken_claims(recorded, xsub) == []
    mixed = evolve(xsub, train=np.sort(np.append(xsub.train, xsub.test[:2])), test=xsub.test[2:])
    (told,) = broken_claims(recorded, mixed)
    assert told.startswith("split 'xsub' has 1 subject in both parts: ")
    assert broken_claims(recorded, evolve(mixed, name="random")) == []
    fewer = evolve(xsub, train=xsub.train[recorded.labels[xsub.train] != 2])
    (told,) = broken_claims(recorded, fewer)
    assert told.startswith("1 class of the test part has no training clip: ")
    assert told.endswith("cannot be right")


def test_features_from_elsewhere():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4)), np.arange(20) % 3
    train, test = np.arange(12), np.arange(12, 20)
    assert feature_leaks(FeatureSet(x, y, train, test)) == []
    x[13], x[14] = x[2], x[3]
    assert feature_leaks(FeatureSet(x, y, train, test)) == [
        "2 of 8 test rows have the features of a training row"
    ]
    assert feature_leaks(FeatureSet(x, y, train, test, copies=np.array([13, 14]))) == []
    y[15:17] = 7
    assert "1 class of 2 test rows has no training row" in feature_leaks(FeatureSet(x, y, train, test))


def test_commands_tell_of_leaks(own_run, recorded, tmp_path, capsys):
    store = with_copies(recorded, tmp_path / "a.store", ATTACKS["all"], rows=5)
    assert main(["data", "leaks", str(store.path), "--split", "listed", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {(one["test"], one["train"]) for one in told["stretches"]} == {
        (str(name), str(name).replace("copy", "own")) for name in store.names[-5:]
    }
    assert (told["copies"], told["broken_claims"], told["pairs"]) == (0, [], [])
    assert main(["data", "leaks", str(store.path), "--split", "listed", "--near", "0.05"]) == 0
    assert "5 share frames with one" in capsys.readouterr().out
    (kept,) = (store.path / "cache").glob("leaks-*.npy")
    for _ in range(2):
        command = ["eval", "knn", str(own_run.path), str(store.path), "--split", "listed", "--convert"]
        assert main(command) == 0
        told = capsys.readouterr().err
        assert (
            f"5 of {len(get_split(store, 'listed').test)} test clips share frames with a training clip"
            in told
        )
        kept.write_bytes(kept.read_bytes().replace(b"leaks", b"laeks"))  # damaged: it is looked for again
    features = tmp_path / "features.npz"
    x = np.random.default_rng(0).normal(size=(9, 3))
    x[8] = x[0]
    FeatureSet(x, np.arange(9) % 2, np.arange(6), np.arange(6, 9)).save(features)
    assert main(["eval", "knn", str(features)]) == 0
    assert "1 of 3 test rows has the features of a training row" in capsys.readouterr().err
