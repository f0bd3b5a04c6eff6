import numpy as np
import pytest
from attrs import evolve

from skel_data import BadFile, convert, convert_store, get_layout, get_split, merge_stores, with_labels


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


def test_parts_of_one_data_set_become_it(make_store, make_clip, tmp_path):
    one = make_store([make_clip(0, subject=3)], name="a.store", dataset="ntu60")
    two = make_store([make_clip(1, subject=103)], name="b.store", dataset="ntu120")
    merged = merge_stores([one, two], tmp_path / "m.store")
    assert merged.dataset == "ntu120"
    assert get_split(merged, "xsub").train.tolist() == [1]  # subject 103 trains, 3 tests


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


def test_a_store_in_another_layout(make_store, make_clip, ntu, tmp_path):
    clip = make_clip(0, (4, 2, 25, 3), subject=3, split=(1, 2), tracks=np.array([[7, 0]] * 4))
    store = make_store(
        [clip, BadFile("x", "bad")], layout=ntu, listed_names=("xsub", "xview"), default_split="xview"
    )
    kinect = get_layout("kinect-20")
    made = convert_store(store, tmp_path / "k.store", kinect)
    assert np.array_equal(made.clip(0), convert(clip.positions, ntu, kinect))
    assert np.array_equal(made.tracks(0), store.tracks(0))
    assert (made.layout, made.subjects.tolist(), made.listed_names) == (kinect, [3], ("xsub", "xview"))
    assert (made.default_split, made.units, len(made.bad_files)) == ("xview", "metres", 1)
    with pytest.raises(ValueError, match="2 dimensions"):
        convert_store(store, tmp_path / "c.store", get_layout("coco-17"))
    assert not (tmp_path / "c.store").exists()
    flat = convert_store(store, tmp_path / "c.store", get_layout("coco-17"), drop_depth=True)
    assert flat.clip(0).shape == (4, 2, 17, 3)
    assert (flat.clip(0)[..., 2] == 1).all()


def test_conversion_of_units(make_store, make_clip, tmp_path):
    store = make_store([make_clip(0)], units="millimetres")
    made = convert_store(store, tmp_path / "m.store", store.layout, units="metres")
    np.testing.assert_allclose(made.clip(0), store.clip(0) / 1000, rtol=1e-6)
    assert (made.units, made.layout, made.hash == store.hash) == ("metres", store.layout, False)
    with pytest.raises(ValueError, match="is in millimetres, which cannot be converted to pixels"):
        convert_store(store, tmp_path / "p.store", store.layout, units="pixels")
    assert not (tmp_path / "p.store").exists()


def test_labels_that_come_later(make_store, make_clip, tmp_path):
    unlabelled = [evolve(make_clip(0), label=-1), evolve(make_clip(1), label=-1)]
    store = make_store([*unlabelled, make_clip(1), BadFile("x", "bad")], classes=("a", "b"))
    labelled = with_labels(store, tmp_path / "new.store", {0: "c", 1: "a", 2: "b"})
    assert (labelled.classes, labelled.labels.tolist()) == (("a", "b", "c"), [2, 0, 1])
    assert labelled.digests.tolist() == store.digests.tolist()
    assert [bad.name for bad in labelled.bad_files] == ["x"]
    for labels, message in (
        ({9: "a"}, "has clips 0 to 2, there is a label for 9"),
        ({0: " "}, "the label of clip 0 is empty"),
        ({2: "a"}, "is 'b' in .* already, the new label is 'a'"),
    ):
        with pytest.raises(ValueError, match=message):
            with_labels(store, tmp_path / "no.store", labels)
    assert not (tmp_path / "no.store").exists()
