from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrbench.data.run_lengths import counts_of, mask_of
from cxrbench.data.siim_run_lengths import encode, merge_rows


def merged(texts: list[str], height: int, width: int, masks: list[int] | None = None):
    owners = np.zeros(len(texts), dtype=np.int64) if masks is None else np.array(masks)
    return merge_rows(texts, owners, np.full(len(texts), height * width))


def painted(text: str, height: int, width: int) -> np.ndarray:
    """The mask a row states, painted run by run as the challenge describes it."""
    flat = np.zeros(height * width, dtype=bool)
    position = 0
    numbers = [int(word) for word in text.split()]
    for gap, run in zip(numbers[::2], numbers[1::2], strict=True):
        position += gap
        flat[position : position + run] = True
        position += run
    return flat.reshape(width, height).T


def test_gaps_are_counted_from_the_end_of_the_run_before_down_the_columns() -> None:
    # 4 high, 3 wide: pixels 1 and 2 are rows 1 and 2 of the first column, pixel 6 is row 2 of the second.
    found = merged(["1 2 3 1"], 4, 3)
    assert found.counts == {0: [1, 2, 3, 1, 5]}
    assert mask_of(np.array(found.counts[0]), 4, 3).astype(int).tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 0],
    ]


def test_the_challenges_own_example_covers_the_pixels_it_names() -> None:
    text = "387620 23 996 33 986 43 977 51 968 58 962 65 956 70 952 74 949 76 946 79"
    mask = mask_of(np.array(merged([text], 1024, 1024).counts[0]), 1024, 1024)
    assert mask.sum() == 23 + 33 + 43 + 51 + 58 + 65 + 70 + 74 + 76 + 79
    # 387620 = 378 * 1024 + 548: ten neighbouring columns from 378 on, 23 pixels in the first.
    assert np.flatnonzero(mask.any(axis=0)).tolist() == list(range(378, 388))
    assert np.flatnonzero(mask[:, 378]).tolist() == list(range(548, 548 + 23))


def test_a_run_that_begins_at_the_first_and_one_that_ends_at_the_last_pixel_are_kept() -> None:
    assert merged(["0 2 9 1"], 4, 3).counts == {0: [0, 2, 9, 1]}
    assert merged(["0 12"], 4, 3).counts == {0: [0, 12]}


def test_rows_of_one_image_are_joined_where_they_overlap_touch_or_stand_apart() -> None:
    assert merged(["1 3", "2 4"], 4, 3).counts == {0: [1, 5, 6]}
    assert merged(["1 3", "4 2"], 4, 3).counts == {0: [1, 5, 6]}
    assert merged(["7 2", "1 3"], 4, 3).counts == {0: [1, 3, 3, 2, 3]}
    # One inside the other, then one that touches the outer only.
    assert merged(["1 8", "2 1", "9 1"], 4, 3).counts == {0: [1, 9, 2]}


def test_masks_of_different_images_and_sizes_stay_apart() -> None:
    found = merge_rows(["0 4", "0 1", "3 1"], np.array([5, 2, 5]), np.array([4, 9, 4]))
    assert found.counts == {5: [0, 4], 2: [0, 1, 8]}
    assert not found.faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3", "3 numbers, which are no pairs"),
        ("7", "1 numbers, which are no pairs"),
        ("1 12", "its runs end at pixel 13 of an image of 12"),
        ("4 0", "its runs hold no pixel; an image without a mask has -1"),
        ("1 x", "'1 x' is not pairs of whole numbers"),
        ("1 -2", "'1 -2' is not pairs of whole numbers"),
        ("1.0 2", "is not pairs of whole numbers"),
        ("1,2", "is not pairs of whole numbers"),
        ("", "'' is not pairs of whole numbers"),
        ("1 99999999999999999999", "is not pairs of whole numbers"),
        ("9999999999 9999999999", "its runs end at pixel 19999999998 of an image of 12"),
        ("\u0661 \u0662", "is not pairs of whole numbers"),
    ],
)
def test_a_wrong_row_is_named_and_its_image_gets_no_half_of_a_mask(text: str, said: str) -> None:
    found = merged(["0 3", text, "0 2"], 4, 3, masks=[0, 1, 1])
    assert found.counts == {0: [0, 3, 9]}
    assert list(found.faults) == [1]
    assert said in found.faults[1]


def test_no_rows_are_no_masks() -> None:
    assert merged([], 4, 3).counts == {}


def test_an_empty_mask_is_written_as_minus_one() -> None:
    assert encode(np.zeros((4, 3), bool)) == "-1"


def test_a_mask_is_written_without_the_gap_at_its_end() -> None:
    mask = np.zeros((4, 3), bool)
    mask[1:3, 0] = mask[2, 1] = True
    assert encode(mask) == "1 2 3 1"
    mask[3, 2] = True
    assert encode(mask) == "1 2 3 1 4 1"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.data())
def test_what_is_written_is_read_back_and_several_rows_are_their_union(height: int, width: int, data) -> None:
    bits = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
    masks = [np.array(data.draw(bits)).reshape(height, width) for _ in range(3)]
    masks = [mask for mask in masks if mask.any()]
    texts = [encode(mask) for mask in masks]
    for text, mask in zip(texts, masks, strict=True):
        np.testing.assert_array_equal(painted(text, height, width), mask)
    found = merged(texts, height, width)
    assert not found.faults
    if masks:
        assert found.counts[0] == counts_of(np.logical_or.reduce(masks))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="0123456789 -x,.\n", max_size=12), max_size=6))
def test_any_text_is_a_mask_or_a_fault(texts: list[str]) -> None:
    found = merged(texts, 4, 3, masks=list(range(len(texts))))
    assert set(found.counts) | set(found.faults) == set(range(len(texts)))
    assert not set(found.counts) & set(found.faults)
    for counts in found.counts.values():
        assert mask_of(np.array(counts), 4, 3).any()
