from __future__ import annotations

import numpy as np
import pytest

from cxrbench.data.label_policy import POLICIES, apply_policy
from cxrbench.foundation.errors import UserError

NAN = np.nan
LABELS = ("Cardiomegaly", "Edema", "Atelectasis")
STATED = np.array([[1.0, 0.0, -1.0], [-1.0, -1.0, NAN], [NAN, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("ones", [[1, 0, 1], [1, 1, 0], [0, 1, 0]]),
        ("zeros", [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ("ignore", [[1, 0, NAN], [NAN, NAN, 0], [0, 1, 0]]),
        ("mixed", [[1, 0, 1], [0, 1, 0], [0, 1, 0]]),
    ],
)
def test_uncertain_follows_the_policy_and_blank_is_negative(policy: str, expected: list[list[float]]) -> None:
    before = STATED.copy()
    result = apply_policy(STATED, policy, LABELS)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(STATED, before)


@pytest.mark.parametrize("policy", POLICIES)
def test_certain_labels_are_the_same_under_every_policy(policy: str) -> None:
    certain = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(apply_policy(certain, policy, LABELS), certain)


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="unknown label policy 'one'; did you mean 'ones'"):
        apply_policy(STATED, "one", LABELS)
    with pytest.raises(UserError, match="label value 2 is not"):
        apply_policy(np.array([[1.0, 2.0, 0.0]]), "ones", LABELS)
    with pytest.raises(UserError, match="do not fit 2 labels"):
        apply_policy(STATED, "ones", LABELS[:2])
