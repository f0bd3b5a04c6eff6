"""Counts of recorded data sets, against what is published of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from skel_data import Default, build_clips, get_split, import_dataset, split_names, without_copies

pytestmark = pytest.mark.real_data


@pytest.fixture
def load(tmp_path):
    if "SKEL_DATA" not in os.environ:
        pytest.skip("SKEL_DATA is not set: no folder with recordings")

    def run(kind, path, **settings):
        return import_dataset(kind, Path(os.environ["SKEL_DATA"]) / path, tmp_path / "store", **settings)

    return run


def test_utd_mhad(load):
    store = load("utd-mhad", "utd-mhad/utd-mhad_skeleton.tar.xz")
    assert (len(store), store.bad_files) == (861, ())
    assert (store.lengths.min(), np.median(store.lengths), store.lengths.max()) == (41, 67, 125)
    assert len(set(store.digests)) == 861
    split = get_split(store)
    assert (split.name, len(split.train), len(split.test)) == ("xsub", 431, 430)
    clips = build_clips(store, Default())
    assert clips.shape == (861, 3, 64, 20, 1)
    left, right = store.layout.shoulders
    across = (clips[:, :, :, right] - clips[:, :, :, left]).mean(2)[..., 0]
    assert (across[:, 0] > 0).all()


def test_nw_ucla(load):
    store = load("nw-ucla", "nw-ucla/nw-ucla_all_sqe.tar.xz")
    assert (len(store), store.bad_files) == (1484, ())
    assert (store.lengths.min(), np.median(store.lengths), store.lengths.max()) == (1, 31, 201)
    assert np.bincount(store.labels).tolist() == [150, 152, 141, 173, 148, 149, 142, 142, 145, 142]
    split = get_split(store)
    assert (split.name, len(split.train), len(split.test)) == ("xview", 1020, 464)
    assert len(without_copies(store, split)) == 369
    gaps = [i for i in range(len(store)) if (store.clip(i) == 0).all(-1).any()]
    assert sorted(store.names[gaps]) == ["a04_s01_e01_v01", "a04_s04_e02_v01"]
    assert np.isfinite(build_clips(store, Default())).all()


def test_hdm05(load):
    store = load("npz", "hdm05-11/hdm05_11_joints_30hz.npz")
    assert (len(store), store.layout.num_joints, len(store.classes)) == (287, 31, 11)
    assert store.subject_names == ("bd", "bk", "dg", "mm", "tr")
    assert "subject-tr" in split_names(store)
    split = get_split(store)
    assert (split.name, len(split.train), len(split.test)) == ("listed", 188, 99)


def test_jhmdb(load):
    store = load("npz", "jhmdb-gt14/jhmdb_gt14.npz", layout="jhmdb-15")
    assert (len(store), store.layout.channels, len(store.classes)) == (609, 2, 14)
    sizes = [
        (len(split.train), len(split.test)) for split in (get_split(store, f"listed-{k}") for k in (1, 2, 3))
    ]
    assert sizes == [(433, 176), (433, 176), (434, 175)]
    assert build_clips(store, Default()).shape == (609, 2, 64, 15, 1)
