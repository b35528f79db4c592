"""Rescale, window and lookup tables of a DICOM file: from stored values to those meant to be looked at."""

from __future__ import annotations

import numpy as np

from ..image_reading import DamagedError
from .elements import ImageElements, LookupTable, Window


def presented(stored: np.ndarray, elements: ImageElements) -> np.ndarray:
    """Modality LUT or rescale, then VOI LUT or first window (PS3.3 C.11.1, C.11.2); `stored` itself if neither.

    Worked out once for each value that can occur and looked up for each pixel.

    Args:
        stored: [H, W] of at most 16 bits, signed or not.
        elements: the file's.

    Returns:
        As stored where nothing was applied and no sign is possible; otherwise uint16: whole numbers keep their
        steps (shifted to zero where some are negative), fractional ones (a window) are stretched over 16 bits.

    Raises:
        DamagedError: one value everywhere after the rescale or window.
    """
    changed = elements.modality_table or elements.rescale or elements.voi_table or elements.window
    if not changed and stored.dtype.kind == "u":
        return stored
    low, high = int(stored.min()), int(stored.max())
    values = _windowed(_rescaled(np.arange(low, high + 1), elements), elements).astype(np.float64)
    darkest, brightest = values.min(), values.max()
    if not np.isfinite(brightest - darkest):
        raise DamagedError("its rescale or window gives values that are not numbers")
    if brightest == darkest:
        raise DamagedError("constant after its rescale and window: no radiograph")
    if brightest - darkest > 65535 or (values != np.rint(values)).any():
        values = (values - darkest) * (65535 / (brightest - darkest))
    elif darkest < 0 or brightest > 65535:
        values = values - darkest
    return np.rint(values).astype(np.uint16)[stored.astype(np.int32) - low]


def _rescaled(values: np.ndarray, elements: ImageElements) -> np.ndarray:
    if elements.modality_table is not None:
        return _looked_up(values, elements.modality_table)
    if elements.rescale is None:
        return values
    slope, intercept = elements.rescale
    with np.errstate(over="ignore", invalid="ignore"):
        return values * slope + intercept


def _windowed(values: np.ndarray, elements: ImageElements) -> np.ndarray:
    if elements.voi_table is not None:
        return _looked_up(values, elements.voi_table)
    return values if elements.window is None else _in_window(values, elements.window)


def _looked_up(values: np.ndarray, table: LookupTable) -> np.ndarray:
    index = np.clip(np.rint(values) - table.first, 0, len(table.entries) - 1)
    return table.entries[index.astype(np.int64)]


def _in_window(values: np.ndarray, window: Window) -> np.ndarray:
    """From 0, left of the window, to 1, right of it (PS3.3 C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2)."""
    if window.function == "SIGMOID":
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-4 * (values - window.center) / window.width))
    if window.function == "LINEAR_EXACT":
        return np.clip((values - window.center) / window.width + 0.5, 0, 1)
    if window.width == 1:
        return (values > window.center - 0.5).astype(np.float64)
    return np.clip((values - (window.center - 0.5)) / (window.width - 1) + 0.5, 0, 1)
