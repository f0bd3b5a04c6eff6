import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import Queue


def test_smoke():
    queue = Queue(10, 4, generator=torch.Generator().manual_seed(0))
    assert queue.keys.shape == (10, 4)
    torch.testing.assert_close(queue.keys.norm(dim=1), torch.ones(10))
    assert set(queue.state_dict()) == {"keys", "position"}


def test_errors():
    with pytest.raises(ValueError, match="positive size"):
        Queue(0, 4)
    with pytest.raises(ValueError, match=r"\(N, 4\), got \(3, 5\)"):
        Queue(10, 4).push(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"no ids, as the queue has none, got \(3,\)"):
        Queue(10, 4).push(torch.zeros(3, 4), torch.arange(3))
    with pytest.raises(ValueError, match=r"ids \(3,\), got \(2,\)"):
        Queue(10, 4, with_ids=True).push(torch.zeros(3, 4), torch.arange(2))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_is_first_in_first_out_for_any_batch_sizes(sizes):
    queue = Queue(7, 3)
    pushed = torch.nn.functional.normalize(torch.randn(sum(sizes), 3), dim=1)
    for batch in pushed.split(sizes):
        queue.push(batch)
    newest = pushed[-7:]
    places = (torch.arange(len(pushed))[-7:]) % 7
    torch.testing.assert_close(queue.keys[places], newest)
    assert int(queue.position) == len(pushed) % 7


def test_state_dict_restores_contents_and_position():
    queue, other = Queue(5, 3), Queue(5, 3)
    queue.push(torch.randn(3, 3))
    other.load_state_dict(queue.state_dict())
    batch = torch.randn(4, 3)
    queue.push(batch)
    other.push(batch)
    assert torch.equal(queue.keys, other.keys)


def test_gather_brings_the_keys_of_all_processes():
    elsewhere = torch.randn(2, 3)
    queue = Queue(5, 3, gather=lambda keys: torch.cat([keys, elsewhere]))
    batch = torch.randn(2, 3)
    queue.push(batch)
    expected = torch.nn.functional.normalize(torch.cat([batch, elsewhere]), dim=1)
    torch.testing.assert_close(queue.keys[:4], expected)


def test_push_leaves_no_graph():
    queue = Queue(5, 3)
    queue.push(torch.randn(2, 3, requires_grad=True))
    assert not queue.keys.requires_grad


def test_ids_stay_beside_their_keys():
    queue = Queue(5, 3, gather=lambda rows: torch.cat([rows, rows + 1]), with_ids=True)
    assert queue.ids.tolist() == [-1] * 5
    assert set(queue.state_dict()) == {"keys", "position", "ids"}
    queue.push(torch.randn(2, 3), torch.tensor([10, 20]))
    assert queue.ids.tolist() == [10, 20, 11, 21, -1]
    queue.push(torch.randn(1, 3), torch.tensor([30]))
    assert queue.ids.tolist() == [31, 20, 11, 21, 30]
    queue = Queue(3, 3, with_ids=True)
    queue.push(torch.randn(4, 3), torch.arange(4))
    assert queue.ids.tolist() == [3, 1, 2]
    queue.push(torch.randn(1, 3))
    assert queue.ids.tolist() == [3, -1, 2]
