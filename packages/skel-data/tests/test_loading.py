"""Loading clips to a device. Without torch there is nothing to test."""

import numpy as np
import pytest

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
