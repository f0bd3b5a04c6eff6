"""Readers ``msr-daily``, ``florence-3d``, ``kard``, ``cad-60``, ``dhg``, ``shrec17`` and ``ntu-npy``."""

import numpy as np
import pytest

from skel_data import get_layout, get_split, import_dataset, split_names
from skel_data.readers.datasets._msr_daily import parse as parse_msr


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).round(4)


def lines(rows, separator=" "):
    return "\n".join(separator.join(map(str, row)) for row in np.asarray(rows).tolist()) + "\n"


def dump(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def load(tmp_path):
    def run(kind, **settings):
        return import_dataset(kind, tmp_path / "d", tmp_path / "a.store", overwrite=True, **settings)

    return run


def same(clip, expected):
    return np.array_equal(clip, np.asarray(expected, np.float32))


def msr(bodies):
    """Text of frames, each a list of bodies (20, 3)."""
    text = f"{len(bodies)} 20\n"
    for frame in bodies:
        text += f"{40 * len(frame)}\n"
        for body in frame:
            for joint in body.tolist():
                text += " ".join(map(str, [*joint, 1])) + "\n0.5 0.5 900 1\n"
    return text


def test_msr_daily(tmp_path, load):
    one, two = numbers(2, 20, 3)
    dump(tmp_path / "d" / "a16_s03_e02_skeleton.txt", msr([[one], [], [two, one]]))
    dump(tmp_path / "d" / "a01_s04_e01_skeleton.txt", msr([[one]]))
    store = load("msr-daily")
    assert (store.layout, store.names.tolist()) == (get_layout("kinect-20"), ["a01_s04_e01", "a16_s03_e02"])
    assert (store.classes[15], store.labels.tolist(), store.subjects.tolist()) == (
        "sit down",
        [0, 15],
        [4, 3],
    )
    clip = store.clip(1)
    assert same(clip[2], [two, one])
    assert same(clip[0, 0], one)
    assert not clip[1].any()
    assert get_split(store).train.tolist() == [1]


GOOD = msr([[numbers(20, 3)]] * 3)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a17_s01_e01_skeleton", GOOD, "action a17"),
        ("a1_s01_e01_skeleton", GOOD, "unexpected name"),
        ("a01_s01_e01_skeleton", GOOD[:-30], "cut off in frame 3 of 3"),
        ("a01_s01_e01_skeleton", GOOD + "1", "1 number after"),
        ("a01_s01_e01_skeleton", "3 25\n", "20 joints"),
        ("a01_s01_e01_skeleton", "3 20\n41\n", "41 rows"),
        ("a01_s01_e01_skeleton", "9999999999 20\n", "expected the number of frames"),
        ("a01_s01_e01_skeleton", "nan 20\n", "expected the number of frames"),
        ("a01_s01_e01_skeleton", "x", "not a number"),
        ("a01_s01_e01_skeleton", msr([[]]), "no finite coordinate|no joint"),
    ],
)
def test_msr_daily_that_is_none(name, text, reason):
    if "no joint" in reason:
        (clip,) = parse_msr(name, text.encode())
        assert not clip.positions.any()  # which a store refuses
        return
    with pytest.raises(ValueError, match=reason):
        parse_msr(name, text.encode())


def test_florence(tmp_path, load):
    x = numbers(7, 15, 3)
    keys = [[1, 1, 1]] * 3 + [[2, 1, 1]] * 2 + [[3, 2, 9], [4, 2, 10]]
    rows = [key + joints.reshape(-1).tolist() for key, joints in zip(keys, x, strict=True)]
    dump(
        tmp_path / "d" / "Florence_dataset_WorldCoordinates.txt",
        "\n".join(" ".join(map(str, r)) for r in rows),
    )
    store = load("florence-3d")
    assert (store.names.tolist(), store.lengths.tolist()) == (["video 1", "video 2", "video 3"], [3, 2, 1])
    assert (store.labels.tolist(), store.replications.tolist()) == ([0, 0, 8], [1, 2, 1])
    assert store.layout.joints[5] == "left wrist"
    assert store.layout.joints[14] == "right ankle"
    assert same(store.clip(1)[:, 0], x[3:5])
    assert "category 10" in store.bad_files[0].reason
    assert get_split(store).test.tolist() == [0, 1]


@pytest.mark.parametrize("lost", [0, 1, 2, 4])
def test_florence_without_a_row(tmp_path, load, lost):
    """A row that cannot be read belongs to the clip of the row before it."""
    x = numbers(5, 15, 3)
    keys = [[1, 1, 1]] * 3 + [[2, 1, 1]] * 2
    rows = [" ".join(map(str, [*key, *joints.reshape(-1)])) for key, joints in zip(keys, x, strict=True)]
    rows[lost] = "x" + rows[lost]
    dump(tmp_path / "d" / "Florence_dataset_WorldCoordinates.txt", "\n".join(rows))
    store = load("florence-3d")
    assert store.lengths.tolist() == [3, 2]
    assert [bad.reason.partition(":")[0] for bad in store.bad_files] == [f"line {lost + 1}"]
    clips = np.concatenate([store.clip(0), store.clip(1)])[:, 0]
    assert np.isnan(clips[lost]).all()
    assert same(np.delete(clips, lost, 0), np.delete(x, lost, 0))


def test_kard(tmp_path, load):
    x = numbers(4, 15, 3)
    dump(tmp_path / "d" / "a04_s03_e02_realworld.txt", lines((x * 1000).reshape(-1, 3)))
    dump(tmp_path / "d" / "a04_s03_e02_screen.txt", lines(x.reshape(-1, 3)))
    dump(tmp_path / "d" / "a04_s03_e03_realworld.txt", lines(x.reshape(-1, 3)[:-1]))
    store = load("kard")
    layout = store.layout
    assert (layout.name, store.classes[store.labels[0]], store.subjects[0]) == ("sbu-15", "catch cap", 3)
    clip = store.clip(0)[:, 0]
    for name, place in (("head", 0), ("torso", 8), ("left hand", 7), ("right knee", 10), ("left foot", 14)):
        assert np.allclose(clip[:, layout.joints.index(name)], x[:, place], atol=1e-6)
    assert [bad.reason for bad in store.bad_files] == ["59 lines, expected 15 for each frame"]


def test_a_damaged_number_costs_the_joint(tmp_path, load):
    x = numbers(3, 15, 3)
    rows = lines((x * 1000).reshape(-1, 3)).splitlines()
    rows[15 + 8] = "1 2"  # the torso in the second frame
    dump(tmp_path / "d" / "a04_s03_e02_realworld.txt", "\n".join(rows))
    one = msr(numbers(3, 1, 20, 3)).splitlines()
    one[2] = "0.1 x 0.3 1"  # the first joint
    dump(tmp_path / "m" / "a01_s04_e01_skeleton.txt", "\n".join(one))
    store = load("kard")
    lost = np.isnan(store.clip(0))
    assert lost.any(-1).sum() == 1
    assert lost[1, 0, store.layout.joints.index("torso")].all()
    assert [bad.reason for bad in store.bad_files] == [
        "line 24: 2 fields, expected 3; the joint is missing there"
    ]
    bad, clip = parse_msr("a01_s04_e01_skeleton", (tmp_path / "m" / "a01_s04_e01_skeleton.txt").read_bytes())
    assert bad.reason == "1 word not a number; the joint is missing there"
    assert np.argwhere(np.isnan(clip.positions)).tolist() == [[0, 0, 0, 1]]


def test_cad60(tmp_path, load):
    x = numbers(3, 15, 3)
    rows = []
    for t, joints in enumerate(x * 1000):
        row = [t + 1]
        for joint in joints[:11]:
            row += [0] * 9 + [1, *joint, 1]
        for joint in joints[11:]:
            row += [*joint, 1]
        rows.append(",".join(map(str, row)) + ",")
    text = "\n".join([*rows, "END", ""])
    for subject in (1, 2):
        dump(tmp_path / "d" / f"data{subject}" / "0512164529.txt", text)
        dump(
            tmp_path / "d" / f"data{subject}" / "activityLabel.txt", "0512164529,talking on the phone,\nEND\n"
        )
    dump(tmp_path / "d" / "data2" / "0512164530.txt", text)
    dump(tmp_path / "d" / "data2" / "0512164531.txt", text[:-5])
    dump(tmp_path / "d" / "data1" / "activityLabel.txt", "0512164529,still,\n0512164531,still,\n")
    store = load("cad-60")
    assert (store.classes, store.labels.tolist()) == (("still", "talking on the phone"), [0, 1])
    assert store.subjects.tolist() == [1, 2]
    assert "subject-2" in split_names(store)
    clip, layout = store.clip(0)[:, 0], store.layout
    for name, place in (
        ("head", 0),
        ("left elbow", 4),
        ("left hand", 11),
        ("right hand", 12),
        ("right foot", 14),
    ):
        assert np.allclose(clip[:, layout.joints.index(name)], x[:, place], atol=1e-6)
    assert ["no class of it" in bad.reason for bad in store.bad_files] == [True, True]
    dump(tmp_path / "d" / "data1" / "0512164529.txt", "\n".join([rows[0], rows[1][1:], *rows[2:], "END", ""]))
    store = load("cad-60")
    assert store.bad_files[0].reason == "line 2: not a number: b''; the frame is missing"
    assert [np.isnan(frame).all() for frame in store.clip(0)] == [False, True, False]


@pytest.mark.parametrize(("kind", "name"), [("dhg", "skeleton_world"), ("shrec17", "skeletons_world")])
def test_hands(tmp_path, load, kind, name):
    x = numbers(5, 22, 3)
    keys = [(1, 1, 1, 1), (1, 2, 2, 1), (14, 2, 2, 5)]
    for g, f, s, e in keys:
        dump(
            tmp_path / "d" / f"gesture_{g}/finger_{f}/subject_{s}/essai_{e}/{name}.txt",
            lines(x.reshape(5, -1)),
        )
    dump(tmp_path / "d" / "gesture_1" / f"{name}.txt", lines(x.reshape(5, -1)))
    dump(tmp_path / "d" / "train_gestures.txt", "1 1 1 1 1 1 5\n1 2 2 1 1 2 5\nx\n")
    dump(tmp_path / "d" / "test_gestures.txt", "14 2 2 5 14 28 5\n")
    few, many = load(f"{kind}-14"), None
    assert (few.layout, few.labels.tolist(), few.classes[13]) == (get_layout("hand-22"), [0, 0, 13], "shake")
    assert same(few.clip(2)[:, 0], x)
    assert few.replications.tolist() == [1, 1, 5]
    split = get_split(few)
    if kind == "dhg":
        assert (split.name, split.test.tolist()) == ("subject-1", [0])
    else:
        assert (split.name, split.test.tolist()) == ("listed", [2])
    assert len(few.bad_files) == (1 if kind == "dhg" else 2)
    many = load(f"{kind}-28")
    assert (many.labels.tolist(), len(many.classes)) == ([0, 1, 27], 28)
    assert many.classes[27] == "shake, whole hand"


def test_a_damaged_row_of_a_hand_costs_no_other(tmp_path, load):
    x = numbers(5, 22, 3)
    path = "gesture_3/finger_1/subject_20/essai_1/skeleton_world.txt"
    dump(tmp_path / "d" / path, lines(x.reshape(5, -1)).replace(str(x[2].reshape(-1)[7]), "x"))
    store = load("dhg-14")
    assert store.bad_files[0].reason == "line 3: not a number: b'x'; the frame is missing"
    assert same(np.delete(store.clip(0)[:, 0], 2, 0), np.delete(x, 2, 0))


def test_dhg_is_cut_to_the_gestures(tmp_path, load):
    x = numbers(5, 22, 3)
    for essai in range(1, 6):
        path = f"gesture_3/finger_1/subject_20/essai_{essai}/skeleton_world.txt"
        dump(tmp_path / "d" / path, lines(x.reshape(5, -1)))
    cuts = "3 1 20 1 1 3\n3 1 20 2 2 5\n3 1 20 3 3 2\n3 1 20 4 0 6\n3 1 20\n"
    dump(tmp_path / "d" / "informations_troncage_sequences.txt", cuts)
    store = load("dhg-14")
    assert store.replications.tolist() == [1, 2, 5]
    for number, frames in enumerate((x[1:4], x[2:], x)):
        assert same(store.clip(number)[:, 0], frames)
    assert [bad.reason for bad in store.bad_files] == [
        "line 5: expected gesture, finger, subject, essai, two frames",
        "gesture from frame 3 to 2 of 5",
        "gesture from frame 0 to 6 of 5",
    ]


def save(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, content)


def test_ntu_npy(tmp_path, load):
    one, two = numbers(2, 4, 25, 3)
    two[2] = 0
    facts = {"file_name": "x", "nbodys": [2, 2, 1, 2], "njoints": 25, "rgb_body0": numbers(4, 25, 2)}
    save(tmp_path / "d" / "S001C002P003R001A050.skeleton.npy", skel_body0=one, skel_body1=two, **facts)
    save(tmp_path / "d" / "S001C002P003R001A051.skeleton.npy", skel_body0=one[:, :20])
    save(tmp_path / "d" / "S001C002P003R002A051.skeleton.npy", nothing=1)
    save(tmp_path / "d" / "S001C002P004R001A008.skeleton.npy", skel_body0=one)
    save(
        tmp_path / "d" / "S001C002P005R002A008.skeleton.npy", skel_body0=one
    )  # one that the set lists as bad
    store = load("ntu-npy")
    assert (store.dataset, len(store.classes), store.labels.tolist()) == ("ntu60", 60, [49, 7])
    assert same(store.clip(0), np.stack([one, two], 1))
    assert store.tracks(0).tolist() == [[1, 2], [1, 2], [1, 0], [1, 2]]
    assert (store.subjects[0], store.cameras[0]) == (3, 2)
    assert "expected (25, 3)" in store.bad_files[0].reason
    assert "no arrays skel_body0" in store.bad_files[1].reason
    assert store.bad_files[2].listed
    assert get_split(store).name == "xsub"


def test_ntu_npy_runs_nothing(tmp_path, load, capsys):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    save(tmp_path / "d" / "S001C002P003R001A050.skeleton.npy", skel_body0=Evil())
    with pytest.raises(ValueError, match="refused"):
        load("ntu-npy")
    assert capsys.readouterr().out == ""
