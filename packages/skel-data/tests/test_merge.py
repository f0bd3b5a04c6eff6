import numpy as np
import pytest

from skel_data import BadFile, merge_stores


def test_clips_and_facts_of_both(make_store, make_clip, tmp_path):
    one = make_store([make_clip(0, subject=3), BadFile("x", "bad")], name="a.store")
    two = make_store(
        [make_clip(1, (5, 2, 5, 3), subject=4, tracks=np.array([[7, 0]] * 5))],
        name="b.store",
        classes=("c", "a"),
    )
    merged = merge_stores([one, two], tmp_path / "m.store")
    assert merged.classes == ("a", "b", "c")
    assert [merged.classes[label] for label in merged.labels] == ["a", "a"]
    assert merged.subjects.tolist() == [3, 4]
    assert np.array_equal(merged.clip(1), two.clip(0))
    assert np.array_equal(merged.tracks(1), two.tracks(0))
    assert [bad.name for bad in merged.bad_files] == ["x"]
    assert (merged.dataset, merged.header["source"]) == ("made-up", "nowhere, nowhere")


def test_names_are_told_apart(make_store, make_clip, tmp_path):
    one = make_store([make_clip(0, subject=0)], name="a.store", subject_names=("ann",), dataset="x")
    two = make_store(
        [make_clip(1, subject=0), make_clip(2, subject=1)],
        name="b.store",
        subject_names=("bob", "ann"),
        dataset="y",
    )
    merged = merge_stores([one, two], tmp_path / "m.store")
    assert [merged.subject_names[code] for code in merged.subjects] == ["ann", "bob", "ann"]
    assert merged.dataset == "x+y"


def test_stores_that_do_not_go_together(make_store, make_clip, ntu, tmp_path):
    one = make_store([make_clip(0)], name="a.store")
    others = {
        "layouts": make_store([make_clip(0, (3, 1, 25, 3))], name="b.store", layout=ntu),
        "units: 'metres' and 'miles'": make_store([make_clip(0)], name="c.store", units="miles"),
        "listed splits": make_store([make_clip(0, split=(1, 2))], name="d.store"),
        "named subjects": make_store([make_clip(0, subject=0)], name="e.store", subject_names=("ann",)),
    }
    for what, other in others.items():
        with pytest.raises(ValueError, match=f"differ in {what}"):
            merge_stores([one, other], tmp_path / "m.store")
    with pytest.raises(ValueError, match="at least two"):
        merge_stores([one], tmp_path / "m.store")
    assert not (tmp_path / "m.store").exists()
