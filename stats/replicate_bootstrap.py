"""An interval for a difference over replicates that holds for other training draws and for other test sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from .bootstrap import BootstrapResult, check_request, summary, whole_sample
from .resampling import Units


def replicate_bootstrap_ci(
    metric: Callable[[np.ndarray], np.ndarray] | Sequence[Callable[[np.ndarray], np.ndarray]],
    n_samples: int | None = None,
    *,
    groups: np.ndarray | None = None,
    fraction: float | None = None,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    batch: int | None = None,
) -> BootstrapResult:
    """Interval of the mean over J replicates tested on one test set, for new training draws and new test patients.

    The error of the mean has two parts. The test set's is bootstrapped: patients are resampled, and all replicates
    are averaged on each resample, which includes how replicates differ on patients. The training draws' part is added
    to each resample as t * sqrt(s_train^2 (1/J + f/(1 - f))), with t drawn from Student's t with J - 1 degrees of
    freedom (J values resampled would be too few and too narrow) and with the factor of `pool_t_test`. s_train^2 is the
    variance of the replicates' values less what patients alone would make replicates differ, which the first part
    holds already; not below 0. Without a test set's part this is the t interval, without a training part the percentile
    bootstrap.

    Args:
        metric: weights [B, N] -> [J, B], the value of each replicate (such as a difference of two AUCs); or one
            function weights -> [B] for each replicate. `weighted_auc` and `weighted_mean` make such functions.
        n_samples: N; not needed with groups.
        groups: [N] each sample's patient.
        fraction: share of the training pool that a replicate draws, above 0 and below 1 (10 % is 0.1): the interval
            then holds for new pools. None: replicates are independent, or the pool is taken as given.
        n_resamples: at least 2.
        level: of the interval.
        seed: equal seeds give equal intervals, whatever the batch.
        batch: resamples held at a time.

    Resamples on which a replicate is undefined are left out and counted. One replicate tells nothing of other draws:
    the interval is then that of the test set alone, by percentiles, and `method` is "patients". Raises ValueError for
    a fraction with one replicate, and as `bootstrap_ci` does.
    """
    check_request(n_resamples, level, batch)
    if fraction is not None and not 0 < fraction < 1:
        raise ValueError(f"fraction {fraction} must be a share of the pool, above 0 and below 1 (10 % is 0.1)")
    if not callable(metric) and len(metric) == 0:
        raise ValueError("no replicates: give one metric for each")
    of_replicates = metric if callable(metric) else _stacked(metric)
    if n_samples is None:
        if groups is None:
            raise ValueError("n_samples is needed where there are no groups")
        n_samples = len(np.asarray(groups))
    units = Units(n_samples, groups)
    values = whole_sample(of_replicates, n_samples)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"the metric's values {list(values.shape)} on the test set must be one for each replicate")
    n_replicates = len(values)
    if n_replicates == 1 and fraction is not None:
        raise ValueError("one replicate tells nothing of other draws from its pool: leave out fraction")
    resampled = [of_replicates(weights) for weights in units.resamples(n_resamples, seed, batch)]
    of_patients = np.concatenate(resampled, axis=-1)
    defined = np.isfinite(of_patients).all(axis=0)
    of_patients = np.where(defined, of_patients, np.nan)
    distribution = of_patients.mean(axis=0)
    if n_replicates > 1:
        factor = 1 / n_replicates + (0.0 if fraction is None else fraction / (1 - fraction))
        # Evenly spaced quantiles in random order: t itself, without the noise of drawing it.
        order = np.random.default_rng([seed, 1]).permutation(n_resamples)
        t = special.stdtrit(n_replicates - 1, (order + 0.5) / n_resamples)
        distribution = distribution + t * np.sqrt(_train_variance(values, of_patients) * factor)
    method = "patients and replicates" if n_replicates > 1 else "patients"
    places = np.array([[(1 - level) / 2, (1 + level) / 2]])
    return summary(np.asarray(values.mean()), distribution[None], places, np.zeros(1, dtype=bool), level, units, method)


def _train_variance(values: np.ndarray, of_patients: np.ndarray) -> float:
    """Variance of replicates' values [J] less what patients [J, R] alone would make them differ; not below 0."""
    defined = of_patients[:, np.isfinite(of_patients).all(axis=0)]
    # What is left of a resample when the replicates' mean is taken off: that they differ on the patients drawn.
    apart = defined - defined.mean(axis=0)
    by_patients = apart.var(axis=1).sum() / (len(values) - 1) if defined.shape[1] else 0.0
    return max(float(values.var(ddof=1) - by_patients), 0.0)


def _stacked(metrics: Sequence[Callable[[np.ndarray], np.ndarray]]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda weights: np.stack([metric(weights) for metric in metrics])
