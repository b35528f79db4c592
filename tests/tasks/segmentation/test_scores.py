"""Metrics by hand, blank where undefined, and the weighted forms against repeated rows."""

from __future__ import annotations

import numpy as np
import pytest
from segmentation_models_pytorch.metrics import f1_score, get_stats

from cxrbench.stats import bootstrap_ci
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.segmentation.scores import score_masks, undefined_notes
from cxrbench.tasks.segmentation.weighted import weighted_metric
from tests.tasks.segmentation.examples import batch_of, predictions, random_masks

EMPTY = np.zeros((4, 3), dtype=bool)
ROW = np.array([[True] * 3, [False] * 3, [False] * 3, [False] * 3])
TWO_ROWS = ROW | np.roll(ROW, 1, axis=0)


def test_a_case_worked_by_hand() -> None:
    # Right, missed, half of it found, and of the images without a mask one spared and one marked.
    found = score_masks(
        predictions([ROW, ROW, TWO_ROWS, EMPTY, EMPTY], [ROW, EMPTY, ROW, EMPTY, ROW], scores=[0.9, 0.2, 0.8, 0.1, 0.7])
    )
    assert found == {
        "dice": pytest.approx((1 + 0 + 2 / 3 + 1 + 0) / 5),
        "dice_positive": pytest.approx((1 + 0 + 2 / 3) / 3),
        "iou": pytest.approx((1 + 0 + 1 / 2 + 1 + 0) / 5),
        "iou_positive": pytest.approx((1 + 0 + 1 / 2) / 3),
        "sensitivity": pytest.approx(2 / 3),
        "specificity": pytest.approx(1 / 2),
        # Of six pairs one is the wrong way round: 0.2 below 0.7.
        "auc": pytest.approx(5 / 6),
    }


def test_dice_is_the_library_s_rule_of_the_challenge() -> None:
    generator = np.random.default_rng(0)
    truth = [generator.random((6, 6)) < share for share in (0.3, 0.0, 0.0, 0.5, 0.2)]
    decision = [generator.random((6, 6)) < share for share in (0.3, 0.0, 0.1, 0.0, 0.9)]
    stats = get_stats(batch_of(decision), batch_of(truth), mode="binary")
    expected = f1_score(*stats, reduction="micro-imagewise", zero_division=1.0)
    assert score_masks(predictions(truth, decision))["dice"] == pytest.approx(float(expected), rel=1e-6)


def test_without_a_positive_what_needs_one_is_blank() -> None:
    found = score_masks(predictions([EMPTY, EMPTY], [EMPTY, ROW]))
    assert found["dice"] == 0.5
    assert [name for name, value in found.items() if value is None] == [
        "dice_positive",
        "iou_positive",
        "sensitivity",
        "auc",
    ]
    assert undefined_notes(found) == (
        "undefined (the test set lacks images with or without a mask): dice_positive, iou_positive, sensitivity, auc",
    )


def test_marking_nothing_anywhere_scores_the_share_of_negatives() -> None:
    found = score_masks(predictions([ROW, EMPTY, EMPTY, EMPTY], [EMPTY] * 4))
    assert (found["dice"], found["dice_positive"], found["sensitivity"]) == (0.75, 0.0, 0.0)


@pytest.mark.parametrize("metric", list(score_masks(predictions([ROW, EMPTY], [ROW, EMPTY]))))
def test_weights_say_what_repeated_rows_say(metric: str) -> None:
    truth = random_masks(40, seed=4)
    generator = np.random.default_rng(5)
    decision = [each ^ (generator.random(each.shape) < 0.1) for each in truth]
    decision[::3] = [np.zeros_like(each) for each in truth[::3]]
    each = predictions(truth, decision, scores=list(generator.random(40).round(1)))
    weights = generator.integers(0, 3, size=(20, 40))
    # Only images without a mask.
    weights[0] = [not mask.any() for mask in truth]
    values = weighted_metric(each, metric)
    assert values is not None
    slow = [score_masks(each.repeated(row))[metric] for row in weights]
    np.testing.assert_allclose(values(weights), [np.nan if value is None else value for value in slow], rtol=1e-12)


def test_an_unknown_metric_has_no_array_form() -> None:
    assert weighted_metric(predictions([ROW, EMPTY], [ROW, EMPTY]), "hausdorff") is None


def test_metrics_are_those_that_the_task_names() -> None:
    task = tasks.get("siim_acr")
    assert set(task.meta.metrics) == set(score_masks(predictions([ROW, EMPTY], [ROW, EMPTY])))


def test_a_bootstrap_by_patient_is_wider_where_patients_have_several_like_images() -> None:
    generator = np.random.default_rng(0)
    hit = generator.random(60) < 0.5
    truth, decision = [ROW] * 240, [ROW if hit[number // 4] else EMPTY for number in range(240)]
    each = predictions(truth, decision, patients=[f"p{number // 4}" for number in range(240)])
    values = tasks.get("siim_acr").weighted(each, "dice")
    widths = []
    for groups in (each.patients(), None):
        found = bootstrap_ci(values, weighted=True, groups=groups, n_samples=240, n_resamples=400)
        widths.append(float(found.ci_high - found.ci_low))
    # Four equal images of each patient are one: the standard error is twice as large.
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.15)
