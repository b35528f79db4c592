from __future__ import annotations

import numpy as np

from cxrbench.stats.reasons import first_reason


def test_first_reason_that_holds_is_given() -> None:
    first, second = np.array([True, False, False]), np.array([True, True, False])
    assert first_reason((first, "first"), (second, "second")).tolist() == ["first", "second", None]


def test_a_single_test_has_a_word_or_none() -> None:
    assert first_reason((np.array(False), "first"), (np.bool_(True), "second")) == "second"
    assert first_reason((np.array(False), "first")) is None
