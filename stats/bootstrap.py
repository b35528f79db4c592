"""Bootstrap intervals: samples or whole patients drawn with replacement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from scipy import special

from .arguments import check_level
from .auc import auc
from .plain_metric import plain_metric
from .resampling import Units
from .result import TestResult
from .weighted import WeightedMetric, weighted_auc, weighted_mean

_METHODS = ("bca", "percentile")
# Above this share of undefined resamples the interval speaks of the others only, and is flagged.
_UNDEFINED_SHARE = 0.05
_ULPS = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class BootstrapResult(TestResult):
    """A bootstrap interval; there is no test, so statistic, df and p are NaN.

    Attributes:
        se: standard deviation over the resamples.
        n_units: what was drawn: samples, or patients.
        n_resamples: how many were drawn.
        n_undefined: of these, where the metric was undefined and which were left out.
        method: bca, percentile, or patients and replicates.
        distribution: [..., n_resamples] the metric on every resample, NaN where undefined.
    """

    se: Any = float("nan")
    n_units: int = 0
    n_resamples: int = 0
    n_undefined: Any = 0
    method: str = ""
    distribution: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)


def bootstrap_ci(
    metric: str | Callable[..., object],
    *arrays: np.ndarray,
    groups: np.ndarray | None = None,
    n_resamples: int = 2000,
    level: float = 0.95,
    method: str = "bca",
    seed: int = 0,
    weighted: bool = False,
    n_samples: int | None = None,
    batch: int | None = None,
) -> BootstrapResult:
    """Confidence interval of a metric over resamples of its samples, or of patients with all their samples.

    Args:
        metric: one of
            - a name: "auc" (y_true, score), "auc_difference" (y_true, score_a, score_b), "mean" (values),
              "mean_difference" (a, b), "accuracy" (y_true, y_pred). These work by weights and are quick;
            - a plain function of the arrays (`auc` of this package is one, and takes the quick way);
              one with leading axes, [..., N] -> [...], is called with batches of resamples, with axis=-1 where it has
              an `axis`; any other once a resample;
            - with `weighted`, a function of the arrays and, last, weights [B, N] that gives [..., B]. It may hold
              its samples itself, and be made of several metrics:
              `a, b = weighted_auc(y, score_a), weighted_auc(y, score_b)`,
              `bootstrap_ci(lambda weights: a(weights) - b(weights), weighted=True, groups=patients)`.
        arrays: [..., N]; the last axis is the samples', resampled together.
        groups: [N] each sample's patient.
        n_resamples: at least 2; a few thousand for an interval.
        level: of the interval.
        method: "percentile"; or "bca", bias-corrected and accelerated (Efron 1987, JASA 82:171), with the
            acceleration from leaving out each unit or, of over 1,000 units, each of 1,000 random blocks of them.
        seed: equal seeds give equal resamples, whatever the batch.
        weighted: what kind of function `metric` is.
        n_samples: N, where there are neither arrays nor groups to tell.
        batch: resamples held at a time; by default about half a million weights.

    Resamples on which the metric is undefined (NaN, infinite, or a ValueError: one class only) are left out and
    counted in `n_undefined`; flagged above 5 %. A metric that is the same on all resamples gives an interval of no
    width, flagged. Where all resamples lie on one side of the estimate, "bca" counts half of one on the other side,
    flagged.

    Raises ValueError for NaN, lengths that differ, fewer than two units, a metric that is undefined on the whole
    sample or on all resamples but one, an unknown name or method.
    """
    check_request(n_resamples, level, batch)
    if method not in _METHODS:
        raise ValueError(f"method {method!r} must be one of {', '.join(_METHODS)}")
    samples = [_samples(array) for array in arrays]
    by_weights = _by_weights(metric, samples, weighted, n_samples if groups is None else len(np.asarray(groups)))
    units = Units(by_weights.n_samples, groups)
    estimate = whole_sample(by_weights)
    resampled = [by_weights(weights) for weights in units.resamples(n_resamples, seed, batch)]
    distribution = np.concatenate(resampled, axis=-1).reshape(-1, n_resamples)
    flat = estimate.reshape(-1)
    if method == "bca":
        left_out = np.concatenate([by_weights(weights) for weights in units.jackknife(seed, batch)], axis=-1)
        places, beside = _bca_places(flat, distribution, left_out.reshape(len(flat), -1), level)
    else:
        places = np.tile([(1 - level) / 2, (1 + level) / 2], (len(flat), 1))
        beside = np.zeros(len(flat), dtype=bool)
    return summary(estimate, distribution, places, beside, level, units, method)


def check_request(n_resamples: int, level: float, batch: int | None) -> None:
    """Raise ValueError for numbers that make no interval."""
    for name, number in (("n_resamples", n_resamples), ("batch", 1 if batch is None else batch)):
        if not isinstance(number, Integral):
            raise ValueError(f"{name} {number!r} must be a whole number")
    if batch is not None and batch < 1:
        raise ValueError(f"batch {batch}: at least one resample is held at a time")
    if n_resamples < 2:
        raise ValueError(f"{n_resamples} resamples: an interval needs at least two")
    check_level(level)


def whole_sample(metric: Callable[[np.ndarray], np.ndarray], n_samples: int | None = None) -> np.ndarray:
    """The metric [...] where every sample counts once; ValueError where that is undefined, or no batch's answer."""
    n_samples = metric.n_samples if isinstance(metric, WeightedMetric) else n_samples
    assert n_samples is not None
    twice = np.asarray(metric(np.ones((2, n_samples), dtype=np.int32)), dtype=np.float64)
    if twice.ndim == 0 or twice.shape[-1] != 2:
        raise ValueError(
            f"a weighted metric must answer [..., B] to weights [B, N]; it answered {list(twice.shape)} to B = 2"
        )
    if not np.isfinite(twice).all():
        raise ValueError("the metric is undefined on the whole sample")
    return twice[..., 0]


def summary(
    estimate: np.ndarray,
    distribution: np.ndarray,
    places: np.ndarray,
    beside: np.ndarray,
    level: float,
    units: Units,
    method: str,
) -> BootstrapResult:
    """The result from estimates [...], resampled values [K, R] and the interval's places [K, 2] in them, 0 to 1."""
    shape, flat, n_resamples = estimate.shape, estimate.reshape(-1), distribution.shape[1]
    distribution = np.where(np.isfinite(distribution), distribution, np.nan)
    n_defined = np.isfinite(distribution).sum(axis=1)
    if (n_defined < 2).any():
        raise ValueError(f"the metric is undefined on {n_resamples - n_defined.min()} of {n_resamples} resamples")
    ends = _quantiles(distribution, places)
    largest = np.nanmax(np.abs(distribution), axis=1)
    constant = np.nanmax(distribution, axis=1) - np.nanmin(distribution, axis=1) <= _ULPS * largest
    constant &= np.abs(np.nanmax(distribution, axis=1) - flat) <= _ULPS * largest
    ends = np.where(constant[:, None], flat[:, None], ends)
    se = np.where(constant, 0.0, np.nanstd(distribution, axis=1, ddof=1))
    n_undefined = n_resamples - n_defined
    degenerate = np.full(len(flat), None, dtype=object)
    degenerate[beside] = "all resamples lie on one side of the estimate"
    many = n_undefined > _UNDEFINED_SHARE * n_resamples
    degenerate[many] = [f"undefined on {count} of {n_resamples} resamples" for count in n_undefined[many]]
    degenerate[constant] = "the metric is the same on all resamples"
    return BootstrapResult(
        estimate=estimate[()],
        ci_low=ends[:, 0].reshape(shape)[()],
        ci_high=ends[:, 1].reshape(shape)[()],
        n=units.n_samples,
        degenerate=degenerate.reshape(shape)[()],
        se=se.reshape(shape)[()],
        n_units=units.n_units,
        n_resamples=n_resamples,
        n_undefined=n_undefined.reshape(shape)[()],
        method=method,
        distribution=distribution.reshape(*shape, n_resamples),
    )


def _by_weights(
    metric: str | Callable[..., object], arrays: list[np.ndarray], weighted: bool, n_samples: int | None
) -> WeightedMetric:
    lengths = {array.shape[-1] for array in arrays}
    if len(lengths) > 1:
        raise ValueError(f"arrays {[list(array.shape) for array in arrays]} differ in length")
    if 0 in lengths:
        raise ValueError("no samples to resample")
    if isinstance(metric, str):
        if metric not in _NAMED:
            raise ValueError(f"metric {metric!r} must be a function or one of {', '.join(_NAMED)}")
        count, build = _NAMED[metric]
        if len(arrays) != count:
            raise ValueError(f"metric {metric!r} takes {count} arrays, not {len(arrays)}")
        return build(*arrays)
    if metric is auc and not weighted:
        if len(arrays) != 2:
            raise ValueError(f"auc takes 2 arrays, labels and scores, not {len(arrays)}")
        return weighted_auc(*arrays)
    if weighted:
        known = lengths.pop() if lengths else n_samples
        if isinstance(metric, WeightedMetric) and not arrays:
            return metric
        if known is None:
            raise ValueError("a weighted metric without arrays or groups needs n_samples")
        return _with_arrays(metric, arrays, known)
    if not arrays:
        raise ValueError("a plain metric needs at least one array of samples")
    return plain_metric(metric, *arrays)


def _with_arrays(metric: Callable[..., object], arrays: list[np.ndarray], n_samples: int) -> WeightedMetric:
    return WeightedMetric(n_samples, lambda weights: np.asarray(metric(*arrays, weights), dtype=np.float64))


def _difference(a: WeightedMetric, b: WeightedMetric) -> WeightedMetric:
    return WeightedMetric(a.n_samples, lambda weights: a(weights) - b(weights))


# Number of arrays, and what makes the metric of them.
_NAMED: dict[str, tuple[int, Callable[..., WeightedMetric]]] = {
    "auc": (2, weighted_auc),
    "auc_difference": (3, lambda y_true, a, b: _difference(weighted_auc(y_true, a), weighted_auc(y_true, b))),
    "mean": (1, weighted_mean),
    "mean_difference": (2, lambda a, b: _difference(weighted_mean(a), weighted_mean(b))),
    "accuracy": (2, lambda y_true, y_pred: weighted_mean(y_true == y_pred)),
}


def _samples(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim == 0:
        raise ValueError("every array needs an axis of samples")
    # NaN is the one value that differs from itself, in an array of objects too.
    n_missing = int((array != array).sum())
    if n_missing:
        raise ValueError(f"{n_missing} values are NaN")
    return array


def _bca_places(
    estimate: np.ndarray, distribution: np.ndarray, left_out: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Places [K, 2] of the interval's ends among the resamples, and where all of these lie beside the estimate [K]."""
    defined = np.isfinite(distribution)
    n_defined = np.maximum(defined.sum(axis=1), 1)
    above_estimate = distribution - estimate[:, None]
    # Resamples that only rounding tells from the estimate lie half below it, half above.
    level_with = defined & (np.abs(above_estimate) <= _ULPS * np.abs(estimate[:, None]))
    below = defined & (above_estimate < 0) & ~level_with
    share = (below.sum(axis=1) + level_with.sum(axis=1) / 2) / n_defined
    beside = (share == 0) | (share == 1)
    bias = special.ndtri(np.clip(share, 0.5 / n_defined, 1 - 0.5 / n_defined))
    kept = np.isfinite(left_out)
    influence = np.where(kept, left_out, 0.0)
    mean = influence.sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
    influence = np.where(kept, mean[:, None] - influence, 0.0)
    # Scaled, so that cubes of small numbers stay numbers.
    largest = np.abs(influence).max(axis=1, keepdims=True)
    influence = np.divide(influence, largest, out=np.zeros_like(influence), where=largest > 0)
    squares = (influence**2).sum(axis=1)
    cubes = (influence**3).sum(axis=1)
    acceleration = np.divide(cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0)
    shifted = bias[:, None] + special.ndtri([(1 - level) / 2, (1 + level) / 2])
    return special.ndtr(bias[:, None] + shifted / (1 - acceleration[:, None] * shifted)), beside


def _quantiles(distribution: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values [K, 2] at places (0 to 1) among the defined resamples of each row, by linear interpolation."""
    # NaN is sorted to the end.
    ordered = np.sort(distribution, axis=1)
    at = places * (np.isfinite(ordered).sum(axis=1, keepdims=True) - 1)
    lower = np.floor(at).astype(np.intp)
    low = np.take_along_axis(ordered, lower, axis=1)
    high = np.take_along_axis(ordered, np.ceil(at).astype(np.intp), axis=1)
    return low + (high - low) * (at - lower)
