import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve, fields
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import (
    READERS,
    BadFile,
    Clip,
    Default,
    Source,
    SynthSettings,
    build_clips,
    get_layout,
    get_split,
    import_dataset,
    stream,
    synth_clips,
    synth_store,
    write_ntu_skeleton,
)
from skel_data.readers.datasets._ntu import parse, parse_text
from skel_data.synth import write_ntu_folder
from skel_data.synth._actions import ACTIONS
from skel_data.synth._body import ANGLES, BONES, pose
from skel_data.synth._pairs import PAIRS
from skel_data.synth._settings import MOST_CLASSES, MOST_PAIRS

SMALL = SynthSettings(classes=4, subjects=3, cameras=2, repetitions=1, noise=0.0, hidden=0.0)
TWO = evolve(SMALL, classes=0, pairs=len(PAIRS), late=0.0, swapped=0.0)
FAULTY = evolve(TWO, pairs=3, noise=0.01, hidden=0.5, late=0.6, swapped=0.6, ghosts=0.6, longest=45)


def facts(clip):
    return clip.name, clip.label, clip.subject, clip.camera, clip.replication, clip.split


def test_same_seed_same_recordings():
    first, again = list(synth_clips(SMALL)), list(synth_clips(SMALL))
    assert len(first) == 4 * 3 * 2
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(first, again, strict=True))
    other = next(synth_clips(SynthSettings(classes=4, seed=1)))
    assert other.positions.shape != first[0].positions.shape or (other.positions != first[0].positions).any()


def test_actions_of_two():
    clips = list(synth_clips(evolve(TWO, classes=2)))
    assert len(clips) == (2 + len(PAIRS)) * 3 * 2
    assert [clip.positions.shape[1] for clip in clips] == 2 * 6 * [1] + len(PAIRS) * 6 * [2]
    assert [clip.tracks is None for clip in clips] == 2 * 6 * [True] + len(PAIRS) * 6 * [False]
    assert [clip.label for clip in clips[::6]] == list(range(12))
    for clip in clips[12:]:
        assert (clip.tracks == clip.tracks[0]).all()
        assert len({*clip.tracks[0], 0}) == 3
        assert {len(str(track)) for track in clip.tracks[0]} == {17}


def test_settings_know_how_many_actions_there_are():
    assert (len(ACTIONS), len(PAIRS)) == (MOST_CLASSES, MOST_PAIRS)


def test_default_recordings_stay_what_they_are():
    """Published results are of these recordings. To 0.01 mm: the last bit may differ between machines."""
    found = hashlib.blake2b(digest_size=16)
    for clip in synth_clips():
        known = clip.name, clip.label, clip.subject, clip.camera, clip.setup, clip.replication, clip.split
        found.update(repr((*known, clip.tracks, clip.positions.shape)).encode())
        found.update(np.rint(clip.positions.astype(np.float64) * 1e5).astype("<i4").tobytes())
    assert found.hexdigest() == "ee8e3247afa4efb6b1bc64a61e2f116f"


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes": 13},
        {"classes": 1},
        {"subjects": 1},
        {"hidden": 2.0},
        {"longest": 10},
        {"pairs": 11},
        {"pairs": 1, "classes": 0},
        {"spread": 181.0},
        {"tempo": 2.5},
        {"difficulty": -1.0},
        {"late": 1.5},
        {"layout": "hand-21"},
        {"layout": "ntu-26"},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=str(wrong.get("layout", next(iter(wrong))))):
        SynthSettings(**wrong)


def test_writer_errors():
    good = np.ones((2, 1, 25, 3))
    for positions, tracks, reason in (
        (np.ones((2, 1, 24, 3)), None, "24, 3"),
        (good, np.ones((1, 1), int), "tracks"),
        (good, np.full((2, 1), -1), "negative"),
        (good * np.nan, None, "finite"),
    ):
        with pytest.raises(ValueError, match=reason):
            write_ntu_skeleton(io.BytesIO(), positions, tracks)


def clip_of(**changes):
    known = {"name": "one", "label": 0, "subject": 1, "camera": 2, "replication": 3}
    return Clip(**{"positions": np.ones((2, 1, 25, 3)), **known, **changes})


@pytest.mark.parametrize(
    ("clips", "reason"),
    [
        ([], "no clip"),
        ([clip_of(label=-1)], "'one'.*known"),
        ([clip_of(), clip_of(subject=1000)], "'one'.*999"),
        ([clip_of(), clip_of(name="two")], "'one' and 'two' would both be S001C002P001R003A001.skeleton"),
        ([clip_of(positions=np.ones((2, 1, 20, 3)))], "'one'.*20, 3"),
        ([clip_of(), clip_of(subject=2, positions=np.full((2, 1, 25, 3), np.nan))], "'one'.*finite"),
    ],
)
def test_folder_is_written_as_a_whole_or_not_at_all(tmp_path, clips, reason):
    with pytest.raises(ValueError, match=reason):
        write_ntu_folder(tmp_path / "raw", clips)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "raw").mkdir()
    with pytest.raises(FileExistsError, match="raw exists"):
        write_ntu_folder(tmp_path / "raw", [clip_of()])
    assert list((tmp_path / "raw").iterdir()) == []


def test_file_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def fail(self, target):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_ntu_skeleton(tmp_path / "a.skeleton", np.ones((2, 1, 25, 3)))
    assert list(tmp_path.iterdir()) == []


def test_text_has_the_form_of_the_format():
    positions = np.ones((2, 2, 25, 3))
    positions[0, 1] = 0
    positions[1, 0, 7] = 0
    file = io.BytesIO()
    write_ntu_skeleton(file, positions)
    text = file.getvalue().decode()
    assert text.count("\n") == text.count("\r\n") == 1 + 2 + 3 * 27
    lines = text.split("\r\n")
    assert lines[:2] == ["2", "1"]
    assert lines[29] == "2"
    bodies = [lines[2], lines[30], lines[57]]
    assert [len(body.split()) for body in bodies] == [10] * 3
    assert [len(body.split()[0]) for body in bodies] == [17] * 3
    assert bodies[0].split()[0] == bodies[1].split()[0] != bodies[2].split()[0]
    assert {len(line.split()) for line in lines[4:29]} == {12}
    assert lines[39].split()[:3] == ["0", "0", "0"]
    assert [lines[at].split()[-1] for at in (38, 39, 40)] == ["2", "0", "2"]


def test_bones_keep_their_length_and_belong_to_the_subject():
    layout = get_layout("ntu-25")
    by_subject = {}
    for clip in synth_clips(SMALL):
        bones = np.linalg.norm(stream(clip.positions.transpose(3, 0, 2, 1), "bone", layout), axis=0)[..., 0]
        rigid = [
            joint for joint in range(25) if joint not in (21, 23)
        ]  # hand tip and thumb are siblings here
        np.testing.assert_allclose(bones[:, rigid], np.tile(bones[:1, rigid], (len(bones), 1)), atol=1e-4)
        by_subject.setdefault(clip.subject, []).append(bones[0, rigid])
    for bones in by_subject.values():
        np.testing.assert_allclose(bones, np.tile(bones[0], (len(bones), 1)), atol=1e-4)
    means = [bones[0].mean() for bones in by_subject.values()]
    assert len({round(mean, 4) for mean in means}) == 3


def test_body_stands_upright_and_faces_the_camera():
    layout = get_layout("ntu-25")
    joints = pose({}, np.ones((1, 25)), np.zeros((1, 1, 3)))[0, 0]
    place = dict(zip(layout.joints, joints, strict=True))
    assert sorted({0, *(joint for joint, *_ in BONES)}) == list(range(25))
    assert place["head"][1] > place["spine base"][1] > place["left knee"][1] > place["left ankle"][1]
    assert place["right shoulder"][0] > 0 > place["left shoulder"][0]
    assert place["left foot"][2] < place["left ankle"][2]  # toes towards the camera
    np.testing.assert_allclose(joints[list(layout.mirror)] * [-1, 1, 1], joints, atol=1e-12)


@pytest.mark.parametrize(
    ("angle", "joint", "axis", "sign"),
    [
        ("right raise", "right wrist", 2, -1),
        ("left raise", "left wrist", 2, -1),
        ("right spread", "right wrist", 0, 1),
        ("left spread", "left wrist", 0, -1),
        ("right elbow", "right wrist", 2, -1),
        ("left knee", "left ankle", 2, 1),
        ("left thigh", "left knee", 2, -1),
        ("bend", "head", 2, -1),
        ("nod", "head", 2, -1),
    ],
)
def test_angles_turn_the_right_way(angle, joint, axis, sign):
    layout = get_layout("ntu-25")
    moved = pose({angle: np.full((1, 1), 0.5)}, np.ones((1, 25)), np.zeros((1, 1, 3)))
    still = pose({}, np.ones((1, 25)), np.zeros((1, 1, 3)))
    way = (moved - still)[0, 0, layout.joints.index(joint), axis]
    assert angle in ANGLES
    assert way * sign > 0.01


def ridge(store):
    """Accuracy on the test part of ridge regression on the coordinates."""
    split = get_split(store)
    clips = build_clips(store, Default(), cache=False).reshape(len(store), -1).astype(np.float64)
    train, test = clips[split.train], clips[split.test]
    mean, spread = train.mean(0), train.std(0) + 1e-6
    train, test = (train - mean) / spread, (test - mean) / spread
    targets = np.eye(len(store.classes))[store.labels[split.train]] - 1 / len(store.classes)
    weights = np.linalg.solve(train @ train.T + 1000 * np.eye(len(train)), targets)
    return ((test @ train.T @ weights).argmax(1) == store.labels[split.test]).mean()


def test_default_is_a_hard_but_fair_benchmark(tmp_path):
    store = synth_store(tmp_path / "store")
    assert len(store) == 12 * 10 * 3 * 2
    assert store.classes == tuple(ACTIONS)
    assert store.lengths.min() >= 30
    assert store.lengths.max() <= 120
    assert np.bincount(store.labels).tolist() == [60] * 12
    split = get_split(store)
    assert (split.name, len(split.train), len(split.test)) == ("listed", 240, 120)
    assert not set(store.subjects[split.train]) & set(store.subjects[split.test])
    assert not set(store.cameras[split.train]) & set(store.cameras[split.test])
    missing = [(store.clip(i) == 0).all(-1).any() for i in range(len(store))]
    assert 0.2 < np.mean(missing) < 0.5
    assert 0.4 < ridge(store) < 0.75  # the poses are not enough, and not nothing


def test_one_view_and_one_frame(tmp_path):
    store = synth_store(tmp_path / "store", SynthSettings(cameras=1, subjects=2, shortest=1, longest=1))
    assert set(store.lengths) == {1}
    split = get_split(store)
    assert len(split.train) == len(split.test) == 24


def across(body):
    """Direction (T, 2) to the left of a body, on the floor (x, z)."""
    return (body[:, 4] - body[:, 8])[:, [0, 2]]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_two_stand_upright_and_face_each_other():
    for clip in synth_clips(TWO):
        one, other = clip.positions[:, 0], clip.positions[:, 1]
        way = (other - one)[:, 0][:, [0, 2]]
        for body, to in ((one, way), (other, -way)):
            left = across(body)
            ahead = np.stack([-left[:, 1], left[:, 0]], 1)  # with the left at -x, ahead is -z
            # The camera looks down by up to 12 degrees and persons twist a little
            assert ((unit(ahead) * unit(to)).sum(1) > 0.5).all(), clip.name
            assert (body[:, 3, 1] > body[:, 14, 1]).all()


def by_action(of):
    """A number for each clip of two, as means by action."""
    names, values = list(PAIRS), {}
    for clip in synth_clips(TWO):
        values.setdefault(names[clip.label], []).append(of(clip.positions[:, 0], clip.positions[:, 1]))
    return {name: np.mean(found, 0) for name, found in values.items()}


def test_two_do_what_the_name_says():
    def distances(one, other):
        apart = np.linalg.norm(one[:, 0] - other[:, 0], axis=-1)
        hands = [np.linalg.norm(one[:, a] - other[:, b], axis=-1).min() for a in (7, 11) for b in (7, 11)]
        return apart[0], apart.min(), apart[-1], min(hands)

    start, least, end, hands = np.transpose(list(by_action(distances).values()))
    place = {name: i for i, name in enumerate(PAIRS)}
    for name in ("shake hands", "hand over"):
        assert hands[place[name]] < 0.3
        assert abs(start - end)[place[name]] < 0.05
    assert least[place["hug"]] < 0.45 < 0.9 < end[place["hug"]]
    assert end[place["push"]] > start[place["push"]] + 0.2
    assert end[place["pull"]] < start[place["pull"]] - 0.2
    assert end[place["kick"]] > start[place["kick"]] + 0.1
    assert end[place["walk towards"]] < start[place["walk towards"]] - 1.2
    assert end[place["back away"]] > start[place["back away"]] + 1.2
    assert abs(start - end)[place["point at"]] < 0.05


def test_partner_is_another_and_always_the_same():
    def size(body):
        return round(float(np.linalg.norm(body[0, 5] - body[0, 4])), 4)

    sizes = {}
    for clip in synth_clips(TWO):
        both = frozenset(size(clip.positions[:, slot]) for slot in (0, 1))
        sizes.setdefault(clip.subject, set()).add(both)
    assert all(len(found) == 1 for found in sizes.values())
    persons = [person for found in sizes.values() for person in next(iter(found))]
    assert len(set(persons)) == 2 * len(sizes)


def test_a_body_comes_late_or_leaves_early():
    whole = list(synth_clips(TWO))
    ends = set()
    for clip, before in zip(synth_clips(evolve(TWO, late=1.0)), whole, strict=True):
        count = (clip.tracks != 0).sum(1)
        assert set(count) == {1, 2}
        assert (clip.tracks[:, 0] != 0).all()  # who is there comes first
        change = np.flatnonzero(np.diff(count))
        assert len(change) == 1
        ends.add((count[0], count[-1]))
        assert 0.6 <= (count == 2).mean() < 1
        assert clip.positions.shape == before.positions.shape
    assert ends == {(1, 2), (2, 1)}


def test_bodies_change_places():
    changed = 0
    for clip, before in zip(synth_clips(evolve(TWO, swapped=1.0)), synth_clips(TWO), strict=True):
        first = clip.tracks[:, 0]
        assert (np.sort(clip.tracks, 1) == np.sort(clip.tracks[0])).all()
        changes = np.flatnonzero(np.diff(first))
        assert len(changes) <= 2
        changed += len(changes) > 0
        bodies = [clip.positions[clip.tracks == track] for track in clip.tracks[0]]
        if not np.array_equal(bodies[0], before.positions[:, 0]):
            bodies = bodies[::-1]  # which one is first at all is drawn
        assert np.array_equal(bodies[0], before.positions[:, 0])
        assert np.array_equal(bodies[1], before.positions[:, 1])
    assert changed > 40


def test_ghosts_are_short_and_still():
    plain = list(synth_clips(evolve(SMALL, classes=2)))
    firsts = set()
    for clip, before in zip(synth_clips(evolve(SMALL, classes=2, ghosts=1.0)), plain, strict=True):
        ids, counts = np.unique(clip.tracks[clip.tracks != 0], return_counts=True)
        assert len(ids) == 2
        ghost = ids[counts.argmin()]
        at = clip.tracks == ghost
        assert 5 <= at.sum() <= 30
        assert np.abs(np.diff(clip.positions[at], axis=0)).max() == 0  # no noise here
        rest = (clip.tracks != ghost) & (clip.tracks != 0)
        assert np.array_equal(clip.positions[rest], before.positions[:, 0])
        firsts.add(bool(at[:, 0].any()))
    assert firsts == {True, False}
    three = [clip.positions.shape[1] for clip in synth_clips(evolve(TWO, ghosts=1.0))]
    assert set(three) == {3}


def test_idle_time_at_both_ends():
    many = evolve(SMALL, subjects=12, classes=2)
    plain, idle = ([*synth_clips(some)][:24] for some in (many, evolve(many, idle=1.0)))
    assert {clip.label for clip in plain} == {0}  # later actions have lengths of their own
    more = np.array([len(b.positions) - len(a.positions) for a, b in zip(plain, idle, strict=True)])
    share = more / [len(clip.positions) for clip in plain]
    assert (share >= 0).all()
    assert share.max() <= 2.02
    assert 0.6 < share.mean() < 1.4  # up to once its length at each end

    def still(clip):
        speed = np.linalg.norm(np.diff(clip.positions[:, 0, 11], axis=0), axis=-1)
        return (speed < 0.01).mean()

    assert np.mean([still(clip) for clip in idle]) > np.mean([still(clip) for clip in plain]) + 0.1


def test_difficulty_makes_it_harder(tmp_path):
    small = SynthSettings(subjects=8, cameras=2, repetitions=1, longest=60)
    easy, usual, hard = (
        ridge(synth_store(tmp_path / str(factor), evolve(small, difficulty=factor)))
        for factor in (0.0, 1.0, 2.0)
    )
    assert easy > usual + 0.1 > hard + 0.15


def test_difficulty_is_a_factor_with_limits():
    some = {"classes": 2, "subjects": 2, "repetitions": 1}
    one = SynthSettings(difficulty=2.0, noise=0.01, hidden=0.4, spread=50.0, variety=0.5, tempo=1.5, **some)
    same = SynthSettings(noise=0.02, hidden=0.8, spread=100.0, variety=1.0, tempo=2.0, **some)
    for a, b in zip(synth_clips(one), synth_clips(same), strict=True):
        assert np.array_equal(a.positions, b.positions)


def test_without_variety_all_subjects_are_one():
    layout = get_layout("ntu-25")
    clips = list(synth_clips(evolve(SMALL, variety=0.0)))
    bones = [stream(clip.positions.transpose(3, 0, 2, 1), "bone", layout)[:, 0, :, 0] for clip in clips]
    lengths = [np.linalg.norm(bone, axis=0) for bone in bones]
    rigid = [joint for joint in range(25) if joint not in (21, 23)]
    np.testing.assert_allclose(
        np.array(lengths)[:, rigid], np.tile(lengths[0][rigid], (len(clips), 1)), atol=1e-4
    )


@pytest.mark.parametrize("name", ["kinect-20", "h36m-17", "utd-20", "smpl-24"])
def test_other_layouts_in_space(tmp_path, name):
    store = synth_store(tmp_path / "store", evolve(SMALL, layout=name))
    layout = get_layout(name)
    assert (store.layout, store.units) == (layout, "metres")
    ntu = get_layout("ntu-25")
    for index, clip in enumerate(synth_clips(SMALL)):
        for joint in ("left knee", "right elbow", "right wrist"):
            ours = store.clip(index)[:, :, layout.joints.index(joint)]
            assert np.array_equal(ours, clip.positions[:, :, ntu.joints.index(joint)])


def test_a_picture_of_the_body(tmp_path):
    hiding = evolve(FAULTY, noise=0.0)
    store = synth_store(tmp_path / "store", evolve(hiding, layout="coco-17"))
    coco, ntu = get_layout("coco-17"), get_layout("ntu-25")
    assert (store.layout, store.units) == (coco, "pixels")
    for index, clip in enumerate(synth_clips(hiding)):
        image, space = store.clip(index), clip.positions
        assert image.shape == (*space.shape[:2], 17, 3)
        assert np.array_equal(store.tracks(index), clip.tracks)
        knee = image[..., coco.joints.index("left knee"), :]
        x, y, z = np.moveaxis(space[..., ntu.joints.index("left knee"), :], -1, 0)
        seen = z > 0
        assert np.array_equal(knee[..., 2], seen)
        assert not knee[~seen].any()
        np.testing.assert_allclose(knee[seen, 0], 960 + 1060 * x[seen] / z[seen], rtol=1e-5)
        np.testing.assert_allclose(knee[seen, 1], 540 - 1060 * y[seen] / z[seen], rtol=1e-5, atol=1e-3)
        head, ankle = (image[..., coco.joints.index(joint), :] for joint in ("nose", "right ankle"))
        both = (head[..., 2] > 0) & (ankle[..., 2] > 0)
        assert (head[both, 1] < ankle[both, 1]).all()  # y is down


def test_store_says_what_was_changed(tmp_path):
    assert synth_store(tmp_path / "a", SMALL).header["source"] == (
        "synthetic, classes 4, subjects 3, cameras 2, repetitions 1, noise 0.0, hidden 0.0, seed 0"
    )


def test_raw_files_give_the_same_clips(tmp_path):
    wanted = {}
    clips = list(synth_clips(evolve(FAULTY, classes=2, subjects=5)))
    assert write_ntu_folder(tmp_path / "raw", clips) == len(clips)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
    for clip in clips:
        wanted[f"S001C{clip.camera:03}P{clip.subject:03}R{clip.replication:03}A{clip.label + 1:03}"] = clip
    found = list(READERS["ntu60"].read(Source(tmp_path / "raw")))
    assert {clip.name for clip in found} == set(wanted)
    for clip in found:
        assert not isinstance(clip, BadFile)
        original = wanted[clip.name]
        assert np.array_equal(clip.positions, original.positions)
        assert np.array_equal(clip.tracks, original.tracks)
    store = import_dataset("ntu60", tmp_path / "raw", tmp_path / "store")
    assert get_split(store, "xview").test.size


@pytest.mark.ntu_format
def test_files_written_again_are_the_same_to_the_reader():
    if "SKEL_NTU_FORMAT" not in os.environ:
        pytest.skip("SKEL_NTU_FORMAT is not set: no folder with files in the NTU format")
    source = Source(Path(os.environ["SKEL_NTU_FORMAT"]) / "nturgb+d_skeletons")
    for path, read in source:
        clip = parse(Path(path).stem, read())
        again = io.BytesIO()
        write_ntu_skeleton(again, clip.positions, clip.tracks)
        positions, tracks = parse_text(again.getvalue())
        assert np.array_equal(positions, clip.positions)
        assert np.array_equal(tracks, clip.tracks)
        assert again.getvalue().count(b"\r\n") == read().count(b"\r\n")


@given(st.data())
@settings(max_examples=40)
def test_what_is_written_is_read(data):
    """Absent bodies lose their slot, and nothing else changes; frames without a body stay."""
    frames, bodies = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    there = np.array(data.draw(st.lists(st.booleans(), min_size=frames * bodies, max_size=frames * bodies)))
    there = there.reshape(frames, bodies)
    there[data.draw(st.integers(0, frames - 1)), 0] = True
    ids = 2**56 + np.array(
        data.draw(st.lists(st.integers(0, 1 << 30), min_size=bodies, max_size=bodies, unique=True))
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    positions = (rng.normal(size=(frames, bodies, 25, 3)) * there[..., None, None]).astype(np.float32)
    file = io.BytesIO()
    write_ntu_skeleton(file, positions, there * ids)
    found, tracks = parse_text(file.getvalue())
    slots = there.sum(1).max()
    order = np.argsort(~there, axis=1, kind="stable")[:, :slots]
    assert np.array_equal(tracks, np.take_along_axis(there * ids, order, 1))
    assert np.array_equal(found, np.take_along_axis(positions, order[..., None, None], 1))


SHARE = st.sampled_from([0.0, 0.5, 1.0])


@given(
    st.builds(
        SynthSettings,
        classes=st.integers(1, 2),
        pairs=st.integers(1, 3),
        subjects=st.just(2),
        cameras=st.integers(1, 2),
        repetitions=st.just(1),
        shortest=st.integers(1, 5),
        longest=st.integers(5, 12),
        noise=st.sampled_from([0.0, 0.02]),
        hidden=SHARE,
        seed=st.integers(0, 2**70),
        difficulty=st.sampled_from([0.0, 1.0, 3.0]),
        spread=st.sampled_from([0.0, 180.0]),
        variety=st.sampled_from([0.0, 2.0]),
        tempo=st.sampled_from([0.0, 2.0]),
        idle=SHARE,
        late=SHARE,
        swapped=SHARE,
        ghosts=SHARE,
        layout=st.sampled_from(["ntu-25", "coco-17"]),
    )
)
@settings(max_examples=25)
def test_any_settings_give_sound_clips(chosen):
    clips = list(synth_clips(chosen))
    assert len(clips) == len(chosen.class_names) * 2 * chosen.cameras
    assert len({clip.name for clip in clips}) == len(clips)
    longest = chosen.longest * (1 + 2 * chosen.idle) + 1
    for clip in clips:
        assert np.isfinite(clip.positions).all()
        assert chosen.shortest <= len(clip.positions) <= longest
        present = (clip.positions != 0).any((2, 3))
        tracks = present[:, :1] if clip.tracks is None else clip.tracks
        assert np.array_equal(tracks != 0, present)
        assert present[:, 0].all()
        for ids in tracks:
            assert len(set(ids[ids != 0])) == (ids != 0).sum()
    assert len(fields(SynthSettings)) == 19


@given(st.integers(0, 5), st.integers(0, 3))
@settings(max_examples=8)
def test_one_person_does_not_depend_on_two(seed, pairs):
    some = evolve(SMALL, classes=2, subjects=2, seed=seed, idle=0.5, noise=0.01)
    alone, among = list(synth_clips(some)), list(synth_clips(evolve(some, pairs=pairs)))
    for a, b in zip(alone, among[: len(alone)], strict=True):
        assert facts(a) == facts(b)
        assert np.array_equal(a.positions, b.positions)
