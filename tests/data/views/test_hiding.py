from __future__ import annotations

import numpy as np
import pytest

from cxrbench.data.views.hiding import Hidden, HideOrShuffle, InnerCutout, OuterCutout
from cxrbench.data.views.key_numbers import numbers

N = 4000
GREY = 200


def unit(count: int, n: int = N) -> np.ndarray:
    return numbers(np.arange(n), 5, count)


def plain(size: int) -> np.ndarray:
    return np.full((size, size), GREY, np.uint8)


def test_inner_cutouts_are_three_squares_cut_at_the_border() -> None:
    hiding = InnerCutout(0.5)
    hidden = hiding.draw(unit(hiding.numbers), 224)
    assert hidden.done.mean() == pytest.approx(0.5, abs=0.03)
    sides = hidden.boxes[..., [1, 3]] - hidden.boxes[..., [0, 2]]
    assert hidden.boxes.shape == (N, 3, 4)
    assert sides.max() == 32
    assert sides.min() >= 16
    assert (sides == 32).mean() == pytest.approx((224 - 31) / 224, abs=0.02)
    for row in range(20):
        view = plain(224)
        hiding.apply(view, hidden, row)
        mask = np.zeros((224, 224), bool)
        for top, bottom, left, right in hidden.boxes[row]:
            mask[top:bottom, left:right] = hidden.done[row]
        np.testing.assert_array_equal(view, np.where(mask, 115, GREY))


def test_an_outer_cutout_keeps_one_rectangle() -> None:
    hiding = OuterCutout(1.0)
    hidden = hiding.draw(unit(hiding.numbers), 64)
    for row in range(20):
        view = plain(64)
        hiding.apply(view, hidden, row)
        kept = view == GREY
        rows, columns = kept.any(axis=1).sum(), kept.any(axis=0).sum()
        assert 44 <= rows <= 50
        assert 44 <= columns <= 50
        assert kept.sum() == rows * columns
        assert (view[~kept] == 115).all()
    assert hidden.boxes.min() == 0
    assert hidden.boxes.max() == 64


def test_hidden_or_shuffled_as_often_as_in_the_released_code() -> None:
    hiding = HideOrShuffle()
    done = hiding.draw(unit(hiding.numbers), 224).done
    share = np.bincount(done, minlength=4) / N
    np.testing.assert_allclose(share, [0.35, 0.30, 0.05, 0.30], atol=0.03)


def test_sizes_of_hidden_and_shuffled_rectangles_are_the_released_ones() -> None:
    hiding = HideOrShuffle()
    hidden = hiding.draw(unit(hiding.numbers), 224)
    sides = hidden.boxes[..., [1, 3]] - hidden.boxes[..., [0, 2]]
    for done, least, most in ((1, 10, 70), (2, 154, 174), (3, 10, 15)):
        chosen = sides[hidden.done == done]
        assert chosen.min() == least
        assert chosen.max() == most
    # Three pixels from the border at least, as there.
    assert hidden.boxes.min() == 3
    assert hidden.boxes.max() == 221
    counts = hidden.count[hidden.done == 1]
    # Each rectangle is the last with a probability of 0.1, and the tenth always.
    assert (counts == 1).mean() == pytest.approx(0.1, abs=0.03)
    assert (counts == 10).mean() == pytest.approx(0.9**9, abs=0.05)
    assert (hidden.count[hidden.done == 3] == 10).all()


def test_a_small_view_has_proportionally_small_rectangles() -> None:
    hiding = HideOrShuffle(1.0, 0.0, 0.0)
    hidden = hiding.draw(unit(hiding.numbers), 56)
    sides = hidden.boxes[:, :10, [1, 3]] - hidden.boxes[:, :10, [0, 2]]
    assert sides.min() == 2
    assert sides.max() == 18
    assert hidden.boxes.min() >= 0
    assert hidden.boxes.max() <= 56


def test_a_cutout_is_black_and_outpainting_keeps_the_rectangles() -> None:
    hiding = HideOrShuffle()
    boxes = np.zeros((2, 20, 4), np.int64)
    boxes[:, 0], boxes[:, 1] = (2, 5, 1, 3), (6, 8, 6, 9)
    hidden = Hidden(np.array([1, 2]), boxes, np.array([1, 2]))
    cut = plain(10)
    hiding.apply(cut, hidden, 0)
    truth = plain(10)
    truth[2:5, 1:3] = 0
    np.testing.assert_array_equal(cut, truth)
    kept = plain(10)
    hiding.apply(kept, hidden, 1)
    truth = np.zeros((10, 10), np.uint8)
    truth[2:5, 1:3] = truth[6:8, 6:9] = GREY
    np.testing.assert_array_equal(kept, truth)


def test_shuffled_blocks_change_places() -> None:
    view = np.arange(256, dtype=np.uint8).reshape(16, 16)
    boxes = np.tile(np.array([0, 1, 0, 1]), (1, 20, 1))
    boxes[0, 0], boxes[0, 10] = (2, 4, 3, 6), (9, 11, 8, 11)
    truth = view.copy()
    truth[2:4, 3:6], truth[9:11, 8:11] = view[9:11, 8:11], view[2:4, 3:6]
    HideOrShuffle().apply(view, Hidden(np.array([3]), boxes, np.array([10])), 0)
    np.testing.assert_array_equal(view, truth)


def test_nothing_is_done_where_nothing_was_drawn() -> None:
    view = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for hiding in (InnerCutout(0.0), OuterCutout(0.0), HideOrShuffle(0.0, 0.0, 0.0)):
        hiding.apply(view, hiding.draw(unit(hiding.numbers, 1), 16), 0)
    np.testing.assert_array_equal(view.ravel(), np.arange(256))
