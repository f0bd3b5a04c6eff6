import csv

import numpy as np
import pytest

from skel_data import SkeletonLayout, get_layout, import_dataset
from skel_data.readers.arrays._columns import find_columns

ARM = SkeletonLayout.from_dict(
    {
        "name": "arm",
        "joints": ["shoulder", "elbow", "wrist"],
        "bones": [["elbow", "shoulder"], ["wrist", "elbow"]],
    }
)


def numbers(seed=0, shape=(5, 3, 3)):
    return np.random.default_rng(seed).normal(size=shape).round(4)


def wide(values, axes="xyz", joints=ARM.joints, form="{joint}_{axis}"):
    header = [form.format(joint=joint, axis=axis) for joint in joints for axis in axes]
    return header, values.reshape(len(values), -1).tolist()


def write(path, header, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])


@pytest.fixture
def load(tmp_path):
    def run(source=tmp_path / "d", layout=ARM, **settings):
        return import_dataset("csv", source, tmp_path / "a.store", layout=layout, overwrite=True, **settings)

    return run


@pytest.mark.parametrize(
    "form",
    [
        "{joint}_{axis}",
        "{joint}.{axis}",
        "{joint} {axis}",
        "{axis}_{joint}",
        "{joint}[{axis}]",
        "{joint}/{axis}",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_wide(tmp_path, load, form, delimiter):
    header, rows = wide(numbers(), form=form)
    write(tmp_path / "d" / "a.csv", header, rows, delimiter)
    assert np.array_equal(load().clip(0)[:, 0], numbers().astype(np.float32))


@pytest.mark.parametrize("bad", ["x", "1..5"])
def test_a_damaged_field_costs_its_joint_there(tmp_path, load, bad):
    header, rows = wide(numbers())
    rows[1][4] = bad
    write(tmp_path / "d" / "a.csv", header, rows)
    store = load()
    assert [bad.reason for bad in store.bad_files] == [
        f"row 3: not a number: {bad!r}; the joint is missing there"
    ]
    clip = store.clip(0)[:, 0]
    assert np.isnan(clip[1, 1]).any()
    assert np.array_equal(np.delete(clip, 1, 1), np.delete(numbers(), 1, 1).astype(np.float32))


@pytest.mark.parametrize("first", [0, 1])
def test_numbered_joints_are_those_of_mediapipe(tmp_path, load, first):
    values = numbers(0, (6, 33, 4))
    header, rows = wide(values, "xyzv", range(first, 33 + first), "{axis}{joint}")
    write(
        tmp_path / "d" / "a.csv",
        ["frame", "label", *header],
        [[t, "squat", *row] for t, row in enumerate(rows)],
    )
    store = load(layout=None)
    assert (store.layout, store.classes, store.labels.tolist()) == (
        get_layout("mediapipe-33"),
        ("squat",),
        [0],
    )
    assert np.array_equal(store.clip(0)[:, 0], values.astype(np.float32) * np.float32([1, -1, -1, 1]))


def test_joints_in_another_order_and_spelling(tmp_path, load):
    header, rows = wide(numbers(), joints=["Wrist", "ELBOW", "Shoulder"])
    write(tmp_path / "d" / "a.csv", header, rows)
    assert np.array_equal(load().clip(0)[:, 0], numbers()[:, ::-1].astype(np.float32))


def test_the_preset_that_has_these_joints(tmp_path, load):
    layout = get_layout("ntu-25")
    header, rows = wide(numbers(0, (5, 25, 3)), joints=[name.replace(" ", "_") for name in layout.joints])
    write(tmp_path / "d" / "a.csv", header, rows)
    assert load(layout=None).layout == layout


def test_long(tmp_path, load):
    values = numbers()
    rows = [
        [frame + 3, joint, *values[frame, at]] for frame in range(5) for at, joint in enumerate(ARM.joints)
    ]
    write(tmp_path / "d" / "a.csv", ["frame", "joint", "x", "y", "z"], rows[::-1])
    store = load()
    assert np.array_equal(store.clip(0)[:, 0], values.astype(np.float32))
    del rows[4]
    write(tmp_path / "d" / "a.csv", ["frame", "joint", "x", "y", "z"], rows)
    clip = load().clip(0)
    assert np.isnan(clip[1, 0, 1]).all()
    assert np.array_equal(clip[1, 0, 2], values[1, 2].astype(np.float32))
    write(tmp_path / "d" / "a.csv", ["frame", "joint", "x", "y", "z"], [*rows, rows[0]])
    with pytest.raises(ValueError, match="frame 3: joint shoulder more than once"):
        load()


def test_long_in_two_dimensions_and_facts(tmp_path, load):
    layout = SkeletonLayout.from_dict({**ARM.to_dict(), "dims": 2})
    rows = [
        [clip, "wave" if clip == "b" else "clap", f, joint, f, 2, 0.5]
        for clip in "ba"
        for f in range(3)
        for joint in ARM.joints
    ]
    write(tmp_path / "d.csv", ["video", "action", "frame", "keypoint", "x", "y", "score"], rows)
    store = load(tmp_path / "d.csv", layout=layout)
    assert (store.names.tolist(), store.classes, store.labels.tolist()) == (
        ["b", "a"],
        ("clap", "wave"),
        [1, 0],
    )
    assert store.clip(0)[2, 0, 1].tolist() == [2, 2, 0.5]


def test_people_frames_and_gaps(tmp_path, load):
    header, _ = wide(numbers())
    one, two = numbers(1), numbers(2)
    rows = [
        [10 * t, name, *(one if name == "ann" else two)[t].reshape(-1)]
        for t in (0, 1, 3)
        for name in ("ann", "bob")
    ]
    rows.append([40, "bob", *two[4].reshape(-1)])
    write(tmp_path / "d" / "a.csv", ["frame", "person", *header], rows)
    store = load()
    assert store.clip(0).shape == (5, 2, 3, 3)
    assert store.tracks(0).tolist() == [[1, 2], [1, 2], [0, 0], [1, 2], [0, 2]]
    assert np.array_equal(store.clip(0)[3], np.stack([one[3], two[3]]).astype(np.float32))
    write(tmp_path / "d" / "a.csv", ["frame", *header], [row[:1] + row[2:] for row in rows])
    with pytest.raises(ValueError, match="frame 0: more than once"):
        load()


def test_facts(tmp_path, load):
    header, rows = wide(numbers())
    about = [
        ["train", "ann", 2, "wave"],
        ["train", "ann", 2, "wave"],
        ["val", "bob", 1, "clap"],
        ["val", "bob", 1, "clap"],
    ]
    write(
        tmp_path / "d" / "a.csv",
        ["split", "subject", "camera", "label", *header],
        [fact + row for fact, row in zip(about, rows, strict=False)],
    )
    store = load()
    assert store.names.tolist() == ["a_0", "a_1"]
    assert (store.subjects.tolist(), store.subject_names) == ([0, 1], ("ann", "bob"))
    assert (store.cameras.tolist(), store.labels.tolist()) == ([2, 1], [1, 0])
    assert store.listed_split.reshape(-1).tolist() == [1, 2]


def test_rows_of_a_clip_that_lie_apart(tmp_path, load):
    header, rows = wide(numbers())
    clips = ["b", "a", "b", "a", "b"]
    write(
        tmp_path / "d" / "a.csv", ["clip", *header], [[c, *row] for c, row in zip(clips, rows, strict=True)]
    )
    store = load()
    assert (store.names.tolist(), store.lengths.tolist()) == (["b", "a"], [3, 2])
    assert np.array_equal(store.clip(1)[1, 0], numbers()[3].astype(np.float32))


def test_numbered_labels_beside_named_subjects(tmp_path, load):
    header, rows = wide(numbers())
    write(tmp_path / "d" / "a.csv", ["label", "subject", *header], [[2, "ann", *row] for row in rows])
    store = load()
    assert (store.labels.tolist(), store.classes, store.subject_names) == ([2], ("0", "1", "2"), ("ann",))


def test_class_folders_and_empty_fields(tmp_path, load):
    header, rows = wide(numbers())
    rows[1][3:6] = ["", "NaN", "null"]
    write(tmp_path / "d" / "clap" / "a.csv", header, rows)
    write(tmp_path / "d" / "wave" / "b.tsv", header, rows, "\t")
    (tmp_path / "d" / "wave" / "c.csv").write_bytes(
        b"\xef\xbb\xbf" + (tmp_path / "d" / "clap" / "a.csv").read_bytes()
    )
    store = load()
    assert (store.classes, store.labels.tolist()) == (("clap", "wave"), [0, 1, 1])
    for index in range(3):
        clip = store.clip(index)
        assert np.isnan(clip[1, 0, 1]).all()
        assert np.array_equal(clip[2:, 0], numbers()[2:].astype(np.float32))


def test_a_row_of_another_width_is_left_out(tmp_path, load):
    header, rows = wide(numbers())
    rows[1] = rows[1][:-1]
    rows[2][0] = "x"
    write(tmp_path / "d" / "a.csv", header, rows)
    store = load()
    assert np.array_equal(store.clip(0)[2:, 0], numbers()[3:].astype(np.float32))
    assert [bad.reason.partition(":")[0] for bad in store.bad_files] == ["row 3", "row 4"]
    assert store.bad_files[0].reason.endswith("the row is left out")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "no columns of joints"),
        ("", "empty file"),
        ("elbow_x,elbow_y,elbow_z\n1,2,3\n", "no joint shoulder, wrist"),
        ("GOOD\n", "no row"),
        ("GOOD\n1,2,3,4,5,6,7,8,x\n", "row 2: not a number: 'x'"),
        ("GOOD\n1,2,3,4,5,6,7,8,9,10\n", "row 2: 10 fields, the header has 9"),
        ("GOOD\n1,2,3\n", "row 2: 3 fields, the header has 9"),
        ("frame,GOOD\n1.5,1,2,3,4,5,6,7,8,9\n", "frame 1.5, expected a whole number"),
        (
            "frame,GOOD\n0,1,2,3,4,5,6,7,8,9\n1,1,2,3,4,5,6,7,8,9\n999999999,1,2,3,4,5,6,7,8,9\n",
            "no recording",
        ),
        ("split,GOOD\nmaybe,1,2,3,4,5,6,7,8,9\n", "split 'maybe'"),
        ("subject,GOOD\n1e99,1,2,3,4,5,6,7,8,9\n", "no usable clip|subject"),
    ],
)
def test_tables_that_are_none(tmp_path, load, text, reason):
    header, rows = wide(numbers())
    write(tmp_path / "d" / "a.csv", header, rows)
    (tmp_path / "d" / "b.csv").write_text(text.replace("GOOD", ",".join(header)))
    store = load()
    if store.bad_files:
        assert any(word in store.bad_files[0].reason for word in reason.split("|"))
    else:
        assert "subject" in reason


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (None, "3 joints, shoulder, elbow, wrist, of which no preset has all, so a layout"),
        ("coco-17", "3 coordinates for each joint"),
    ],
)
def test_layouts_that_do_not_fit(tmp_path, load, layout, reason):
    write(tmp_path / "d" / "a.csv", *wide(numbers()))
    with pytest.raises(ValueError, match=reason):
        load(layout=layout)


@pytest.mark.parametrize(
    ("header", "joints", "axes"),
    [
        ("frame,SpineBase_X,SpineBase_Y,SpineBase_Z", ["SpineBase"], "xyz"),
        ("LeftHandX,LeftHandY,HeadX,HeadY", ["LeftHand", "Head"], "xy"),
        ("x[0],y[0],vis[0]", ["0"], "xyc"),
        ("landmark_0_x,landmark_0_y,landmark_0_v", ["landmark_0"], "xyc"),
        ("nose_x,nose_y,nose_likelihood,bbox_x,score", ["nose"], "xyc"),
        ("index,time,x_nose,y_nose", ["nose"], "xy"),
    ],
)
def test_headers(header, joints, axes):
    found = find_columns(header.split(","))
    assert (list(found.joints), found.axes) == (joints, axes)
