import numpy as np
import pytest

from skel_data import get_split, pool_source, pool_stores


@pytest.fixture
def three(make_store, make_clip, ntu):
    """Two of a small layout, in metres and millimetres, and one of 25 joints."""
    one = make_store([make_clip(0), make_clip(1)], name="a.store", dataset="a")
    two = make_store([make_clip(0), make_clip(1)], name="b.store", dataset="b", units="millimetres")
    return one, two, make_store([make_clip(0, (3, 1, 25, 3))], name="c.store", layout=ntu, dataset="c")


def test_a_pool_has_the_training_clips_of_each_store(three, tmp_path):
    one, two, _ = three
    pool = pool_stores([one, two], tmp_path / "p.store", split="all")
    assert (len(pool), pool.dataset, pool.units) == (4, "a+b", "metres")
    assert pool.setups.tolist() == [1, 1, 2, 2]
    assert pool.names.tolist() == [f"{s.dataset}/{name}" for s in (one, two) for name in s.names]
    np.testing.assert_array_equal(pool.clip(0), one.clip(0))
    np.testing.assert_allclose(pool.clip(2), two.clip(0) / 1000, rtol=1e-6)
    assert pool.labels.tolist() == pool.subjects.tolist() == pool.cameras.tolist() == [-1] * 4
    assert len(get_split(pool, needs_test=False).train) == 4
    assert pool.notes == (f"setup 1 is a, of {one.layout.name}", f"setup 2 is b, of {one.layout.name}")
    assert pool.header["source"] == pool_source([one, two], "all") != pool_source([two, one], "all")


def test_only_training_clips_are_taken(make_store, make_clip, tmp_path):
    stores = [
        make_store([make_clip(i, split=1 + (i == 1)) for i in range(3)], name=f"{n}.store", dataset=n)
        for n in "ab"
    ]
    assert len(pool_stores(stores, tmp_path / "p.store")) == 4


def test_stores_that_make_no_pool(three, make_store, make_clip, tmp_path):
    one, _, other = three
    pixels = make_store([make_clip(0)], name="d.store", units="pixels")
    for stores, message in (
        ([one], "at least two stores, got 1"),
        ([one, one], "are the same store: a pool takes each once"),
        ([one, pixels], "is in metres, .*d.store in pixels: no pool"),
        ([other, one], "no joint of layout chain-5 gives"),
    ):
        with pytest.raises(ValueError, match=message):
            pool_stores(stores, tmp_path / "p.store", split="all")
    assert not (tmp_path / "p.store").exists()
