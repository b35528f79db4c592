"""Stuart-Maxwell from raw predictions: cxrbench, statsmodels and R's coin, and growth with samples and classes."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import in_turn, report, verdict

from cxrbench.stats import confusion_between, stuart_maxwell_test

CLASSES = 6
COIN_SAMPLES = (3_200, 12_800)
COIN_ROUNDS = 3

# coin's own way with raw predictions: one row a rating, samples as blocks. R times itself, without its start.
R_SCRIPT = """
suppressMessages(library(coin))
d <- read.csv(commandArgs(TRUE)[1])
n <- nrow(d)
long <- data.frame(y = factor(c(d$a, d$b)), x = factor(rep(c("a", "b"), each = n)), block = factor(rep(seq_len(n), 2)))
for (i in seq_len(as.integer(commandArgs(TRUE)[2]))) {
  took <- system.time(s <- statistic(mh_test(y ~ x | block, data = long)))["elapsed"]
  cat(took, format(as.numeric(s), digits = 17), "\\n")
}
"""


def predictions(n_samples: int, n_classes: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """Two models that mostly agree; the second leans towards the last class."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, n_classes, n_samples)
    second = np.where(rng.random(n_samples) < 0.8, first, rng.integers(0, n_classes, n_samples))
    return first, np.where(rng.random(n_samples) < 0.01, n_classes - 1, second)


def with_cxrbench(a: np.ndarray, b: np.ndarray, n_classes: int) -> float:
    return float(stuart_maxwell_test(confusion_between(a, b, n_classes)).statistic)


def with_statsmodels(a: np.ndarray, b: np.ndarray) -> float:
    square_table = importlib.import_module("statsmodels.stats.contingency_tables").SquareTable
    table = square_table.from_data(np.column_stack([a, b]), shift_zeros=False)
    return float(table.homogeneity(method="stuart_maxwell").statistic)


def with_coin(a: np.ndarray, b: np.ndarray) -> tuple[list[float], float]:
    """Seconds of every round and the statistic."""
    with tempfile.TemporaryDirectory() as scratch:
        data, script = Path(scratch) / "predictions.csv", Path(scratch) / "time.R"
        np.savetxt(data, np.column_stack([a, b]), fmt="%d", delimiter=",", header="a,b", comments="")
        script.write_text(R_SCRIPT)
        command = ["Rscript", str(script), str(data), str(COIN_ROUNDS)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rounds = [line.split() for line in printed.splitlines()]
    return [float(took) for took, _ in rounds], float(rounds[0][1])


def compare_with_coin() -> None:
    if shutil.which("Rscript") is None:
        print("\nR is not installed: no comparison with coin")
        return
    for n_samples in COIN_SAMPLES:
        a, b = predictions(n_samples)
        took, statistic = with_coin(a, b)
        assert abs(with_cxrbench(a, b, CLASSES) / statistic - 1) < 1e-9, "coin found another statistic"
        found = in_turn({"cxrbench": lambda a=a, b=b: with_cxrbench(a, b, CLASSES)})
        medians = report(f"{n_samples} samples, {CLASSES} classes", {**found, "coin mh_test": took}, 1e-3, "ms")
        verdict("coin over cxrbench", medians["coin mh_test"] / medians["cxrbench"], 1000, at_least=True)


def compare_with_statsmodels(n_samples: int = 100_000) -> None:
    if importlib.util.find_spec("statsmodels") is None:
        print("\nstatsmodels is not installed: no comparison with it")
        return
    a, b = predictions(n_samples)
    assert abs(with_cxrbench(a, b, CLASSES) / with_statsmodels(a, b) - 1) < 1e-9, "statsmodels found another statistic"
    ways: dict[str, Callable[[], object]] = {
        "cxrbench": lambda: with_cxrbench(a, b, CLASSES),
        "statsmodels SquareTable.from_data": lambda: with_statsmodels(a, b),
    }
    medians = report(f"{n_samples} samples, {CLASSES} classes", in_turn(ways), 1e-3, "ms")
    ratio = medians["statsmodels SquareTable.from_data"] / medians["cxrbench"]
    verdict("statsmodels over cxrbench", ratio, 3, at_least=True)


def growth(title: str, sizes: dict[int, Callable[[], object]], most: float) -> None:
    """Time against size; `most` is the exponent that the largest step may show."""
    found = in_turn({f"{size}": work for size, work in sizes.items()})
    medians = report(title, found, 1e-3, "ms")
    last, before = sorted(sizes)[-1], sorted(sizes)[-2]
    exponent = np.log(medians[f"{last}"] / medians[f"{before}"]) / np.log(last / before)
    verdict(f"exponent of growth from {before} to {last}", float(exponent), most, at_least=False)


def main() -> None:
    compare_with_coin()
    compare_with_statsmodels()
    samples = {n: predictions(n) for n in (10_000, 100_000, 1_000_000)}
    growth(
        f"Growth with samples, {CLASSES} classes",
        {n: lambda pair=pair: with_cxrbench(*pair, CLASSES) for n, pair in samples.items()},
        1.3,
    )
    classes = {k: predictions(10 * k * k, k) for k in (50, 200, 800)}
    tables = {k: confusion_between(a, b, k) for k, (a, b) in classes.items()}
    growth(
        "Growth with classes, from the table",
        {k: lambda table=table: stuart_maxwell_test(table) for k, table in tables.items()},
        3.3,
    )
    batch = np.stack([confusion_between(*predictions(500), 14)] * 1000)
    found = in_turn({"one call": lambda: stuart_maxwell_test(batch), "a loop": lambda: _one_by_one(batch)})
    medians = report("1,000 tables of 14 classes", found, 1e-3, "ms")
    verdict("a loop over one call", medians["a loop"] / medians["one call"], 3, at_least=True)


def _one_by_one(batch: np.ndarray) -> float:
    return statistics.fmean(float(stuart_maxwell_test(table).statistic) for table in batch)


if __name__ == "__main__":
    main()
