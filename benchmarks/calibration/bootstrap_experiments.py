"""How often bootstrap intervals hold the truth: AUCs, their differences and means; samples and patients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from cxrbench.stats import bootstrap_ci

from .auc_experiments import CLUSTERED, SINGLE, scores, true_auc
from .measured import Measured, coverage

FAMILY = "Intervals"
METHODS = {"percentile": "percentile", "bca": "BCa"}
RESAMPLES = 1000
# Experiments that share their resamples, as a batch.
TOGETHER = 20


def experiments(n: int, rng: np.random.Generator) -> Iterator[Measured]:
    """Rates over `n` experiments each."""
    for method, shown in METHODS.items():
        for setting, images in {**SINGLE, **CLUSTERED}.items():
            a, _ = scores(images, n, rng, 0.8, 0.8)
            groups = images.patients if images.within_patient else None
            low, high = _intervals("auc", [images.labels], [a], groups, method)
            name = f"AUC 0.80, bootstrap, {shown}" + (", by patient" if groups is not None else "")
            yield coverage(FAMILY, name, setting, low, high, true_auc(0.8, images.step))
        for setting, images in SINGLE.items():
            a, _ = scores(images, n, rng, 0.95, 0.95)
            low, high = _intervals("auc", [images.labels], [a], None, method)
            yield coverage(FAMILY, f"AUC 0.95, bootstrap, {shown}", setting, low, high, true_auc(0.95, images.step))
            a, b = scores(images, n, rng, 0.8, 0.7)
            low, high = _intervals("auc_difference", [images.labels], [a, b], None, method)
            name = f"difference of AUCs, bootstrap, {shown}"
            truth = true_auc(0.8, images.step) - true_auc(0.7, images.step)
            yield coverage(FAMILY, name, setting, low, high, truth)
        for setting, values, truth in _means(n, rng):
            low, high = _intervals("mean", [], [values], None, method)
            yield coverage(FAMILY, f"mean, bootstrap, {shown}", setting, low, high, truth)


def _means(n: int, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, float]]:
    yield "small: 15 values, normal", rng.standard_normal((n, 15)), 0.0
    yield "medium: 100 values, normal", rng.standard_normal((n, 100)), 0.0
    yield "tied: 50 values, 0 or 1, 80 % of them 1", (rng.random((n, 50)) < 0.8).astype(float), 0.8
    yield "imbalanced: 50 values, lognormal", rng.lognormal(size=(n, 50)), float(stats.lognorm(1).mean())


def _intervals(
    metric: str, fixed: list[np.ndarray], drawn: list[np.ndarray], groups: np.ndarray | None, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ends [E] of the intervals of experiments `drawn` [E, N]."""
    ends = []
    for first in range(0, len(drawn[0]), TOGETHER):
        part = [values[first : first + TOGETHER] for values in drawn]
        found = bootstrap_ci(metric, *fixed, *part, groups=groups, n_resamples=RESAMPLES, method=method, seed=first)
        ends.append((found.ci_low, found.ci_high))
    low, high = zip(*ends, strict=True)
    return np.concatenate(low), np.concatenate(high)
