"""Ranks of a few values, ties sharing their middle."""

from __future__ import annotations

import numpy as np


def doubled_midranks(values: np.ndarray) -> np.ndarray:
    """Twice the ranks of values [..., k] along the last axis, from 1 for the smallest; equal values share their middle.

    Twice a middle rank is a whole number, so that nothing is rounded. Every value is compared with every other: for a
    few dozen of them.
    """
    below = (values[..., None, :] < values[..., :, None]).sum(-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(-1)
    return 2 * below + equal + 1
