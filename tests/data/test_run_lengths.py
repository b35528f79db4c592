from __future__ import annotations

import numpy as np
import pytest

from cxrbench.data.run_lengths import counts_from_text, counts_of, counts_to_text, mask_of


def test_counts_go_down_the_columns_and_begin_with_zeros() -> None:
    mask = np.array([[1, 0, 0], [0, 1, 0]], dtype=bool)
    assert counts_of(mask) == [0, 1, 2, 1, 2]
    assert counts_of(np.zeros((2, 2), bool)) == [4]
    assert counts_of(np.ones((2, 2), bool)) == [0, 4]


def test_counts_decode_as_the_coco_format_says() -> None:
    """Runs of 0 and 1 in turn, in Fortran order (the format's definition), written out here pixel by pixel."""
    mask = np.random.default_rng(0).random((7, 11)) < 0.4
    pixels: list[bool] = []
    for place, run in enumerate(counts_of(mask)):
        pixels += [place % 2 == 1] * run
    assert [[pixels[column * 7 + row] for column in range(11)] for row in range(7)] == mask.tolist()


def test_a_mask_goes_through_text_and_back() -> None:
    mask = np.random.default_rng(1).random((9, 5)) < 0.5
    text = counts_to_text(counts_of(mask))
    np.testing.assert_array_equal(mask_of(counts_from_text(text), 9, 5), mask)


@pytest.mark.parametrize("counts", [[3], [5], [2, 3], [6, -2], []])
def test_counts_of_another_size_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="not to 2 x 2"):
        mask_of(np.array(counts), 2, 2)


@pytest.mark.parametrize("text", ["1 x", "1.5", "1,2"])
def test_text_that_is_no_numbers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        counts_from_text(text)
