"""Whether features may be kept in half their size: what rounding to float16 takes away of them."""

from __future__ import annotations

import numpy as np

# Rounding errors of trained and of random networks were 0.03 to 0.13 per cent of a feature's spread.
_MOST_LOST = 0.01
# Of fewer images the spread of a feature says little.
_FEWEST_IMAGES = 8


def fits_float16(features: np.ndarray) -> bool:
    """Whether float16 holds `features` [B, D], float32, so that a probe cannot tell.

    Nothing may overflow, and over the images the rounding error of the average feature (its root mean square) may
    be at most a hundredth of that feature's standard deviation. So large values, all too small values, and large
    offsets with little spread do not fit. A feature that is constant over the images does not count.
    """
    with np.errstate(over="ignore"):
        error = features - features.astype(np.float16).astype(np.float32)
    if not np.isfinite(error).all():
        return False
    if len(features) < _FEWEST_IMAGES:
        return True
    spread = features.std(axis=0, dtype=np.float64)
    noise = np.sqrt(np.mean(np.square(error, dtype=np.float64), axis=0))
    varies = spread > 0
    return not varies.any() or float(np.mean(np.minimum(noise[varies] / spread[varies], 1))) <= _MOST_LOST
