from __future__ import annotations

import numpy as np
from scipy import stats

from cxrbench.data.keys import fold, uniform

NUMBERS = np.arange(20_000)


def test_one_step_is_splitmix64() -> None:
    # First output of SplitMix64 from state 0, halved because keys are not negative.
    assert int(fold(0)) == 0xE220A8397B1DCDAF >> 1


def test_keys_differ_by_sample_epoch_and_seed_and_by_their_order() -> None:
    keys = np.concatenate([fold(1, 2, NUMBERS), fold(2, 1, NUMBERS), fold(1, 3, NUMBERS)])
    assert len(np.unique(keys)) == 3 * len(NUMBERS)
    assert keys.dtype == np.int64
    assert keys.min() >= 0


def test_a_key_does_not_depend_on_its_neighbours() -> None:
    assert fold(5, NUMBERS)[77] == fold(5, 77)


def test_draws_are_uniform_and_independent_of_each_other() -> None:
    first, second = uniform(fold(3, NUMBERS), 0), uniform(fold(3, NUMBERS), 1)
    assert first.min() >= 0
    assert first.max() < 1
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
