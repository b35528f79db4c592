"""Every test on simulated experiments without a difference: rates, power and coverage, as page, picture and table."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from calibration import (
    auc_experiments,
    bootstrap_experiments,
    clustered_experiments,
    decision_experiments,
    detection_experiments,
    known_failures,
    score_experiments,
)
from calibration.figure import draw
from calibration.measured import Measured
from calibration.page import write_numbers, write_page

DOCS = Path(__file__).parents[1] / "docs"
PARTS: dict[str, Callable[[int, np.random.Generator], Iterator[Measured]]] = {
    "AUCs": auc_experiments.experiments,
    "decisions": decision_experiments.experiments,
    "scores, ranks, several tests": score_experiments.experiments,
    "bootstrap intervals": bootstrap_experiments.experiments,
    "known failures": known_failures.experiments,
    "values of images, by patient": clustered_experiments.experiments,
    "average precision, by patient": detection_experiments.experiments,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2000, help="simulated experiments a rate (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds give equal numbers")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder for calibration.md, .png and .csv")
    given = parser.parse_args()
    if given.experiments < 10:
        parser.error("--experiments: at least 10")
    given.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    measured: list[Measured] = []
    for number, (title, experiments) in enumerate(PARTS.items()):
        print(f"\n{title}", flush=True)
        for one in experiments(given.experiments, np.random.default_rng([given.seed, number])):
            measured.append(one)
            took = time.perf_counter() - begin
            said = f"{one.test}, {one.kind}, {one.setting}"
            print(f"  {took:5.0f} s  {100 * one.rate:5.1f} %  (stated {100 * one.expected:4.1f})  {said}", flush=True)
    write_numbers(measured, given.out / "calibration.csv")
    draw(measured, given.out / "calibration.png")
    defaults = given.experiments == parser.get_default("experiments") and given.seed == parser.get_default("seed")
    options = "" if defaults else f" --experiments {given.experiments} --seed {given.seed}"
    write_page(measured, given.out / "calibration.md", f"python benchmarks/calibrate_tests.py{options}")
    print(f"\n{len(measured)} rates, {time.perf_counter() - begin:.0f} s: {given.out / 'calibration.md'}")


if __name__ == "__main__":
    main()
