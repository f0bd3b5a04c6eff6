"""What folders, patterns of paths and tables tell of clips, in any import and in a store."""

import numpy as np
import pytest

from skel_data import SkeletonLayout, Store, get_split, import_dataset, label_store, summarise, warnings_of
from skel_data.readers._folders import Patterns, tell
from skel_data.splits._parts import part_of
from skel_data.store._labels import read_labels

BVH = b"""HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 3 Xposition Yposition Zposition
  JOINT Head
  {
    OFFSET 0 1 0
    CHANNELS 3 Zrotation Xrotation Yrotation
  }
}
MOTION
Frames: 6
Frame Time: 0.05
"""


def motion(seed=0):
    rows = np.random.default_rng(seed).normal(size=(6, 6)).round(3).tolist()
    return BVH + "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()


@pytest.fixture
def load(tmp_path):
    def run(paths, table=None, **settings):
        for seed, path in enumerate(paths):
            file = tmp_path / "data" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(motion(seed))
        if table is not None:
            (tmp_path / "table.csv").write_text(table)
            settings["labels"] = tmp_path / "table.csv"
        return import_dataset("bvh", tmp_path / "data", tmp_path / "a.store", overwrite=True, **settings)

    return run


def facts(store):
    """Class and subject by name of the clip."""

    def word(names, code):
        return None if code < 0 else names[code]

    return {
        str(name): (word(store.classes, label), word(store.subject_names, subject))
        for name, label, subject in zip(store.names, store.labels, store.subjects, strict=True)
    }


CASES = [
    (["a.bvh", "b.bvh"], {"a": (None, None), "b": (None, None)}),
    (["walk/a.bvh", "run/b.bvh"], {"a": ("walk", None), "b": ("run", None)}),
    (["walk/a.bvh", "walk/b.bvh"], {"a": (None, None), "b": (None, None)}),
    (["set/walk/a.bvh", "set/run/b.bvh"], {"a": ("walk", None), "b": ("run", None)}),
    (["S01/a.bvh", "S02/b.bvh"], {"a": (None, "S01"), "b": (None, "S02")}),
    (
        ["walk/S01/a.bvh", "walk/S01/e.bvh", "walk/S02/b.bvh", "run/S01/c.bvh", "run/S02/d.bvh"],
        {
            "a": ("walk", "S01"),
            "e": ("walk", "S01"),
            "b": ("walk", "S02"),
            "c": ("run", "S01"),
            "d": ("run", "S02"),
        },
    ),
    (
        ["subject_1/walk/a.bvh", "subject_1/run/b.bvh", "subject_2/walk/c.bvh", "subject_2/walk/d.bvh"],
        {
            "a": ("walk", "subject_1"),
            "b": ("run", "subject_1"),
            "c": ("walk", "subject_2"),
            "d": ("walk", "subject_2"),
        },
    ),
    (  # each clip in a folder of its own
        ["walk/one/a.bvh", "walk/two/b.bvh", "run/three/c.bvh"],
        {"a": ("walk", None), "b": ("walk", None), "c": ("run", None)},
    ),
]


@pytest.mark.parametrize(("paths", "expected"), CASES)
def test_folders_tell_class_and_subject(load, paths, expected):
    store = load(paths)
    assert facts(store) == expected
    assert store.listed_split is None


@pytest.mark.parametrize("parts", [("train", "test"), ("Training", "Validation"), ("train_set", "dev")])
def test_folders_tell_the_split(load, parts):
    store = load(
        [f"{part}/{name}/{part}{name}{k}.bvh" for part in parts for name in ("walk", "run") for k in "12"]
    )
    split = get_split(store)
    assert split.name == "listed"
    for clips, part in ((split.train, parts[0]), (split.test, parts[1])):
        assert all(name.startswith(part) for name in store.names[clips].tolist())
        assert len(clips) == 4
    assert store.classes == ("run", "walk")
    assert any("part of the split" in note for note in store.notes)


def test_folders_that_are_not_plain_are_refused(load):
    paths = ["walk/ann/a.bvh", "walk/ann/b.bvh", "run/bob/c.bvh", "run/bob/d.bvh"]
    with pytest.raises(
        ValueError, match=r"run, walk above ann, bob; say it with classes_from .*'\{\}/\*/\*'"
    ):
        load(paths)
    store = load(paths, classes_from="{}/*/*", subjects_from="*/{}/*")
    assert facts(store)["a"] == ("walk", "ann")
    assert facts(load(paths, classes_from="{}/*"))["c"] == ("bob", None)
    assert facts(load(paths, classes_from="none")) == dict.fromkeys("abcd", (None, None))
    mixed = load([*paths, "e.bvh"], classes_from="none")
    assert mixed.classes == ()
    with pytest.raises(ValueError, match=r"pattern '\{\}/\*/\*' does not match 'e'"):
        load(paths, classes_from="{}/*/*")


def test_files_in_several_depths_have_no_classes(load):
    store = load(["walk/a.bvh", "run/b.bvh", "c.bvh"])
    assert (store.classes, store.notes) == (
        (),
        ("folder names give no classes, as files lie 0 and 1 folders deep",),
    )


def test_patterns_of_names(load):
    paths = ["s01_walk_1.bvh", "s02_walk_1.bvh", "s02_run_2.bvh"]
    store = load(paths, classes_from="*_{}_*", subjects_from="{}_*_*")
    assert facts(store)["s02_run_2"] == ("run", "s02")
    store = load(paths, classes_from="/*_{}_*")
    assert store.classes == ("run", "walk")
    for pattern in ("walk", "{}{}", "*"):
        with pytest.raises(ValueError, match="once"):
            load(paths, classes_from=pattern)


def test_split_by_pattern(load):
    store = load(["a_train.bvh", "b_train.bvh", "c_val.bvh"], split_from="*_{}")
    assert store.listed_split.tolist() == [[1], [1], [2]]
    with pytest.raises(ValueError, match=r"the lists 'a' \(1 clip\), 'b' .* are no split"):
        load([], split_from="{}_*")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train", ("", "train")),
        ("xsub_training", ("xsub", "train")),
        ("TestSet", ("", "test")),
        ("cross-view.dev", ("cross_view", "val")),
        ("train1", ("1", "train")),
        ("contest", ("con", "test")),
        ("restrain", ("res", "train")),
        ("train_test", None),
        ("valley", None),
        ("all", None),
    ],
)
def test_words_for_parts(name, expected):
    assert part_of(name) == expected


TABLE = """name,class,subject,camera,split
a,walk,ann,front,train
b,run,bob,side,train
sub/c.bvh,walk,bob,front,test
"""


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_gives_facts(load, delimiter):
    store = load(["a.bvh", "b.bvh", "sub/c.bvh"], TABLE.replace(",", delimiter))
    assert facts(store) == {"a": ("walk", "ann"), "b": ("run", "bob"), "c": ("walk", "bob")}
    assert store.camera_names == ("front", "side")
    assert store.listed_split.tolist() == [[1], [1], [2]]
    assert store.notes[-1:] != ()


def test_numbers_in_a_table(load):
    store = load(["a.bvh", "b.bvh"], "Video,Label,Person\na.bvh,3,7\nb.bvh,0,11\n")
    assert (store.labels.tolist(), store.subjects.tolist()) == ([3, 0], [7, 11])
    assert (store.classes, store.subject_names) == (("0", "1", "2", "3"), ())


def test_what_does_not_go_together_is_told(load):
    store = load(["a.bvh", "b.bvh", "d.bvh"], "name,class\na,walk\nx,run\n")
    assert facts(store) == {"a": ("walk", None), "b": (None, None), "d": (None, None)}
    assert store.notes == (
        "1 of 2 names in the table is no clip's, such as 'x'",
        "2 clips are in no row of the table",
    )


def test_a_table_cuts_recordings(load):
    table = "name,class,start,end\na,walk,0,2\na,run,2,6\nb,walk,1,9\n"
    store = load(["a.bvh", "b.bvh"], table)
    assert store.names.tolist() == ["a_0-2", "a_2-6"]
    assert store.lengths.tolist() == [2, 4]
    assert [store.classes[label] for label in store.labels] == ["walk", "run"]
    assert [(bad.name, bad.reason) for bad in store.bad_files] == [
        ("b_1-9", "from frame 1 to 9, but the recording has 6")
    ]


def test_a_table_comes_after_folders(load):
    store = load(
        ["walk/S01/a.bvh", "walk/S02/b.bvh", "run/S01/a.bvh", "run/S02/b.bvh"],
        "name,class\nwalk/S01/a,sit\nrun/S01/a,sit\n",
    )
    assert store.classes == ("sit",)
    assert store.labels.tolist() == [0, -1, 0, -1]
    assert store.subject_names == ("S01", "S02")
    assert "4 clips share names with others, such as 'a'" in warnings_of(store)


def test_a_table_beside(tmp_path, load):
    load(["a.bvh", "b.bvh"])
    (tmp_path / "data" / "labels.csv").write_text("name,class\na,walk\nb,run\n")
    store = load([])
    assert (facts(store)["a"][0], store.notes) == ("walk", ("labels are those of labels.csv",))
    (tmp_path / "data" / "labels.csv").write_text("x,y\n1,2\n")
    store = load([])
    assert store.classes == ()
    assert store.notes[0].startswith("not taken as labels: labels.csv: the first line must name the columns")
    outside = tmp_path / "secret.csv"
    outside.write_text("name,class\na,walk\n")
    (tmp_path / "data" / "labels.csv").unlink()
    (tmp_path / "data" / "labels.csv").symlink_to(outside)
    assert load([]).classes == ()  # a link that leads out is not followed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first line must name the columns"),
        ("a,b\n1,2\n", "first line must name the columns: name, and some of class.*'a,b'"),
        ("name\na\n", "first line must name the columns"),
        ("name,class\n,walk\n", "row 2: no name"),
        ("name,start,end\na,0,x\n", "row 2: end must be a frame's number, not 'x'"),
        ("name,start,end\na,0,\n", "row 2: start and end go together"),
        ("name,class\na,walk\na,run\n", "'a' is in the table 2 times, without start and end"),
        ("name,split\na,one\nb,two\n", "are no split"),
        ("name,class\na,99999999\n", "more than 10000 classes need names"),
    ],
)
def test_reasons(load, text, reason):
    with pytest.raises(ValueError, match=reason):
        load(["a.bvh", "b.bvh"], text)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text in UTF-8"):
        read_labels(tmp_path / "t.csv")


def test_a_table_for_a_store(tmp_path, load):
    store = load(["a.bvh", "b.bvh", "c.bvh"])
    (tmp_path / "table.csv").write_text(TABLE)
    made = label_store(store, tmp_path / "table.csv", tmp_path / "b.store")
    assert facts(made) == {"a": ("walk", "ann"), "b": ("run", "bob"), "c": ("walk", "bob")}
    assert get_split(made).name == "listed"
    assert made.rates.tolist() == store.rates.tolist() == [20, 20, 20]
    again = label_store(store, tmp_path / "table.csv", store.path, overwrite=True)
    assert (again.hash, Store.open(store.path).hash) == (made.hash, made.hash)
    (tmp_path / "table.csv").write_text("name,class\nx,walk\n")
    with pytest.raises(ValueError, match="none of its names is a clip's"):
        label_store(made, tmp_path / "table.csv", tmp_path / "c.store")
    assert not (tmp_path / "c.store").exists()


def test_paths_may_be_told_by_others():
    told = tell({"walk/one/x": "walk/one", "run/two/x": "run/two", "run/six/x": "run/six"}, Patterns())
    assert told.classes == {"walk/one/x": "walk", "run/two/x": "run", "run/six/x": "run"}


def test_recordings_are_resampled(tmp_path):
    slow = motion().replace(b"Time: 0.05", b"Time: 0.1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bvh").write_bytes(motion())
    (tmp_path / "data" / "b.bvh").write_bytes(slow)
    store = import_dataset("bvh", tmp_path / "data", tmp_path / "a.store")
    assert store.rates.tolist() == [20, 10]
    assert summarise(store)["rates"] == {"10": 1, "20": 1}
    assert any("several frame rates: 10 (1 clip), 20 (1 clip)" in told for told in warnings_of(store))
    both = import_dataset("bvh", tmp_path / "data", tmp_path / "b.store", rate=20)
    assert both.lengths.tolist() == [6, 11]
    assert np.allclose(both.clip(1)[::2], store.clip(1))
    assert np.allclose(both.clip(1)[1], (store.clip(1)[0] + store.clip(1)[1]) / 2, atol=1e-6)
    fewer = import_dataset("bvh", tmp_path / "data", tmp_path / "c.store", rate=10)
    assert fewer.lengths.tolist() == [3, 6]
    assert np.allclose(fewer.clip(0), store.clip(0)[::2])
    (tmp_path / "data" / "b.bvh").write_bytes(motion().replace(b"Time: 0.05", b"Time: 1000"))
    one = import_dataset("bvh", tmp_path / "data", tmp_path / "e.store", rate=20)
    assert (one.names.tolist(), one.bad_files[0].name) == (["a"], "b")
    assert one.bad_files[0].reason == "0.001 frames a second are too few to be resampled to 20"
    for wrong in ({"rate": 0}, {"fps": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be above 0"):
            import_dataset("bvh", tmp_path / "data", tmp_path / "d.store", **wrong)


def test_test_classes_that_training_lacks_are_told(load):
    store = load(["train/walk/a.bvh", "train/walk/b.bvh", "test/walk/c.bvh", "test/run/d.bvh"])
    assert "split 'listed': 1 test class has no training clip: run" in warnings_of(store)


def test_a_layout_of_few_joints_can_be_given(load):
    layout = SkeletonLayout.from_dict({"joints": ["Head", "Hips"], "bones": [["Head", "Hips"]]})
    assert load(["walk/a.bvh", "run/b.bvh"], layout=layout).classes == ("run", "walk")
