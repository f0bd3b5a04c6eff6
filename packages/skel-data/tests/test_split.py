import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import Clip, get_split, holdout_groups, split_names, without_copies
from skel_data.store._info import ClipTable


@pytest.fixture
def store_of(make_store):
    """Store of clips with given table, one dict each."""

    def make(table, **settings):
        rng = np.random.default_rng(0)
        clips = [Clip(rng.uniform(1, 2, (1, 1, 5, 3)), "x", **{"label": 0, **fact}) for fact in table]
        return make_store(clips, overwrite=True, **settings)

    return make


def parts(store, name=None, **settings):
    split = get_split(store, name, **settings)
    return split.train.tolist(), split.test.tolist()


def test_official_subjects_and_cameras(store_of):
    table = [{"subject": s, "camera": v, "setup": v} for s, v in ((1, 1), (3, 2), (5, 3), (38, 1), (40, 3))]
    store = store_of(table, dataset="ntu60")
    assert parts(store, "xsub") == ([0, 2, 3], [1, 4])
    assert parts(store, "xview") == ([1, 2, 4], [0, 3])
    assert parts(store, "xset") == ([1], [0, 2, 3, 4])
    people = [{"subject": s, "setup": s} for s in (1, 3, 45, 48, 59, 60, 103, 104)]
    store = store_of(people, dataset="ntu120")
    assert parts(store, "xsub") == ([0, 2, 4, 6], [1, 3, 5, 7])
    assert parts(store, "xset") == ([3, 5, 7], [0, 1, 2, 4, 6])
    store = store_of(table, dataset="nw-ucla")
    assert parts(store, "xview") == ([0, 1, 3], [2, 4])
    assert parts(store, "xsub") == ([0, 1, 2], [3, 4])
    store = store_of([{"subject": s} for s in range(1, 9)], dataset="utd-mhad")
    assert parts(store) == ([0, 2, 4, 6], [1, 3, 5, 7])


def test_names_are_those_that_can_be_had(store_of):
    assert split_names(store_of([{}, {}])) == ("random",)
    for table, names in (
        ([{"subject": 1}, {"subject": 2}], ("xsub", "subject-1", "subject-2", "random")),
        ([{"camera": 1}, {"camera": 2}], ("xview", "camera-1", "camera-2", "random")),
        ([{"camera": 1}, {"camera": 1}], ("random",)),
        ([{"split": 1}, {"split": 2}], ("listed", "random")),
        ([{"split": (1, 2)}, {"split": (2, 1)}], ("listed-1", "listed-2", "random")),
        ([{"split": 1}, {"split": 1}], ("random",)),
    ):
        assert split_names(store_of(table)) == names


def test_default(store_of):
    with_all = [{"split": 1, "subject": 2}, {"split": 2, "subject": 1}]
    assert get_split(store_of(with_all)).name == "listed"
    assert get_split(store_of(with_all, default_split="xsub")).name == "xsub"
    assert get_split(store_of([{"subject": 2}, {"subject": 1}])).name == "xsub"
    assert get_split(store_of([{}, {}])).name == "random"
    # A store of part of a set may not allow its usual split
    assert get_split(store_of([{"subject": 2}, {"subject": 4}], default_split="xsub")).name == "random"


def test_listed(store_of):
    store = store_of([{"split": (1, 2)}, {"split": (0, 1)}, {"split": (2, 1)}])
    assert parts(store, "listed-1") == ([0], [2])
    assert parts(store, "listed-2") == ([1, 2], [0])


def test_one_subject_out(store_of):
    store = store_of([{"subject": s} for s in (0, 1, 0)], subject_names=["b-d", "tr"])
    assert parts(store, "subject-b-d") == ([1], [0, 2])
    assert parts(store, "subject-tr") == ([0, 2], [1])


def test_one_view_out(store_of):
    store = store_of([{"camera": v} for v in (0, 1, 0, -1)], camera_names=["left", "right"])
    assert parts(store, "camera-left") == ([1], [0, 2])
    assert parts(store, "camera-right") == ([0, 2], [1])


def test_one_sequence_out(store_of):
    table = [{"subject": s, "replication": r} for s, r in ((1, 1), (1, 1), (1, 2), (3, 1), (3, -1), (-1, 1))]
    store = store_of(table, dataset="utkinect")
    names = [name for name in split_names(store) if name.startswith("sequence")]
    assert names == ["sequence-1-1", "sequence-1-2", "sequence-3-1"]
    assert parts(store, "sequence-1-1") == ([2, 3], [0, 1])
    assert parts(store, "sequence-3-1") == ([0, 1, 2], [3])
    # In sets of single recordings it is no protocol, but can be had
    store = store_of(table, dataset="utd-mhad", subject_names=["", "ann", "", "bob"])
    assert not any(name.startswith("sequence") for name in split_names(store))
    assert parts(store, "sequence-bob-1") == ([0, 1, 2], [3])


def test_many_left_out_one_by_one_are_not_listed():
    table = ClipTable("d", np.zeros(60), subjects=np.arange(60), cameras=np.arange(60) % 3)
    assert split_names(table) == ("xsub", "xview", "camera-0", "camera-1", "camera-2", "random")
    assert parts(table, "subject-59") == ([*range(59)], [59])


def test_listed_splits_go_by_their_names():
    labels, listed = np.zeros(4), [[1, 2, 0], [1, 1, 1], [2, 1, 2], [0, 2, 1]]
    table = ClipTable("d", labels, [1, 2, 1, 2], listed_split=listed, listed_names=("xsub", "", "hard"))
    assert split_names(table)[:4] == ("xsub", "listed-2", "hard", "subject-1")
    assert parts(table, "xsub") == parts(table, "listed-1") == ([0, 1], [2])  # not the odd subjects
    assert parts(table, "hard") == parts(table, "listed-3") == ([1, 3], [2])
    assert get_split(table, "listed-1").name == get_split(table).name == "xsub"
    one = ClipTable("d", labels, listed_split=[[1], [2], [0], [0]], listed_names=["official"])
    assert (split_names(one), get_split(one, "listed").name) == (("official", "random"), "official")


@pytest.mark.parametrize("dataset", ["pku-mmd-1", "pku-mmd-2"])
def test_pku_mmd_lists_its_splits(dataset):
    listed = [[1, 1], [2, 1], [1, 2], [2, 2]]
    known = {"subjects": [1, 2, 3, 4], "cameras": [1, 2, 3, 1]}
    table = ClipTable(dataset, np.zeros(4), **known, listed_split=listed, default_split="listed-1")
    assert split_names(table)[:2] == ("xsub", "xview")
    assert get_split(table).name == "xsub"
    assert parts(table, "xsub") == ([0, 2], [1, 3])
    assert parts(table, "xview") == ([0, 1], [2, 3])
    # Without its lists there is nothing official: no rule may pass for it
    table = ClipTable(dataset, np.zeros(4), **known)
    assert not {"xsub", "xview"} & set(split_names(table))
    with pytest.raises(ValueError, match=f"no split 'xview' in {dataset!r}"):
        get_split(table, "xview")


def test_facts_must_fit():
    with pytest.raises(ValueError, match=r"labels must be \(N,\), got \(2, 2\)"):
        ClipTable("d", np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"cameras must be \(3,\) as the labels are, got \(2,\)"):
        ClipTable("d", np.zeros(3), cameras=[1, 2])
    with pytest.raises(ValueError, match=r"listed_split must be \(3, K\), got \(3,\)"):
        ClipTable("d", np.zeros(3), listed_split=[1, 2, 1])


def test_clips_without_label_are_never_tested(store_of):
    store = store_of([{"subject": s, "label": label} for s, label in ((1, -1), (1, 0), (2, -1), (2, 1))])
    assert parts(store, "xsub") == ([0, 1], [3])
    train, test = parts(store, "random")
    assert sorted(train + test) == [0, 1, 2, 3]
    assert not {0, 2} & set(test)


def test_unknown_names_list_the_others(store_of):
    with pytest.raises(
        ValueError, match="no split 'xview' in 'made-up'; there are xsub, subject-1, subject-2"
    ):
        get_split(store_of([{"subject": 1}, {"subject": 2}]), "xview")
    store = store_of([{"split": (1, 2), "subject": 1}, {"split": (2, 1), "subject": 2}])
    for name in ("listed-3", "listed", "listed-0", "subject-3", "subject", "camera-1", "xset", "", "-", "-1"):
        with pytest.raises(ValueError, match=f"no split '{name}' in"):
            get_split(store, name)


def test_random_goes_by_the_seed(store_of):
    store = store_of([{"label": i % 2} for i in range(40)])
    assert parts(store, "random", seed=1) == parts(store, "random", seed=1)
    assert parts(store, "random", seed=1) != parts(store, "random", seed=2)
    split = get_split(store, "random")
    assert np.bincount(store.labels[split.train]).tolist() == [10, 10]


def test_copies_are_left_out(make_store, make_clip):
    clips = [make_clip(seed, subject=subject) for seed, subject in ((0, 1), (1, 1), (0, 2), (2, 2), (2, 2))]
    store = make_store(clips)
    split = get_split(store, "xsub")
    assert split.test.tolist() == [2, 3, 4]
    assert without_copies(store, split).tolist() == [3, 4]


def test_holdout_groups_are_of_the_kind_that_is_new_in_the_test_part(store_of):
    store = store_of([{"subject": s, "camera": v, "setup": 1} for v in (1, 2, 3) for s in (1, 2, 3)])
    one, two, three = (np.flatnonzero(store.subjects == s) for s in (1, 2, 3))
    unseen_subject = holdout_groups(store, np.concatenate([one, two]), three)
    assert unseen_subject.tolist() == [1, 1, 1, 2, 2, 2]
    assert holdout_groups(store, np.arange(6), np.arange(6, 9)).tolist() == [1, 1, 1, 2, 2, 2]  # cameras
    assert holdout_groups(store, np.array([1, 3, 5, 0]), np.array([2, 4, 6])).tolist() == [2, 1, 3, 1]
    store = store_of([{"subject": 1, "camera": v} for v in (1, 1, 2)])
    one_view = holdout_groups(store, np.array([0, 1]), np.array([2]))
    assert set(one_view) <= set(range(5))


def test_recordings_are_held_out_where_a_recording_is_tested(store_of):
    table = [{"subject": s, "replication": r} for s in (1, 2) for r in (1, 2) for _ in range(2)]
    for dataset, groups in (("utkinect", [1, 1, 2, 2, 3, 3]), ("d", [1, 1, 2, 2, 2, 2])):
        store = store_of(table, dataset=dataset)
        split = get_split(store, "sequence-1-1")
        assert holdout_groups(store, split.train, split.test).tolist() == groups


def test_random_holdout_groups_are_balanced(store_of):
    store = store_of([{"label": i % 2} for i in range(24)])
    train, test = np.arange(20), np.arange(20, 24)
    groups = holdout_groups(store, train, test)
    assert np.bincount(groups * 2 + store.labels[train]).tolist() == [2] * 10
    assert groups.tolist() == holdout_groups(store, train, test).tolist()
    assert groups.tolist() != holdout_groups(store, train, test, seed=1).tolist()


def codes(low, high, count):
    return st.lists(st.integers(low, high), min_size=count, max_size=count)


@st.composite
def any_table(draw):
    n = draw(st.integers(1, 12))
    return ClipTable(
        draw(st.sampled_from(["d", "ntu60", "ntu120", "nw-ucla", "utkinect", "pku-mmd-1"])),
        draw(codes(-1, 2, n)),
        *(draw(codes(-1, 4, n)) for _ in range(4)),
        listed_split=draw(st.none() | st.lists(codes(0, 2, 2), min_size=n, max_size=n)),
        listed_names=draw(st.sampled_from([(), ("", "hard"), ("xview", "xsub"), ("random",)])),
        subject_names=draw(st.sampled_from([(), ("a", "b-1", "c")])),
    )


@given(any_table(), st.integers(0, 5))
@settings(max_examples=200)
def test_train_and_test_are_apart_ascending_and_within_range(table, seed):
    names = split_names(table)
    assert len(set(names)) == len(names)
    for name in names:
        split = get_split(table, name, seed=seed)
        assert split.name == name
        for part in (split.train, split.test):
            assert (np.diff(part) > 0).all()
            assert ((part >= 0) & (part < len(table))).all()
        assert not np.isin(split.train, split.test).any()
        assert (table.labels[split.test] >= 0).all()
        again = get_split(table, name, seed=seed + (name != "random"))
        assert (again.train.tolist(), again.test.tolist()) == (split.train.tolist(), split.test.tolist())
        if name != "random":
            assert min(len(split.train), len(split.test)) > 0
        if name.startswith("subject") or (name == "xsub" and table.listed_split is None):
            assert not np.isin(table.subjects[split.train], table.subjects[split.test]).any()
        if name.startswith("camera"):
            assert not np.isin(table.cameras[split.train], table.cameras[split.test]).any()
        if name.startswith("sequence"):
            whose = list(zip(table.subjects.tolist(), table.replications.tolist(), strict=True))
            assert len({whose[clip] for clip in split.test}) == 1
            assert not {whose[clip] for clip in split.test} & {whose[clip] for clip in split.train}


@given(any_table())
def test_leaving_out_one_by_one_tests_every_known_clip_once(table):
    known = table.subjects >= 0
    if len(np.unique(table.subjects[known])) > 1:
        names = [name for name in split_names(table) if name.startswith("subject")]
        tested = [clip for name in names for clip in get_split(table, name).test.tolist()]
        assert sorted(tested) == np.flatnonzero(known & (table.labels >= 0)).tolist()


@given(any_table(), st.integers(0, 3))
def test_a_hold_out_group_is_known_for_every_training_clip(table, seed):
    split = get_split(table)
    groups = holdout_groups(table, split.train, split.test, seed=seed)
    assert groups.shape == split.train.shape
    assert (groups >= 0).all()
    assert groups.tolist() == holdout_groups(table, split.train, split.test, seed=seed).tolist()


def test_every_clip_trains(store_of):
    store = store_of([{"label": -1, "subject": 1}, {"subject": 2}, {"subject": 1}])
    assert parts(store, "all") == ([0, 1, 2], [])
    assert "all" not in split_names(store)


def test_a_list_of_training_clips_alone(store_of):
    store = store_of([{"split": 1, "subject": 1}, {"split": 1, "subject": 2}, {"split": 0, "subject": 2}])
    assert parts(store, "listed") == ([0, 1], [])
    assert get_split(store).name == "xsub"
    assert get_split(store, needs_test=False).name == "listed"
    both = store_of([{"split": (1, 1)}, {"split": (1, 2)}])
    assert get_split(both, needs_test=False).name == "listed-2"
    nobody = store_of([{"split": 2}, {"split": 2}])
    with pytest.raises(ValueError, match="no split 'listed'"):
        get_split(nobody, "listed")
