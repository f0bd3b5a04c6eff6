"""Splits and lists of NTU RGB+D, with the names of all usable samples, against the published counts."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from skel_data import get_split, split_names
from skel_data.readers.datasets._ntu import ntu_clip_table
from skel_data.splits._official import ntu_missing
from skel_data.splits._subset import without_seen

LISTS = "ntu-name-lists/ntu_name_lists.tar.xz"


def test_missing_samples_are_as_many_as_published():
    missing = ntu_missing()
    table = ntu_clip_table(missing, "ntu120")
    assert (len(missing), int((table.labels < 60).sum())) == (535, 302)
    assert set(table.setups[table.labels < 60]) <= set(range(1, 18))


@pytest.fixture(scope="module")
def name_lists():
    if "SKEL_DATA" not in os.environ:
        pytest.skip("SKEL_DATA is not set: no folder with recordings")
    with tarfile.open(Path(os.environ["SKEL_DATA"]) / LISTS) as archive:
        texts = {
            Path(member.name).stem: archive.extractfile(member).read().decode()
            for member in archive.getmembers()
            if member.isfile()
        }
    return {name: text.split() for name, text in texts.items()}


@pytest.fixture(scope="module")
def ntu60(name_lists):
    return ntu_clip_table(name_lists["ntu60_available_names"], "ntu60")


@pytest.fixture(scope="module")
def ntu120(name_lists):
    return ntu_clip_table(name_lists["ntu120_available_names"], "ntu120")


@pytest.mark.real_data
def test_missing_samples_are_those_of_the_lists(name_lists, ntu60, ntu120):
    missing = ntu_missing()
    assert missing == set(name_lists["ntu120_samples_with_missing_skeletons"])
    of_60 = {name for name in missing if int(name[-3:]) <= 60}
    assert of_60 == set(name_lists["ntu60_samples_with_missing_skeletons"])
    assert not missing & set(name_lists["ntu120_available_names"])
    assert (len(ntu60) + 302, len(ntu120) + 535) == (56_880, 114_480)


@pytest.mark.real_data
def test_counts_of_the_official_splits(ntu60, ntu120):
    for table, name, train, test in (
        (ntu60, "xsub", 40_091, 16_487),
        (ntu60, "xview", 37_646, 18_932),
        (ntu120, "xsub", 63_026, 50_919),
        (ntu120, "xset", 54_468, 59_477),
    ):
        split = get_split(table, name)
        assert (len(split.train), len(split.test)) == (train, test)
    assert "subject-40" in split_names(ntu60)
    assert not any(name.startswith("subject") for name in split_names(ntu120))  # 106 of them
    assert set(ntu120.subjects[get_split(ntu120, "subject-106").test]) == {106}


@pytest.mark.real_data
def test_xview_without_what_was_seen_on_ntu120(ntu60, ntu120):
    test = get_split(ntu60, "xview").test
    subjects, setups = (get_split(ntu120, name).train for name in ("xsub", "xset"))
    for seen, left in ((subjects, 5_517), (setups, 10_063), (np.intersect1d(subjects, setups), 13_540)):
        for by in ("performance", "recording"):  # these parts hold all cameras of a performance, or none
            assert len(without_seen(ntu60, test, ntu120, seen, by=by)) == left
    kept = without_seen(ntu60, test, ntu120, subjects)
    assert not np.isin(ntu60.subjects[kept], ntu120.subjects[subjects]).any()


@pytest.mark.real_data
def test_a_set_films_the_performances_of_its_xview_from_both_sides(ntu60):
    split = get_split(ntu60, "xview")
    assert len(without_seen(ntu60, split.test, ntu60, split.train)) == 2
    assert len(without_seen(ntu60, split.test, ntu60, split.train, by="recording")) == 18_932
