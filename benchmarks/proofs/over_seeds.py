"""Two kinds of pretraining with several seeds each: the difference of their scores, paired by seed.

The replicates of one encoder share its weights, so they say nothing about another pretraining: each seed counts once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

from cxrbench.results.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs=2, help="encoders are called KIND_1, KIND_2, ...")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--metric", default="auc")
    asked = parser.parse_args()
    scores: dict[tuple[str, float], dict[str, list[float]]] = {}
    for record in Store(asked.store).records():
        kind, _, seed = record.encoder.rpartition("_")
        value = record.metrics.get(asked.metric)
        if kind in asked.kinds and value is not None:
            scores.setdefault((seed, record.fraction), {}).setdefault(kind, []).append(value)
    one, other = asked.kinds
    print(f"{one} - {other}, {asked.metric}, mean over replicates, paired by pretraining seed")
    for fraction in sorted({fraction for _, fraction in scores}):
        rows = [scores[key] for key in sorted(scores) if key[1] == fraction]
        difference = np.array([np.mean(row[one]) - np.mean(row[other]) for row in rows])
        p = float(stats.ttest_1samp(difference, 0)[1])  # type: ignore[index]
        each = " ".join(f"{value:+.4f}" for value in difference)
        mean, sd = difference.mean(), difference.std(ddof=1)
        print(f"{fraction:>4g} %  {mean:+.4f} ± {sd:.4f}  ({each})  paired t: p {p:.2f}")


if __name__ == "__main__":
    main()
