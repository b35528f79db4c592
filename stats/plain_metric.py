"""Any function of arrays of samples as a function of how often each sample is drawn."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np

from .weighted import WeightedMetric


def plain_metric(metric: Callable[..., object], *arrays: np.ndarray) -> WeightedMetric:
    """Repeat samples as often as whole weights say and call a metric that knows of no weights.

    Args:
        metric: called with the arrays. A function that takes `axis` is called with axis=-1. One that answers [..., B]
            to arrays [..., B, n] is called with whole batches; any other once for every resample.
        arrays: [..., N] each; the last axis is the samples'.

    A ValueError or ZeroDivisionError of the metric on a resample (one class only, say) makes that resample's value NaN.
    """
    metric = _along_last_axis(metric)
    n_samples = arrays[0].shape[-1]
    once = np.asarray(metric(*arrays), dtype=np.float64)
    find = _in_batches if _takes_batches(metric, arrays, once) else _one_by_one

    def values(weights: np.ndarray) -> np.ndarray:
        found = np.full((*once.shape, len(weights)), np.nan)
        lengths = weights.sum(axis=1)
        # Patients bring different numbers of samples; resamples of one length make a whole array.
        for length in np.unique(lengths[lengths > 0]):
            rows = np.flatnonzero(lengths == length)
            places = np.repeat(np.tile(np.arange(n_samples), len(rows)), weights[rows].ravel()).reshape(len(rows), -1)
            found[..., rows] = find(metric, arrays, places, once.shape)
        return found

    return WeightedMetric(n_samples, values)


def _along_last_axis(metric: Callable[..., object]) -> Callable[..., object]:
    try:
        named = inspect.signature(metric).parameters
    except (TypeError, ValueError):
        return metric
    return partial(metric, axis=-1) if "axis" in named else metric


def _takes_batches(metric: Callable[..., object], arrays: tuple[np.ndarray, ...], once: np.ndarray) -> bool:
    """Whether two copies of the samples as a batch give the one answer twice."""
    try:
        twice = np.asarray(metric(*(np.stack([array, array], axis=-2) for array in arrays)), dtype=np.float64)
    # The function is somebody else's, and may say in any way that it takes no batches.
    except Exception:
        return False
    return twice.shape == (*once.shape, 2) and np.allclose(twice, once[..., None], equal_nan=True)


def _in_batches(
    metric: Callable[..., object], arrays: tuple[np.ndarray, ...], places: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Values [..., B] of resamples [B, n]. A batch that is refused is halved until the culprits stand alone."""
    try:
        return np.asarray(metric(*(array[..., places] for array in arrays)), dtype=np.float64)
    except (ValueError, ZeroDivisionError):
        if len(places) == 1:
            return np.full((*shape, 1), np.nan)
        halves = np.array_split(places, 2)
        return np.concatenate([_in_batches(metric, arrays, half, shape) for half in halves], axis=-1)


def _one_by_one(
    metric: Callable[..., object], arrays: tuple[np.ndarray, ...], places: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    found = np.full((*shape, len(places)), np.nan)
    for index, row in enumerate(places):
        with suppress(ValueError, ZeroDivisionError):
            found[..., index] = metric(*(array[..., row] for array in arrays))
    return found
