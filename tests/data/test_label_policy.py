from __future__ import annotations

import numpy as np
import pytest

from cxrbench.data.label_policy import POLICIES, READERS, apply_policy
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
    with pytest.raises(UserError, match="unknown reader policy 'majorty'; did you mean 'majority'"):
        apply_policy(STATED, "ones", LABELS, readers="majorty")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("value", [1.0001, -0.5, np.inf])
def test_a_share_of_readers_lies_between_0_and_1(value: float) -> None:
    with pytest.raises(UserError, match=r"is not 1, 0, -1, blank or a share of readers"):
        apply_policy(np.array([[value, 0.0, 0.0]]), "ones", LABELS)


# None, one, two and all of three readers, and one of two.
SHARES = np.array([[0.0, 1 / 3, 2 / 3], [1.0, 0.5, 0.0]])


@pytest.mark.parametrize(
    ("readers", "expected"),
    [
        ("any", [[0, 1, 1], [1, 1, 0]]),
        ("majority", [[0, 0, 1], [1, 0, 0]]),
        ("consensus", [[0, 0, 0], [1, 0, 0]]),
    ],
)
def test_disputed_labels_follow_the_readers(readers, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(apply_policy(SHARES, "ignore", LABELS, readers=readers), expected)
    if readers == "majority":
        np.testing.assert_array_equal(apply_policy(SHARES, "ignore", LABELS), expected)


@pytest.mark.parametrize("readers", READERS)
def test_readers_change_nothing_that_is_certain_uncertain_or_blank(readers) -> None:
    for policy in POLICIES:
        expected = apply_policy(STATED, policy, LABELS)
        np.testing.assert_array_equal(apply_policy(STATED, policy, LABELS, readers=readers), expected)
