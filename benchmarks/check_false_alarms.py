"""How often `cxrbench check` passes, at the margin it proposes, where nothing changed and where something did."""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
import pandas as pd

from cxrbench.results.regression.influence import Scored, scored
from cxrbench.results.regression.interval import paired_interval
from cxrbench.results.regression.margin import LEVEL, noise_of, propose_margin
from cxrbench.results.regression.verdict import Outcome, judge
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

LABELS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
IMAGES, PATIENTS, POOL = 160, 80, 100
# Share of the noise that is an image's own and the same in every repeat; chance of training that moves a whole model.
WORLDS = {
    "independent repeats": (0.0, 0.0),
    "repeats share what is hard": (0.7, 0.0),
    "and whole models vary": (0.7, 0.05),
    "and whole models vary much": (0.7, 0.1),
}


def trial(rng: np.random.Generator, shared: float, common: float) -> Predictions:
    """Five labels; truth and hardness of every image are the same in all trials, the rest is drawn anew."""
    fixed = np.random.default_rng(0)
    truth = (fixed.random((IMAGES, len(LABELS))) < 0.4).astype(np.float64)
    hardness = fixed.standard_normal(truth.shape)
    skill = 1.2 + common * rng.standard_normal()
    noise = rng.standard_normal(truth.shape)
    scores = skill * truth + np.sqrt(shared) * hardness + np.sqrt(1 - shared) * noise
    number = np.arange(IMAGES)
    table = pd.DataFrame(
        {
            "sample_id": number.astype(str),
            "patient_id": (number % PATIENTS).astype(str),
            "study_id": number.astype(str),
            "truth": list(truth),
            "scores": list(scores),
            "decision": list(scores > 0.6),
        }
    )
    return Predictions(table, LABELS, exclusive=False)


def rates(trials: Scored, replicates: int, repeats: int, rng: np.random.Generator) -> tuple[float, ...]:
    """Mean margin; share of unchanged repeats that pass; share of losses of the margin that are called regressions."""
    margins, passed, found = [], 0, 0
    for _ in range(repeats):
        order = rng.permutation(POOL)
        baseline, repeat = trials.of(order[:replicates]), trials.of(order[replicates : 2 * replicates])
        margin = propose_margin(noise_of(baseline), 1)
        worse = Scored(repeat.values - margin, repeat.influences, repeat.patients, repeat.defined)
        margins.append(margin)
        passed += judge(paired_interval(baseline, repeat, True, LEVEL), margin)[0] is Outcome.PASSED
        found += judge(paired_interval(baseline, worse, True, LEVEL), margin)[0] is Outcome.REGRESSION
    return float(np.mean(margins)), passed / repeats, found / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400, help="pairs of baseline and repeat a row")
    repeats = parser.parse_args().repeats
    print("| repeats | replicates | margin (mean AUC) | unchanged passes | loss of the margin is called |")
    print("|---|--:|--:|--:|--:|")
    pools: dict[str, Scored] = {}
    for (name, world), replicates in product(WORLDS.items(), (1, 3, 10)):
        rng = np.random.default_rng(replicates)
        if name not in pools:
            pools[name] = scored(tasks.get("chexpert"), "auc", [trial(rng, *world) for _ in range(POOL)])
        margin, passed, found = rates(pools[name], replicates, repeats, rng)
        print(f"| {name} | {replicates} | {margin:.3f} | {100 * passed:.1f} % | {100 * found:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
