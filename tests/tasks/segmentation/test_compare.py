"""Paired tests over images, clustered by patient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxrbench.foundation.errors import RefusedError
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.segmentation.scores import overlap_of_predictions
from tests.tasks.segmentation.examples import predictions, random_masks


def two(n: int = 30, images_a_patient: int = 1) -> tuple[Predictions, Predictions]:
    truth = random_masks(n, seed=2, share=0.5)
    generator = np.random.default_rng(7)
    patients = [f"p{number // images_a_patient}" for number in range(n)]
    return tuple(
        predictions(truth, [each ^ (generator.random(each.shape) < noise) for each in truth], patients)
        for noise in (0.05, 0.2)
    )  # type: ignore[return-value]


def test_one_image_a_patient_gives_scipy_s_paired_t_which_decides() -> None:
    a, b = two()
    found = {each.metric: each for each in tasks.get("siim_acr").compare(a, b)}
    wilcoxon, paired = found["dice"].tests
    dice_a, dice_b = (overlap_of_predictions(each).dice() for each in (a, b))
    expected = stats.ttest_rel(dice_a, dice_b)
    assert (paired.name, paired.decides, paired.unit, paired.n) == ("paired t", True, "images", 30)
    assert paired.statistic == pytest.approx(expected.statistic)
    assert paired.p_value == pytest.approx(expected.pvalue)
    assert (wilcoxon.name, wilcoxon.decides) == ("Wilcoxon", False)
    assert found["dice"].difference == pytest.approx(float((dice_a - dice_b).mean()))
    assert found["dice"].only_a_right is None
    assert found["auc"].tests == ()


def test_dice_over_positives_is_tested_on_positives_alone() -> None:
    a, b = two()
    found = {each.metric: each for each in tasks.get("siim_acr").compare(a, b)}
    positive = overlap_of_predictions(a).truth > 0
    dice_a, dice_b = (overlap_of_predictions(each).dice()[positive] for each in (a, b))
    paired = found["dice_positive"].tests[-1]
    assert paired.n == positive.sum() < 30
    assert paired.p_value == pytest.approx(stats.ttest_rel(dice_a, dice_b).pvalue)


def test_images_of_a_patient_are_clustered() -> None:
    alone, together = (tasks.get("siim_acr").compare(*two(30, images))[0] for images in (1, 3))
    assert (alone.patients, together.patients) == (30, 10)
    assert together.difference == alone.difference
    assert together.tests[-1].df == 9
    assert together.tests[-1].p_value != alone.tests[-1].p_value


def test_a_single_patient_gives_no_test() -> None:
    assert tasks.get("siim_acr").compare(*two(6, 6))[0].tests == ()


def test_other_true_masks_are_refused() -> None:
    a, b = two()
    table = b.table.assign(truth=b.table["truth"].where(b.table.index != 3, "20"))
    with pytest.raises(RefusedError, match="disagree on the truth"):
        tasks.get("siim_acr").compare(a, Predictions(table, b.labels, b.exclusive))
