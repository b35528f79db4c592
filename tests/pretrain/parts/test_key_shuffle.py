"""The drawn order of keys: another one for every batch, and every result back in its place."""

from __future__ import annotations

import torch

from cxrbench.pretrain.parts.key_shuffle import KeyShuffle

CPU = torch.device("cpu")


def shuffle(seed: int = 0) -> KeyShuffle:
    torch.manual_seed(seed)
    return KeyShuffle()


def test_results_come_back_in_the_order_of_queries():
    order = shuffle().draw(12, 4, CPU)
    images = torch.arange(24).view(12, 2)
    taken = order.taken(images)
    assert not torch.equal(taken, images)
    assert torch.equal(taken.sort(0).values, images)
    assert torch.equal(order.put_back(10 * taken), 10 * images)


def test_every_batch_has_another_order():
    drawing = shuffle()
    orders = {tuple(drawing.draw(16, 4, CPU).taken(torch.arange(16)).tolist()) for _ in range(20)}
    assert len(orders) == 20


def test_orders_follow_from_the_seed_and_the_count_alone():
    one, two, other = shuffle(), shuffle(), shuffle(1)
    torch.manual_seed(5)
    first = [one.draw(16, 4, CPU).forth for _ in range(3)]
    torch.manual_seed(6)
    second = [two.draw(16, 4, CPU).forth for _ in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None)
    third = other.draw(16, 4, CPU).forth
    assert first[0] is not None
    assert third is not None
    assert not torch.equal(first[0], third)


def test_a_saved_shuffle_goes_on_where_it_stopped():
    one, two = shuffle(), shuffle(1)
    one.draw(16, 4, CPU)
    two.load_state_dict(one.state_dict())
    a, b = one.draw(16, 4, CPU).forth, two.draw(16, 4, CPU).forth
    assert a is not None
    assert b is not None
    assert torch.equal(a, b)


def test_drawing_leaves_torchs_generator_as_it_is():
    drawing = shuffle()
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    drawing.draw(16, 4, CPU)
    assert torch.equal(torch.rand(1), expected)


def test_one_group_keeps_its_order():
    drawing = shuffle()
    order = drawing.draw(8, 8, CPU)
    images = torch.rand(8, 3)
    assert order.forth is None
    assert order.taken(images) is images
    assert order.put_back(images) is images
    assert int(drawing.drawn) == 0


def test_evaluation_draws_without_counting():
    drawing = shuffle().eval()
    drawing.draw(8, 4, CPU)
    assert int(drawing.drawn) == 0
