"""Many random numbers a key at once."""

from __future__ import annotations

import numpy as np

from ..keys import fold


def numbers(keys: np.ndarray, stream: int, count: int) -> np.ndarray:
    """float64 [B, count] in [0, 1): the first `count` numbers of each key's stream `stream`; keys int64 [B]."""
    whole = fold(keys[:, None], stream, np.arange(count)[None])
    # 53 bits are what float64 holds exactly; with all 63 a number could round to 1.
    return (whole >> 10) / np.float64(2.0**53)


def between(unit: np.ndarray, least: float, most: float) -> np.ndarray:
    """Numbers in [0, 1) stretched to [least, most)."""
    return least + unit * (most - least)


def whole_between(unit: np.ndarray, least: np.ndarray | float, most: np.ndarray | float) -> np.ndarray:
    """Numbers in [0, 1) as int64 from `least` to `most`, both included; `least` where `most` is less."""
    return np.floor(least + unit * np.maximum(most - least + 1, 1)).astype(np.int64)
