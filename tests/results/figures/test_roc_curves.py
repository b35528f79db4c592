from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from cxrbench.results.figures.roc_curves import MOST_POINTS, RocCurve, mean_curve, roc_curve


def drawn(seed: int, n: int = 60, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    return positive, np.round(positive + rng.standard_normal(n), decimals)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_corners_are_those_of_sklearn_and_the_area_is_the_auc(seed: int, decimals: int) -> None:
    positive, score = drawn(seed, decimals=decimals)
    curve = roc_curve(positive, score)
    false, true, _ = sklearn_roc_curve(positive, score, drop_intermediate=False)
    assert np.interp(curve.false_positives, false, true).shape == curve.true_positives.shape
    theirs = set(zip(false.round(12), true.round(12), strict=True))
    assert set(zip(curve.false_positives.round(12), curve.true_positives.round(12), strict=True)) <= theirs
    assert curve.area == pytest.approx(roc_auc_score(positive, score), abs=1e-14)


def test_a_hand_worked_curve() -> None:
    # Scores fall: + - (+ and - level) -: up a half, right a third, a slope, right a third.
    positive = np.array([True, False, True, False, False])
    curve = roc_curve(positive, np.array([4.0, 3.0, 2.0, 2.0, 1.0]))
    assert curve.false_positives.tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])
    assert curve.true_positives.tolist() == pytest.approx([0, 0.5, 0.5, 1, 1])


def test_the_vertical_average_of_two_steps() -> None:
    early = RocCurve(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    late = RocCurve(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    mean = mean_curve([early, late])
    assert mean.false_positives.tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert mean.true_positives.tolist() == [0, 0.5, 0.5, 1, 1, 1]


def test_the_area_of_the_average_is_the_average_of_the_areas() -> None:
    curves = [roc_curve(*drawn(seed, n=40 + seed)) for seed in range(12)]
    mean = mean_curve(curves)
    assert mean.area == pytest.approx(np.mean([curve.area for curve in curves]), abs=1e-13)
    assert (np.diff(mean.false_positives) >= 0).all()
    assert (np.diff(mean.true_positives) >= -1e-15).all()
    assert (mean.true_positives[0], mean.true_positives[-1]) == (0, 1)


def test_many_points_are_thinned_for_drawing() -> None:
    curves = [roc_curve(*drawn(seed, n=9000, decimals=8)) for seed in range(2)]
    mean = mean_curve(curves)
    assert len(mean.false_positives) == 2 * (MOST_POINTS + 1)
    assert mean.area == pytest.approx(np.mean([curve.area for curve in curves]), abs=1e-5)


def test_one_curve_is_its_own_average_and_none_is_an_error() -> None:
    curve = roc_curve(*drawn(0))
    assert mean_curve([curve]) is curve
    with pytest.raises(ValueError, match="no curves"):
        mean_curve([])
