"""Bootstrap of an AUC: weights over one sort against a loop that resamples rows and calls scikit-learn."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_auc_score
from timing import in_turn, report, verdict

from cxrbench.stats.bootstrap import bootstrap_ci

N_RESAMPLES = 2000
# scikit-learn's loop is timed on so many resamples and scaled; its cost is the same for each.
N_TIMED = 50


def scikit_learn_loop(truth: np.ndarray, score: np.ndarray) -> list[float]:
    rng = np.random.default_rng(0)
    rows = (rng.integers(0, len(truth), len(truth)) for _ in range(N_TIMED))
    return [float(roc_auc_score(truth[row], score[row])) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    truth = rng.random(given.samples) < 0.1
    score = rng.standard_normal(given.samples) + truth
    other = score + rng.standard_normal(given.samples)
    patients = rng.integers(0, given.samples // 3, given.samples)
    loop = f"scikit-learn, {N_TIMED} resamples"
    percentile = "cxrbench, percentile"
    ways: dict[str, Callable[[], object]] = {
        percentile: lambda: bootstrap_ci("auc", truth, score, method="percentile"),
        "cxrbench, BCa": lambda: bootstrap_ci("auc", truth, score),
        "cxrbench, BCa, scores with many ties": lambda: bootstrap_ci("auc", truth, score.round(1)),
        "cxrbench, BCa, patients": lambda: bootstrap_ci("auc", truth, score, groups=patients),
        "cxrbench, BCa, difference of two": lambda: bootstrap_ci("auc_difference", truth, score, other),
        loop: lambda: scikit_learn_loop(truth, score),
    }
    medians = report(f"{N_RESAMPLES} resamples of an AUC, N = {given.samples:,}", in_turn(ways))
    scaled = medians[loop] * N_RESAMPLES / N_TIMED
    print(f"  scikit-learn's loop scaled to {N_RESAMPLES} resamples: {scaled:.3g} s")
    for name, seconds in medians.items():
        if name != loop:
            verdict(f"{name}, times faster", scaled / seconds, 12, at_least=True)


if __name__ == "__main__":
    main()
