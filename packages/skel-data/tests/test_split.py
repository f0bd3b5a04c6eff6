import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import Clip, get_split, holdout_groups, split_names, without_copies


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
        ([{"view": 1}, {"view": 2}], ("xview", "random")),
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


def test_clips_without_label_are_never_tested(facts_store):
    store = facts_store([{"subject": s, "label": label} for s, label in ((1, -1), (1, 0), (2, -1), (2, 1))])
    assert parts(store, "xsub") == ([0, 1], [3])
    train, test = parts(store, "random")
    assert sorted(train + test) == [0, 1, 2, 3]
    assert not {0, 2} & set(test)


def test_unknown_names_list_the_others(facts_store):
    with pytest.raises(ValueError, match="no split 'xview' in made-up; there are xsub, subject-1, subject-2"):
        get_split(facts_store([{"subject": 1}, {"subject": 2}]), "xview")
    with pytest.raises(ValueError, match="no split 'listed-3'"):
        get_split(facts_store([{"split": (1, 2)}, {"split": (2, 1)}]), "listed-3")


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


def test_random_holdout_groups_are_balanced(facts_store):
    store = facts_store([{"label": i % 2} for i in range(24)])
    train, test = np.arange(20), np.arange(20, 24)
    groups = holdout_groups(store, train, test)
    assert np.bincount(groups * 2 + store.labels[train]).tolist() == [2] * 10
    assert groups.tolist() == holdout_groups(store, train, test).tolist()
    assert groups.tolist() != holdout_groups(store, train, test, seed=1).tolist()


facts = st.fixed_dictionaries(
    {
        "label": st.integers(-1, 1),
        "subject": st.integers(-1, 4),
        "view": st.integers(-1, 3),
        "setup": st.integers(-1, 3),
        "split": st.integers(0, 2),
    }
)


@given(st.lists(facts, min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_train_and_test_never_meet(tmp_path_factory, facts):
    from skel_data import get_layout, write_store

    clips = [Clip(np.full((1, 1, 20, 3), i + 1.0), str(i), **fact) for i, fact in enumerate(facts)]
    store = write_store(
        tmp_path_factory.mktemp("a") / "store",
        clips,
        layout=get_layout("utd-20"),
        classes="ab",
        dataset="d",
        units="m",
        source="s",
    )
    for name in split_names(store):
        split = get_split(store, name)
        assert not set(split.train) & set(split.test)
        assert (store.labels[split.test] >= 0).all()
        assert len(set(split.train)) == len(split.train)
        if name != "random":
            assert len(split.train)
            assert len(split.test)
        if name == "xsub":
            assert not set(store.subjects[split.train]) & set(store.subjects[split.test])
