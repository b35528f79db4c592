from __future__ import annotations

import hashlib

import numpy as np
import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results.figures.samples import named_samples, picked_samples

IDS = [f"image_{number}" for number in range(40)]


def test_positives_are_picked_by_a_hash_of_their_ids_whatever_the_order_of_rows() -> None:
    positive = np.arange(40) % 3 == 0
    rows, rule = picked_samples(IDS, positive, 4)
    ranked = sorted((each for each, is_positive in zip(IDS, positive, strict=True) if is_positive), key=_digest)
    assert [IDS[row] for row in rows] == ranked[:4]
    assert rule == "First 4 positive test images by SHA-256 of the id."
    backwards, _ = picked_samples(IDS[::-1], positive[::-1], 4)
    assert [IDS[::-1][row] for row in backwards] == ranked[:4]


def test_fewer_positives_are_all_shown_and_without_any_others_are() -> None:
    rows, rule = picked_samples(IDS, np.arange(40) == 7, 4)
    assert (rows.tolist(), rule) == ([7], "First 1 positive test image by SHA-256 of the id.")
    rows, rule = picked_samples(IDS, np.zeros(40, dtype=bool), 2)
    assert [IDS[row] for row in rows] == sorted(IDS, key=_digest)[:2]
    assert rule == "First 2 negative (none is positive) test images by SHA-256 of the id."


def test_named_samples_keep_their_order_and_unknown_ones_are_one_line() -> None:
    assert named_samples(IDS, ["image_9", "image_2"]).tolist() == [9, 2]
    with pytest.raises(UserError, match="--sample: 'imag_9' is no test image of these records; one of the 40 is 'ima"):
        named_samples(IDS, ["image_2", "imag_9"])


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
