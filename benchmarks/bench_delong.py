"""DeLong's test against R's pROC, scikit-learn's AUC and the bare sort; its growth; many labels and models at once."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from timing import in_turn, report, verdict

from cxrbench.stats.auc import auc
from cxrbench.stats.delong import delong_covariance, delong_test

# Times the test inside one R process, curves included, and prints the seconds of every round, then Z.
IN_R = """
suppressMessages(library(pROC))
given <- commandArgs(trailingOnly = TRUE)
n <- as.integer(given[2])
values <- readBin(given[1], "double", 3 * n)
y <- values[1:n]; a <- values[n + 1:n]; b <- values[2 * n + 1:n]
work <- function() {
  curve <- function(score) roc(y, score, levels = c(0, 1), direction = "<")
  roc.test(curve(a), curve(b), method = "delong", paired = TRUE)
}
invisible(work())
for (round in 1:as.integer(given[3])) cat(system.time(found <- work(), gcFirst = FALSE)[["elapsed"]], "")
cat(sprintf("%.15g", found$statistic))
"""


def draw(n: int, share: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    truth = rng.random(n) < share
    a = rng.standard_normal(n) + truth
    return truth, a, a + rng.standard_normal(n)


def in_r(rscript: str, truth: np.ndarray, a: np.ndarray, b: np.ndarray, rounds: int) -> tuple[list[float], float]:
    with tempfile.TemporaryDirectory() as scratch:
        values, script = Path(scratch) / "values", Path(scratch) / "delong.R"
        np.concatenate([truth, a, b]).astype(np.float64).tofile(values)
        script.write_text(IN_R, encoding="utf-8")
        command = [rscript, str(script), str(values), str(len(truth)), str(rounds)]
        *took, statistic = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [float(value) for value in took], float(statistic)


def two_models(n: int, times_proc: float, times_sklearn: float, rscript: str | None, rounds: int) -> None:
    truth, a, b = draw(n)
    groups = np.arange(n) // 3
    found = in_turn(
        {
            "delong_test": lambda: delong_test(truth, a, b),
            "delong_test, 3 images a patient": lambda: delong_test(truth, a, b, groups),
            "auc, two calls": lambda: (auc(truth, a), auc(truth, b)),
            "scikit-learn roc_auc_score, two calls": lambda: (roc_auc_score(truth, a), roc_auc_score(truth, b)),
            "np.argsort, two calls (the floor)": lambda: (np.argsort(a), np.argsort(b)),
        },
        rounds,
    )
    statistic = float(delong_test(truth, a, b).statistic)
    in_proc = None
    if rscript:
        found["pROC roc.test"], in_proc = in_r(rscript, truth, a, b, rounds)
    medians = report(f"Two models, N = {n}", found, 1e-3, "ms")
    ours = medians["delong_test"]
    if in_proc is not None:
        verdict("relative difference of z from pROC's", abs(statistic / in_proc - 1), 1e-9, at_least=False)
        verdict("times pROC's speed", medians["pROC roc.test"] / ours, times_proc, at_least=True)
    verdict(
        "times the speed of two AUCs by scikit-learn",
        medians["scikit-learn roc_auc_score, two calls"] / ours,
        times_sklearn,
        at_least=True,
    )
    verdict("cost over the sorts", ours / medians["np.argsort, two calls (the floor)"], 3, at_least=False)


def growth(largest: int) -> None:
    # Processor time: on a shared machine the clock on the wall would count a long run's waits and no short one's.
    print("\nGrowth, processor time, least of three runs")
    cost, over_sorts = {}, {}
    for n in (10**k for k in range(4, 8) if 10**k <= largest):
        truth, a, b = draw(n)
        took = min(processor_seconds(partial(delong_test, truth, a, b)) for _ in range(3))
        sorts = min(processor_seconds(lambda a=a, b=b: (np.argsort(a), np.argsort(b))) for _ in range(3))
        cost[n], over_sorts[n] = took / (n * np.log2(n)), took / sorts
        print(f"  N = {n:<9} {took:9.4g} s   {cost[n] * 1e9:.3g} ns per N log2 N, {over_sorts[n]:.3g} times the sorts")
    # The sorts themselves grow faster than N log N where N outgrows the processor's caches.
    verdict("largest over smallest cost per N log N", max(cost.values()) / min(cost.values()), 4, at_least=False)
    verdict("largest cost over the sorts", max(over_sorts.values()), 3, at_least=False)


def processor_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def many(n: int, rounds: int) -> None:
    rng = np.random.default_rng(n)
    truth, scores = rng.random((14, n)) < 0.1, rng.standard_normal((14, 10, n))
    found = in_turn(
        {
            "delong_covariance": lambda: delong_covariance(truth, scores),
            "140 sorts": lambda: [np.argsort(row) for row in scores.reshape(140, n)],
        },
        rounds,
    )
    medians = report(f"14 labels x 10 models, N = {n}", found, 1e-3, "ms")
    verdict("cost over the sorts", medians["delong_covariance"] / medians["140 sorts"], 2.5, at_least=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10**7, help="largest N of the growth measurement")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    rscript = shutil.which("Rscript")
    if not rscript:
        print("R is not installed: without pROC.")
    two_models(10**4, 10, 5, rscript, given.rounds)
    two_models(10**5, 5, 3, rscript, given.rounds)
    growth(given.largest)
    many(10**4, given.rounds)


if __name__ == "__main__":
    main()
