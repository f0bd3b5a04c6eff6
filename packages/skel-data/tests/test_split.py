import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import Clip, get_split, holdout_groups, split_names, without_copies
from skel_data._facts import ClipFacts


@pytest.fixture
def facts_store(make_store):
    """Store of clips with given facts, one dict each."""

    def make(facts, **settings):
        rng = np.random.default_rng(0)
        clips = [Clip(rng.uniform(1, 2, (1, 1, 5, 3)), "x", **{"label": 0, **fact}) for fact in facts]
        return make_store(clips, overwrite=True, **settings)

    return make


def parts(store, name=None, **settings):
    split = get_split(store, name, **settings)
    return split.train.tolist(), split.test.tolist()


def test_official_subjects_and_cameras(facts_store):
    facts = [{"subject": s, "view": v, "setup": v} for s, v in ((1, 1), (3, 2), (5, 3), (38, 1), (40, 3))]
    store = facts_store(facts, dataset="ntu60")
    assert parts(store, "xsub") == ([0, 2, 3], [1, 4])
    assert parts(store, "xview") == ([1, 2, 4], [0, 3])
    assert parts(store, "xset") == ([1], [0, 2, 3, 4])
    people = [{"subject": s, "setup": s} for s in (1, 3, 45, 48, 59, 60, 103, 104)]
    store = facts_store(people, dataset="ntu120")
    assert parts(store, "xsub") == ([0, 2, 4, 6], [1, 3, 5, 7])
    assert parts(store, "xset") == ([3, 5, 7], [0, 1, 2, 4, 6])
    store = facts_store(facts, dataset="nw-ucla")
    assert parts(store, "xview") == ([0, 1, 3], [2, 4])
    assert parts(store, "xsub") == ([0, 1, 2], [3, 4])
    store = facts_store([{"subject": s} for s in range(1, 9)], dataset="utd-mhad")
    assert parts(store) == ([0, 2, 4, 6], [1, 3, 5, 7])


def test_names_are_those_that_can_be_had(facts_store):
    assert split_names(facts_store([{}, {}])) == ("random",)
    for facts, names in (
        ([{"subject": 1}, {"subject": 2}], ("xsub", "subject-1", "subject-2", "random")),
        ([{"view": 1}, {"view": 2}], ("xview", "view-1", "view-2", "random")),
        ([{"view": 1}, {"view": 1}], ("random",)),
        ([{"split": 1}, {"split": 2}], ("listed", "random")),
        ([{"split": (1, 2)}, {"split": (2, 1)}], ("listed-1", "listed-2", "random")),
        ([{"split": 1}, {"split": 1}], ("random",)),
    ):
        assert split_names(facts_store(facts)) == names


def test_default(facts_store):
    with_all = [{"split": 1, "subject": 2}, {"split": 2, "subject": 1}]
    assert get_split(facts_store(with_all)).name == "listed"
    assert get_split(facts_store(with_all, default_split="xsub")).name == "xsub"
    assert get_split(facts_store([{"subject": 2}, {"subject": 1}])).name == "xsub"
    assert get_split(facts_store([{}, {}])).name == "random"
    # A store of part of a set may not allow its usual split
    assert get_split(facts_store([{"subject": 2}, {"subject": 4}], default_split="xsub")).name == "random"


def test_listed(facts_store):
    store = facts_store([{"split": (1, 2)}, {"split": (0, 1)}, {"split": (2, 1)}])
    assert parts(store, "listed-1") == ([0], [2])
    assert parts(store, "listed-2") == ([1, 2], [0])


def test_one_subject_out(facts_store):
    store = facts_store([{"subject": s} for s in (0, 1, 0)], subject_names=["b-d", "tr"])
    assert parts(store, "subject-b-d") == ([1], [0, 2])
    assert parts(store, "subject-tr") == ([0, 2], [1])


def test_one_view_out(facts_store):
    store = facts_store([{"view": v} for v in (0, 1, 0, -1)], view_names=["left", "right"])
    assert parts(store, "view-left") == ([1], [0, 2])
    assert parts(store, "view-right") == ([0, 2], [1])


def test_one_sequence_out(facts_store):
    facts = [{"subject": s, "replication": r} for s, r in ((1, 1), (1, 1), (1, 2), (3, 1), (3, -1), (-1, 1))]
    store = facts_store(facts, dataset="utkinect")
    names = [name for name in split_names(store) if name.startswith("sequence")]
    assert names == ["sequence-1-1", "sequence-1-2", "sequence-3-1"]
    assert parts(store, "sequence-1-1") == ([2, 3], [0, 1])
    assert parts(store, "sequence-3-1") == ([0, 1, 2], [3])
    # In sets of single recordings it is no protocol, but can be had
    store = facts_store(facts, dataset="utd-mhad", subject_names=["", "ann", "", "bob"])
    assert not any(name.startswith("sequence") for name in split_names(store))
    assert parts(store, "sequence-bob-1") == ([0, 1, 2], [3])


def test_many_left_out_one_by_one_are_not_listed():
    facts = ClipFacts("d", np.zeros(60), subjects=np.arange(60), views=np.arange(60) % 3)
    assert split_names(facts) == ("xsub", "xview", "view-0", "view-1", "view-2", "random")
    assert parts(facts, "subject-59") == ([*range(59)], [59])


def test_listed_splits_go_by_their_names():
    labels, listed = np.zeros(4), [[1, 2, 0], [1, 1, 1], [2, 1, 2], [0, 2, 1]]
    facts = ClipFacts("d", labels, [1, 2, 1, 2], listed_split=listed, listed_names=("xsub", "", "hard"))
    assert split_names(facts)[:4] == ("xsub", "listed-2", "hard", "subject-1")
    assert parts(facts, "xsub") == parts(facts, "listed-1") == ([0, 1], [2])  # not the odd subjects
    assert parts(facts, "hard") == parts(facts, "listed-3") == ([1, 3], [2])
    assert get_split(facts, "listed-1").name == get_split(facts).name == "xsub"
    one = ClipFacts("d", labels, listed_split=[[1], [2], [0], [0]], listed_names=["official"])
    assert (split_names(one), get_split(one, "listed").name) == (("official", "random"), "official")


@pytest.mark.parametrize("dataset", ["pku-mmd-1", "pku-mmd-2"])
def test_pku_mmd_lists_its_splits(dataset):
    listed = [[1, 1], [2, 1], [1, 2], [2, 2]]
    known = {"subjects": [1, 2, 3, 4], "views": [1, 2, 3, 1]}
    facts = ClipFacts(dataset, np.zeros(4), **known, listed_split=listed, default_split="listed-1")
    assert split_names(facts)[:2] == ("xsub", "xview")
    assert get_split(facts).name == "xsub"
    assert parts(facts, "xsub") == ([0, 2], [1, 3])
    assert parts(facts, "xview") == ([0, 1], [2, 3])
    # Without its lists there is nothing official: no rule may pass for it
    facts = ClipFacts(dataset, np.zeros(4), **known)
    assert not {"xsub", "xview"} & set(split_names(facts))
    with pytest.raises(ValueError, match=f"no split 'xview' in {dataset}"):
        get_split(facts, "xview")


def test_facts_must_fit():
    with pytest.raises(ValueError, match=r"labels must be \(N,\), got \(2, 2\)"):
        ClipFacts("d", np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"views must be \(3,\) as the labels are, got \(2,\)"):
        ClipFacts("d", np.zeros(3), views=[1, 2])
    with pytest.raises(ValueError, match=r"listed_split must be \(3, K\), got \(3,\)"):
        ClipFacts("d", np.zeros(3), listed_split=[1, 2, 1])


def test_clips_without_label_are_never_tested(facts_store):
    store = facts_store([{"subject": s, "label": label} for s, label in ((1, -1), (1, 0), (2, -1), (2, 1))])
    assert parts(store, "xsub") == ([0, 1], [3])
    train, test = parts(store, "random")
    assert sorted(train + test) == [0, 1, 2, 3]
    assert not {0, 2} & set(test)


def test_unknown_names_list_the_others(facts_store):
    with pytest.raises(ValueError, match="no split 'xview' in made-up; there are xsub, subject-1, subject-2"):
        get_split(facts_store([{"subject": 1}, {"subject": 2}]), "xview")
    store = facts_store([{"split": (1, 2), "subject": 1}, {"split": (2, 1), "subject": 2}])
    for name in ("listed-3", "listed", "listed-0", "subject-3", "subject", "view-1", "xset", "", "-", "-1"):
        with pytest.raises(ValueError, match=f"no split '{name}' in"):
            get_split(store, name)


def test_random_goes_by_the_seed(facts_store):
    store = facts_store([{"label": i % 2} for i in range(40)])
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


def test_holdout_groups_are_of_the_kind_that_is_new_in_the_test_part(facts_store):
    store = facts_store([{"subject": s, "view": v, "setup": 1} for v in (1, 2, 3) for s in (1, 2, 3)])
    one, two, three = (np.flatnonzero(store.subjects == s) for s in (1, 2, 3))
    unseen_subject = holdout_groups(store, np.concatenate([one, two]), three)
    assert unseen_subject.tolist() == [1, 1, 1, 2, 2, 2]
    assert holdout_groups(store, np.arange(6), np.arange(6, 9)).tolist() == [1, 1, 1, 2, 2, 2]  # views
    assert holdout_groups(store, np.array([1, 3, 5, 0]), np.array([2, 4, 6])).tolist() == [2, 1, 3, 1]
    store = facts_store([{"subject": 1, "view": v} for v in (1, 1, 2)])
    one_view = holdout_groups(store, np.array([0, 1]), np.array([2]))
    assert set(one_view) <= set(range(5))


def test_recordings_are_held_out_where_a_recording_is_tested(facts_store):
    facts = [{"subject": s, "replication": r} for s in (1, 2) for r in (1, 2) for _ in range(2)]
    for dataset, groups in (("utkinect", [1, 1, 2, 2, 3, 3]), ("d", [1, 1, 2, 2, 2, 2])):
        store = facts_store(facts, dataset=dataset)
        split = get_split(store, "sequence-1-1")
        assert holdout_groups(store, split.train, split.test).tolist() == groups


def test_random_holdout_groups_are_balanced(facts_store):
    store = facts_store([{"label": i % 2} for i in range(24)])
    train, test = np.arange(20), np.arange(20, 24)
    groups = holdout_groups(store, train, test)
    assert np.bincount(groups * 2 + store.labels[train]).tolist() == [2] * 10
    assert groups.tolist() == holdout_groups(store, train, test).tolist()
    assert groups.tolist() != holdout_groups(store, train, test, seed=1).tolist()


def codes(low, high, count):
    return st.lists(st.integers(low, high), min_size=count, max_size=count)


@st.composite
def any_facts(draw):
    n = draw(st.integers(1, 12))
    return ClipFacts(
        draw(st.sampled_from(["d", "ntu60", "ntu120", "nw-ucla", "utkinect", "pku-mmd-1"])),
        draw(codes(-1, 2, n)),
        *(draw(codes(-1, 4, n)) for _ in range(4)),
        listed_split=draw(st.none() | st.lists(codes(0, 2, 2), min_size=n, max_size=n)),
        listed_names=draw(st.sampled_from([(), ("", "hard"), ("xview", "xsub"), ("random",)])),
        subject_names=draw(st.sampled_from([(), ("a", "b-1", "c")])),
    )


@given(any_facts(), st.integers(0, 5))
@settings(max_examples=200)
def test_train_and_test_are_apart_ascending_and_within_range(facts, seed):
    names = split_names(facts)
    assert len(set(names)) == len(names)
    for name in names:
        split = get_split(facts, name, seed=seed)
        assert split.name == name
        for part in (split.train, split.test):
            assert (np.diff(part) > 0).all()
            assert ((part >= 0) & (part < len(facts))).all()
        assert not np.isin(split.train, split.test).any()
        assert (facts.labels[split.test] >= 0).all()
        again = get_split(facts, name, seed=seed + (name != "random"))
        assert (again.train.tolist(), again.test.tolist()) == (split.train.tolist(), split.test.tolist())
        if name != "random":
            assert min(len(split.train), len(split.test)) > 0
        if name.startswith("subject") or (name == "xsub" and facts.listed_split is None):
            assert not np.isin(facts.subjects[split.train], facts.subjects[split.test]).any()
        if name.startswith("view"):
            assert not np.isin(facts.views[split.train], facts.views[split.test]).any()
        if name.startswith("sequence"):
            whose = list(zip(facts.subjects.tolist(), facts.replications.tolist(), strict=True))
            assert len({whose[clip] for clip in split.test}) == 1
            assert not {whose[clip] for clip in split.test} & {whose[clip] for clip in split.train}


@given(any_facts())
def test_leaving_out_one_by_one_tests_every_known_clip_once(facts):
    known = facts.subjects >= 0
    if len(np.unique(facts.subjects[known])) > 1:
        names = [name for name in split_names(facts) if name.startswith("subject")]
        tested = [clip for name in names for clip in get_split(facts, name).test.tolist()]
        assert sorted(tested) == np.flatnonzero(known & (facts.labels >= 0)).tolist()


@given(any_facts(), st.integers(0, 3))
def test_a_hold_out_group_is_known_for_every_training_clip(facts, seed):
    split = get_split(facts)
    groups = holdout_groups(facts, split.train, split.test, seed=seed)
    assert groups.shape == split.train.shape
    assert (groups >= 0).all()
    assert groups.tolist() == holdout_groups(facts, split.train, split.test, seed=seed).tolist()
