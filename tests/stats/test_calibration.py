"""Rejection rates at 5 % over 2,000 simulated experiments: within bounds where a test is meant to hold its level."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration.auc_experiments import CLUSTERED, SINGLE, Images, scores, true_auc
from benchmarks.calibration.decision_experiments import correctness
from benchmarks.calibration.draws import cross_validated, drawn_from_pools
from benchmarks.calibration.measured import Measured, false_alarms, power_of
from benchmarks.calibration.score_experiments import t_power
from cxrbench.stats import (
    bowker_test,
    clustered_mcnemar_test,
    confusion_between,
    corrected_paired_t_test,
    delong_ci,
    delong_test,
    friedman_test,
    holm,
    mcnemar_test,
    paired_t_test,
    pool_t_test,
    power,
    stuart_maxwell_test,
    wilcoxon_test,
)

ROOT = Path(__file__).parents[2]
EXPERIMENTS = 2000
# Four standard errors of a rate of 5 % either way: chance leaves them once in 15,000 tests.
LEAST, MOST = 0.0305, 0.0695
MEDIUM = SINGLE["medium: 100 positives, 200 negatives"]
BY_PATIENT = CLUSTERED["medium: 120 patients x 4 images"]
PATIENTS = np.repeat(np.arange(60), 4)


def rate(p_value: np.ndarray) -> float:
    assert p_value.shape == (EXPERIMENTS,)
    return float((p_value < 0.05).mean())


def _delong(rng: np.random.Generator) -> np.ndarray:
    return delong_test(MEDIUM.labels, *scores(MEDIUM, EXPERIMENTS, rng, 0.8, 0.8)).p_value


def _delong_clustered(rng: np.random.Generator) -> np.ndarray:
    a, b = scores(BY_PATIENT, EXPERIMENTS, rng, 0.8, 0.8)
    return delong_test(BY_PATIENT.labels, a, b, groups=BY_PATIENT.patients).p_value


def _tables(rng: np.random.Generator) -> np.ndarray:
    """Two raters who name four classes equally often, and agree on half of 400 images."""
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    joint = 0.5 * np.diag(shares) + 0.5 * np.outer(shares, shares)
    return rng.multinomial(400, joint.ravel(), size=EXPERIMENTS).reshape(-1, 4, 4)


def _mcnemar(rng: np.random.Generator) -> np.ndarray:
    tables = rng.multinomial(600, [0.6, 0.08, 0.08, 0.24], size=EXPERIMENTS).reshape(-1, 2, 2)
    return mcnemar_test(tables, exact=False).p_value


def _mcnemar_clustered(rng: np.random.Generator) -> np.ndarray:
    return clustered_mcnemar_test(*correctness(PATIENTS, EXPERIMENTS, rng, 0.7, 0.7), PATIENTS).p_value


def _mcnemar_few_patients(rng: np.random.Generator) -> np.ndarray:
    """Fewer than 25 of 60 patients differ: exact."""
    a, b = correctness(PATIENTS, EXPERIMENTS, rng, 0.95, 0.95)
    found = clustered_mcnemar_test(a, b, PATIENTS)
    assert found.exact.mean() > 0.9
    return found.p_value


def _any_pair(rng: np.random.Generator) -> np.ndarray:
    """Holm over six pairs of four equal encoders."""
    encoders = rng.standard_normal((EXPERIMENTS, 4, 20))
    i, j = np.triu_indices(4, 1)
    return holm(paired_t_test(encoders[:, i], encoders[:, j]).p_value).min(axis=1)


NULLS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "DeLong": _delong,
    "DeLong, clustered": _delong_clustered,
    "Stuart-Maxwell": lambda rng: stuart_maxwell_test(_tables(rng)).p_value,
    "Bowker": lambda rng: bowker_test(_tables(rng)).p_value,
    "McNemar": _mcnemar,
    "McNemar, clustered": _mcnemar_clustered,
    "paired t": lambda rng: paired_t_test(rng.standard_normal((EXPERIMENTS, 5)), np.zeros(5)).p_value,
    "pool t": lambda rng: pool_t_test(drawn_from_pools(EXPERIMENTS, 5, 0.5, rng, pool=200), 0.5).p_value,
    "Nadeau-Bengio t": lambda rng: corrected_paired_t_test(*cross_validated(EXPERIMENTS, 5, 100, 0.2, rng)).p_value,
    "Wilcoxon": lambda rng: wilcoxon_test(rng.standard_normal((EXPERIMENTS, 25)), np.zeros(25)).p_value,
    "Friedman": lambda rng: friedman_test(rng.standard_normal((EXPERIMENTS, 20, 5))).p_value,
    "Holm, any pair": _any_pair,
}


@pytest.mark.parametrize("test", NULLS)
def test_a_true_null_is_rejected_in_five_per_cent(test: str) -> None:
    found = rate(NULLS[test](np.random.default_rng(0)))
    # Six dependent pairs leave Holm below its level.
    assert (0.02 if test == "Holm, any pair" else LEAST) < found < MOST


def test_few_discordant_patients_are_rejected_in_at_most_five_per_cent() -> None:
    assert 0.01 < rate(_mcnemar_few_patients(np.random.default_rng(0))) < 0.055


def test_several_images_a_patient_need_the_clustered_test() -> None:
    images = Images(270, 540, per_patient=(9,), within_patient=1 / 3)
    a, b = scores(images, EXPERIMENTS, np.random.default_rng(1), 0.8, 0.8)
    assert 0.25 < rate(delong_test(images.labels, a, b).p_value) < 0.35
    assert LEAST < rate(delong_test(images.labels, a, b, groups=images.patients).p_value) < MOST


def test_draws_of_one_pool_need_the_pool_t() -> None:
    differences = drawn_from_pools(EXPERIMENTS, 10, 0.5, np.random.default_rng(2), pool=200)
    # Theory: t with 9 degrees of freedom beyond 2.262 sqrt(0.1 / (0.1 + 1)).
    expected = 2 * stats.t.sf(stats.t.isf(0.025, 9) * np.sqrt(0.1 / 1.1), 9)
    assert rate(paired_t_test(differences, np.zeros(10)).p_value) == pytest.approx(expected, abs=0.045)
    assert LEAST < rate(pool_t_test(differences, 0.5).p_value) < MOST


def test_equal_class_totals_hide_a_difference_in_accuracy_from_stuart_maxwell() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(3, size=(EXPERIMENTS, 200))
    wrong = (truth + rng.integers(1, 3, size=truth.shape)) % 3, (truth + rng.integers(1, 3, size=truth.shape)) % 3
    a, b = (np.where(rng.random(truth.shape) < right, truth, w) for right, w in zip((0.79, 0.54), wrong, strict=True))
    assert rate(stuart_maxwell_test(confusion_between(a, b, 3)).p_value) < MOST
    assert rate(mcnemar_test(confusion_between(a == truth, b == truth, [True, False])).p_value) > 0.99


@pytest.mark.parametrize(("draws", "fraction"), [(10, None), (10, 0.1)])
def test_power_is_that_of_simulated_experiments(draws: int, fraction: float | None) -> None:
    rng = np.random.default_rng(4)
    if fraction is None:
        differences = rng.standard_normal((EXPERIMENTS, draws)) + 1.0
        found, sd = paired_t_test(differences, np.zeros(draws)).p_value, 1.0
    else:
        differences = 1.6 + np.sqrt(1000 * fraction) * drawn_from_pools(EXPERIMENTS, draws, fraction, rng)
        # Of the draws of one pool, which `power` asks for.
        found, sd = pool_t_test(differences, fraction).p_value, np.sqrt(1 - fraction)
    expected = power(1.0 if fraction is None else 1.6, sd, n=draws, fraction=fraction).power
    assert rate(found) == pytest.approx(expected, abs=0.03)


def test_intervals_of_an_auc_hold_the_truth() -> None:
    a, _ = scores(MEDIUM, EXPERIMENTS, np.random.default_rng(5), 0.8, 0.8)
    found = delong_ci(MEDIUM.labels, a, method="logit")
    assert 0.93 < ((found.ci_low <= 0.8) & (found.ci_high >= 0.8)).mean() < 0.97


def test_simulated_scores_have_the_auc_they_claim() -> None:
    for step in (0.0, 1.0):
        images = Images(500, 500, step)
        a, b = scores(images, 200, np.random.default_rng(6), 0.8, 0.6)
        result = delong_test(images.labels, a, b)
        assert result.auc_a.mean() == pytest.approx(true_auc(0.8, step), abs=0.004)
        assert result.auc_b.mean() == pytest.approx(true_auc(0.6, step), abs=0.004)


def test_verdicts_need_more_than_chance() -> None:
    p_value = np.full(2000, 0.5)
    p_value[:110] = 0.01
    assert false_alarms("", "", "", p_value).verdict == "as stated"
    p_value[:140] = 0.01
    assert false_alarms("", "", "", p_value).verdict == "liberal"
    # As large a share of 100 experiments is chance.
    assert false_alarms("", "", "", p_value[133:233]).verdict == "as stated"
    assert power_of("", "", "", p_value, 0.3, "theory").verdict == "below theory"
    # Clopper and Pearson for 8 of 20: R's binom.test(8, 20).
    assert Measured("", "", "", "power", 8, 20, 0.5).interval == pytest.approx((0.1911901, 0.6394574), abs=1e-7)


def test_noncentral_t_gives_the_level_where_nothing_differs() -> None:
    assert t_power(0.0, 9) == pytest.approx(0.05)
    # R: power.t.test(n = 10, delta = 1, type = "paired", strict = TRUE).
    assert t_power(np.sqrt(10), 9) == pytest.approx(0.8030969, abs=1e-5)


def test_the_script_writes_page_picture_and_numbers(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    script = ROOT / "benchmarks" / "calibrate_tests.py"
    command = [sys.executable, str(script), "--experiments", "10", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "calibration.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == {"false alarms", "power", "coverage", "misused"}
    assert all(float(row["ci_low"]) <= float(row["rate"]) <= float(row["ci_high"]) for row in rows)
    assert (tmp_path / "calibration.png").stat().st_size > 10_000
    with (ROOT / "docs" / "calibration.csv").open(encoding="utf-8") as file:
        published = list(csv.DictReader(file))
    # What stands in docs was made by this script.
    assert [(row["test"], row["setting"]) for row in published] == [(row["test"], row["setting"]) for row in rows]
