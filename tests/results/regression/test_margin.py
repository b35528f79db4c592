"""The proposed margin: normal theory, unchanged repeats that pass, losses that are found."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cxrbench.results.regression.influence import Scored, scored
from cxrbench.results.regression.interval import paired_interval
from cxrbench.results.regression.margin import Noise, cell_level, noise_of, power_of, propose_margin
from cxrbench.results.regression.verdict import Outcome, judge
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

from ..stores import CLASSES, LABELS, multi_label, single_label

REPEATS = 200


def test_one_replicate_needs_twice_the_half_width() -> None:
    noise = Noise(between=1e-4, sampling=1e-4, replicates=1, clusters=100_000)
    margin = propose_margin(noise, cells=1)
    # 1.96 for the interval, 2.17 (a chance of 98.5 %) for the repeat, times the standard error of a difference.
    assert (1.96 + 2.17) * np.sqrt(2) * 0.01 == pytest.approx(0.0584, abs=1e-4)
    assert margin in (0.058, 0.059, 0.060)
    power = power_of(noise, 2 * 1.96 * np.sqrt(2) * 0.01, cells=1)
    assert (power.passes, power.found_at_margin) == pytest.approx((0.975, 0.975), abs=0.004)
    assert power.found_at_twice > 0.999
    assert power.found_80 == pytest.approx((1.96 + 0.8416) * np.sqrt(2) * 0.01, rel=0.01)


def test_more_cells_need_a_wider_margin_and_more_replicates_a_narrower_one() -> None:
    one, ten = Noise(1e-4, 1e-4, 1, 300), Noise(1e-4, 1e-4, 10, 300)
    assert propose_margin(one, 20) > propose_margin(one, 1) > propose_margin(ten, 1)
    assert cell_level(20) == pytest.approx(1 - 0.05 / 20)


def test_a_small_margin_of_a_person_is_known_to_raise_false_alarms() -> None:
    power = power_of(Noise(1e-4, 1e-4, 1, 300), 0.02, 1)
    assert power.passes < 0.3


def test_a_perfect_baseline_leaves_room_for_one_mistake() -> None:
    perfect = Scored(np.ones(1), np.zeros((1, 100)), 100, (frozenset(),))
    assert propose_margin(noise_of(perfect), 1) > 0.04


def test_few_replicates_that_agree_by_luck_are_not_believed() -> None:
    rng = np.random.default_rng(0)
    influences = rng.standard_normal((2, 100)) / 1000
    lucky = noise_of(Scored(np.array([0.8, 0.8]), influences, 100, (frozenset(),) * 2))
    assert lucky.between >= 0.7 * (influences**2).sum(axis=1).mean()


def multi(rng: np.random.Generator, shared: float, common: float) -> Predictions:
    """A repeat: truth, hardness of every image that all repeats share, own noise; `common` shifts the whole model."""
    one = multi_label(1.0, 0, n=160)
    truth = np.stack(one.table["truth"].to_list())
    hardness = np.random.default_rng(7).standard_normal(truth.shape)
    skill = 1.2 + common * rng.standard_normal()
    noise = rng.standard_normal(truth.shape)
    scores = skill * truth + np.sqrt(shared) * hardness + np.sqrt(1 - shared) * noise
    return Predictions(one.table.assign(scores=list(scores)), LABELS, exclusive=False)


def single(rng: np.random.Generator, shared: float, common: float) -> Predictions:
    one = single_label(0.8, 0, n=160)
    hardness = np.random.default_rng(7).standard_normal(160)
    skill = 0.9 + common * rng.standard_normal()
    right = skill + np.sqrt(shared) * hardness + np.sqrt(1 - shared) * rng.standard_normal(160) > 0
    truth = one.table["truth"].to_numpy()
    return Predictions(one.table.assign(decision=np.where(right, truth, (truth + 1) % 3)), CLASSES, exclusive=True)


@cache
def unchanged(kind: str, shared: float, common: float) -> Scored:
    """60 trials that differ by nothing but chance."""
    rng = np.random.default_rng(3)
    task, draw = (tasks.get("chexpert"), multi) if kind == "auc" else (tasks.get("six_class"), single)
    return scored(task, kind, [draw(rng, shared, common) for _ in range(60)])


@pytest.mark.parametrize("replicates", [1, 3, 10])
@pytest.mark.parametrize(("shared", "common"), [(0.0, 0.0), (0.7, 0.05)])
@pytest.mark.parametrize("kind", ["auc", "accuracy"])
def test_of_200_repeats_without_a_change_95_in_100_pass(
    kind: str, shared: float, common: float, replicates: int
) -> None:
    trials, rng = unchanged(kind, shared, common), np.random.default_rng(replicates)
    passed = 0
    for _ in range(REPEATS // 8):
        order = rng.permutation(60)
        baseline = trials.of(order[:replicates])
        margin = propose_margin(noise_of(baseline), 1)
        for _ in range(8):
            new = trials.of(rng.permutation(order[replicates:])[:replicates])
            passed += judge(paired_interval(baseline, new, True, cell_level(1)), margin)[0] is Outcome.PASSED
    assert passed >= 0.95 * REPEATS


@pytest.mark.parametrize("replicates", [1, 10])
def test_a_loss_of_twice_the_margin_is_called_a_regression(replicates: int) -> None:
    rng = np.random.default_rng(0)
    trials = scored(tasks.get("chexpert"), "auc", [multi(rng, 0.7, 0.0) for _ in range(20)])
    baseline, repeat = trials.of(np.arange(replicates)), trials.of(np.arange(10, 10 + replicates))
    margin = propose_margin(noise_of(baseline), 1)
    worse = Scored(repeat.values - 2 * margin, repeat.influences, repeat.patients, repeat.defined)
    assert judge(paired_interval(baseline, worse, True, 0.95), margin)[0] is Outcome.REGRESSION
