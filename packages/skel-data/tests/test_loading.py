"""Loading clips to a device. Without torch there is nothing to test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from skel_data import clip_loader, epoch_order  # noqa: E402


@pytest.fixture
def array(tmp_path):
    """Memory-mapped clips (11, 3, 4, 5, 1), the number of each in all its places."""
    clips = np.broadcast_to(np.arange(11.0, dtype=np.float32)[:, None, None, None, None], (11, 3, 4, 5, 1))
    np.save(tmp_path / "clips.npy", clips)
    return np.load(tmp_path / "clips.npy", mmap_mode="r")


@pytest.mark.parametrize("keep", ["auto", "device", "stream"])
def test_batches_are_the_chosen_clips_in_order(array, keep):
    loader = clip_loader(array, np.array([2, 3, 5, 7]), keep=keep)
    assert (len(loader), loader.resident) == (4, keep != "stream")
    order = [np.array([3, 0]), np.array([1]), np.array([2, 2]), np.array([0])]
    batches = list(loader.batches(order))
    assert [batch[:, 0, 0, 0, 0].tolist() for batch in batches] == [[7, 2], [3], [5, 5], [2]]
    assert all(batch.shape[1:] == (3, 4, 5, 1) and batch.dtype == torch.float32 for batch in batches)
    assert torch.equal(loader.take(order[0]), batches[0])


@pytest.mark.parametrize("keep", ["device", "stream"])
def test_half_arrays_give_full_batches(array, keep):
    half = array.astype(np.float16)
    loader = clip_loader(half, keep=keep)
    assert len(loader) == 11
    assert loader.take(np.array([4])).dtype == torch.float32
    assert clip_loader(half, keep=keep, dtype=torch.float64).take(np.array([4])).dtype == torch.float64
    stored = loader.array
    assert stored.dtype in (torch.float16, np.dtype(np.float16))


def test_a_stream_may_be_left(array):
    batches = clip_loader(array, keep="stream").batches(np.array([i]) for i in range(11))
    assert float(next(batches).max()) == 0
    batches.close()


def test_too_large_for_memory_is_streamed(array, monkeypatch):
    size = array.size * 4
    monkeypatch.setattr("skel_data._loading._free", lambda _: 2 * size - 1)
    assert not clip_loader(array).resident
    assert clip_loader(array, np.arange(10)).resident
    monkeypatch.setattr("skel_data._loading._free", lambda _: 2 * size)
    assert clip_loader(array).resident


def test_errors(array):
    with pytest.raises(ValueError, match="keep must be one of auto, device, stream"):
        clip_loader(array, keep="disk")
    with pytest.raises(ValueError, match="3 ranks"):
        epoch_order(10, 4, seed=0, ranks=3)
    with pytest.raises(ValueError, match="batches of 11 of 10"):
        epoch_order(10, 11, seed=0)


def test_order_depends_on_the_seed_alone():
    one = epoch_order(11, 4, seed=3)
    assert [len(places) for places in one] == [4, 4]
    assert len(set(np.concatenate(one))) == 8
    torch.manual_seed(5)
    assert np.array_equal(one, epoch_order(11, 4, seed=3))
    assert not np.array_equal(one, epoch_order(11, 4, seed=4))


def test_ranks_share_the_batches_of_one():
    one = epoch_order(11, 4, seed=3)
    shares = [epoch_order(11, 4, seed=3, rank=rank, ranks=2) for rank in range(2)]
    assert np.array_equal(one, [np.concatenate(both) for both in zip(*shares, strict=True)])


@given(
    st.lists(st.integers(4, 30), min_size=1, max_size=4),
    st.integers(1, 2),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(0, 5),
)
def test_batches_of_one_group(sizes, ranks, balance, seed):
    groups = np.repeat(np.arange(len(sizes)) * 3, sizes)
    groups = np.random.default_rng(seed).permutation(groups)
    batch = 4
    one = epoch_order(len(groups), batch, seed=seed, groups=groups, balance=balance)
    assert len(one) == len(groups) // batch
    assert all(len(set(groups[rows])) == 1 and len(set(rows)) == batch for rows in one)
    counts = np.array([sum(groups[rows[0]] == code for rows in one) for code in np.unique(groups)])
    share = np.array(sizes) ** (1 - balance)
    assert (abs(counts - len(one) * share / share.sum()) < 1).all()
    if balance == 0 and len(sizes) == 1:
        assert len(np.unique(np.concatenate(one))) == len(one) * batch
    shares = [
        epoch_order(len(groups), batch, seed=seed, groups=groups, balance=balance, rank=r, ranks=ranks)
        for r in range(ranks)
    ]
    for whole, *parts in zip(one, *shares, strict=True):
        assert np.array_equal(whole, np.concatenate(parts))


def test_a_group_smaller_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="each batch of 4 clips is of one group, but group 7 has 2"):
        epoch_order(12, 4, seed=0, groups=np.array([1] * 10 + [7] * 2))
