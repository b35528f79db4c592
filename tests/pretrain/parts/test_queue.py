"""The queue of keys: oldest out, newest in, over interruptions too."""

from __future__ import annotations

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.parts.queue import Queue


def keys(first: int, count: int = 2) -> torch.Tensor:
    """Keys that can be told apart: [first, first], [first + 1, first + 1], …"""
    return torch.arange(first, first + count, dtype=torch.float32)[:, None].repeat(1, 3)


def test_new_keys_take_the_place_of_the_oldest():
    queue = Queue(6, 3, batch_size=2)
    for first in (0, 2, 4):
        queue.push(keys(first))
    assert queue.keys[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert int(queue.place) == 0
    queue.push(keys(6))
    assert queue.keys[:, 0].tolist() == [6, 7, 2, 3, 4, 5]
    assert int(queue.place) == 2


def test_a_batch_that_does_not_fit_goes_round_the_end():
    queue = Queue(6, 3, batch_size=2)
    queue.push(keys(0, 5))
    queue.push(keys(5, 3))
    assert queue.keys[:, 0].tolist() == [6, 7, 2, 3, 4, 5]
    assert int(queue.place) == 2


def test_it_begins_with_directions_of_torchs_generator():
    torch.manual_seed(3)
    one = Queue(8, 4, batch_size=4)
    torch.manual_seed(3)
    two = Queue(8, 4, batch_size=4)
    other = Queue(8, 4, batch_size=4)
    assert torch.equal(one.keys, two.keys)
    assert not torch.equal(one.keys, other.keys)
    torch.testing.assert_close(one.keys.norm(dim=1), torch.ones(8))


def test_a_saved_queue_goes_on_where_it_stopped():
    one, two = Queue(6, 3, batch_size=2), Queue(6, 3, batch_size=2)
    one.push(keys(0))
    two.load_state_dict(one.state_dict())
    for queue in (one, two):
        queue.push(keys(2))
    assert torch.equal(one.keys, two.keys)
    assert torch.equal(one.place, two.place)


def test_queued_keys_have_no_gradient():
    queue = Queue(4, 3, batch_size=2)
    queue.push(keys(0).requires_grad_())
    assert not queue.keys.requires_grad


@pytest.mark.parametrize(("size", "batch", "fits"), [(100, 32, 96), (120, 32, 128), (8, 32, 32)])
def test_a_queue_that_cuts_a_batch_is_refused_with_the_nearest_that_fits(size: int, batch: int, fits: int):
    with pytest.raises(UserError, match=f"queue = {size} is not divisible by .*batch_size = {batch}: .*queue={fits}"):
        Queue(size, 4, batch)
