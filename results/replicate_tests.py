"""Tests over replicates: what two encoders scored on the same draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..stats import paired_t_test, pool_t_test
from ..tasks.trial import PairedTest, TestName


def tests_over_replicates(
    a: np.ndarray, b: np.ndarray, metric: str, fraction: float, asked: Sequence[TestName]
) -> tuple[PairedTest, ...]:
    """The papers' paired t, and the pool t that decides.

    Args:
        a, b: the metric of both encoders, [J] replicates.
        metric: its name.
        fraction: share of the training pool that each replicate draws, above 0 to 1. Draws of the whole pool
            differ by their seed alone: the pool t is not defined there, and the paired t decides.
        asked: names of the tests that the task asks for.

    Empty with fewer than two replicates.
    """
    if len(a) < 2:
        return ()
    tests = []
    whole = fraction >= 1
    if "paired t" in asked or whole:
        tests.append(PairedTest.of(paired_t_test(a, b), "paired t", metric, "replicates", decides=whole))
    if not whole:
        result = pool_t_test(a - b, fraction, scale=float(np.abs([a, b]).max()))
        tests.append(PairedTest.of(result, "pool t", metric, "replicates"))
    return tuple(tests)
