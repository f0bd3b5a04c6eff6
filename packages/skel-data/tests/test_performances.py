import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from skel_data import SynthSettings, names_contain_class, performance_groups, synth_store


def members(groups):
    """Sets of clips that share a group."""
    return {frozenset(np.flatnonzero(groups == group)) for group in set(groups.tolist()) - {-1}}


def same(*columns):
    return members(np.unique(np.stack(columns, 1), axis=0, return_inverse=True)[1].reshape(-1))


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    settings = SynthSettings(classes=3, subjects=3, cameras=2, repetitions=3, shortest=8, longest=9)
    return synth_store(tmp_path_factory.mktemp("data") / "filmed.store", settings)


@pytest.fixture
def named(make_clip, make_store):
    """A store of clips with these names, cameras and replications."""

    def make(names, cameras, replications=None, labels=None):
        clips = [
            make_clip(number, name=name, camera=camera, replication=again, label=label)
            for number, (name, camera, again, label) in enumerate(
                zip(names, cameras, replications or [1] * len(names), labels or [0] * len(names), strict=True)
            )
        ]
        return make_store(clips, classes=["a", "b", "c", "d"], overwrite=True)

    return make


def test_shapes(filmed):
    groups = performance_groups(filmed)
    assert groups.shape == (54,)
    assert groups.dtype == np.int64


def test_errors(filmed, named):
    with pytest.raises(ValueError, match="across must be one of camera, replication, got 'view'"):
        performance_groups(filmed, "view")
    with pytest.raises(ValueError, match="no clips of two cameras"):
        performance_groups(named(["v1", "v2"], [1, 1]))
    with pytest.raises(ValueError, match="no clips of two replications"):
        performance_groups(named(["v1", "v2"], [1, 2]), "replication")
    # neither a word for the camera, nor one of two that say the same
    for names in (["one", "two", "three"], ["c1_v1_a", "c2_v2_a", "c1_v1_b"]):
        with pytest.raises(ValueError, match=f"such as {names[0]}, do not tell the camera"):
            performance_groups(named(names, [1, 2, 1]))


def test_cameras_of_one_performance(filmed):
    found = members(performance_groups(filmed))
    assert found == same(filmed.labels, filmed.subjects, filmed.replications)
    assert {len(group) for group in found} == {2}


def test_repetitions_before_one_camera(filmed):
    found = members(performance_groups(filmed, "replication"))
    assert found == same(filmed.labels, filmed.subjects, filmed.cameras)
    assert {len(group) for group in found} == {3}


def test_labels_are_not_read(filmed):
    unknown = evolve(filmed, labels=np.full(len(filmed), -1))
    assert np.array_equal(performance_groups(unknown), performance_groups(filmed))


@pytest.mark.parametrize(
    ("names", "cameras", "expected"),
    [
        # NW-UCLA, of which one recording is alone
        (
            ["a01_s01_e00_v01", "a01_s01_e00_v02", "a02_s01_e00_v01", "a02_s01_e01_v02"],
            [1, 2, 1, 2],
            {frozenset({0, 1}), frozenset({2}), frozenset({3})},
        ),
        # PKU-MMD: letters, with codes of their own
        (["0002-L_01", "0002-R_01", "0002-L_02", "0003-R_01"], [1, 3, 1, 3], 3),
        # names of several lengths
        (["walkFast2_v1", "walkFast2_v2", "run_v1", "jump3_v2"], [1, 2, 1, 2], 3),
        # a clip whose camera is not known
        (["x_v1", "x_v2", "x_v3"], [1, 2, -1], {frozenset({0, 1})}),
    ],
)
def test_names_of_data_sets(names, cameras, expected, named):
    found = members(performance_groups(named(names, cameras)))
    if isinstance(expected, int):
        assert len(found) == expected
        assert frozenset({0, 1}) in found
    else:
        assert found == expected


def test_codes_that_names_do_not_tell_keep_apart(named):
    store = named(["x_v1", "x_v2", "y_v1", "y_v2"], [1, 2, 1, 2], [1, 1, 1, 2])
    assert members(performance_groups(store)) == {frozenset({0, 1}), frozenset({2}), frozenset({3})}


def test_names_that_contain_the_class(filmed, named):
    assert names_contain_class(filmed)  # A01S001V01R01
    names = [f"{number:04}-{letter}_{cut}" for number in (2, 3) for letter in "LR" for cut in (1, 2)]
    labels = [0, 1, 0, 1, 2, 3, 2, 3]
    assert names_contain_class(named(names, [1, 1, 2, 2] * 2, labels=labels)) is False
    assert names_contain_class(named(["a1", "b2", "c3"], [1, 1, 1], labels=[0, 1, 2])) is False  # all unlike
    assert names_contain_class(named(["a1", "a2"], [1, 2], labels=[0, 0])) is None  # one class
    assert names_contain_class(named(["a1", "a2"], [1, 2], labels=[-1, -1])) is None  # none


@given(st.permutations(range(8)))
def test_order_does_not_matter(order):
    class Table:
        names = np.array([f"a{a}_e{e}_v{v}" for a in (1, 2) for e in (5, 6) for v in (1, 2)])[list(order)]
        cameras = np.array([1, 2] * 4)[list(order)]
        replications = np.array([5, 5, 6, 6] * 2)[list(order)]
        subjects = setups = np.full(8, -1)
        camera_names = ()

        def __len__(self):
            return 8

    groups = performance_groups(Table())
    assert members(groups[np.argsort(order)]) == {frozenset({2 * k, 2 * k + 1}) for k in range(4)}
