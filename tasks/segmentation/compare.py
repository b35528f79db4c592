"""Paired differences between two segmentation trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mean_over_images import paired_tests
from ..trial import Comparison, PairedTest
from .scores import overlap_of_predictions, score_masks, values_per_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..predictions import Predictions
    from ..trial import TestName


def compare_segmentation(a: Predictions, b: Predictions, asked: Sequence[TestName]) -> list[Comparison]:
    """One Comparison a metric, of predictions of the same images in the same order.

    Metrics that are means over images get a paired t of the images' values, which decides, and Wilcoxon's signed
    ranks, where `asked` names them; both clustered by patient.
    """
    overlap_a, overlap_b = overlap_of_predictions(a), overlap_of_predictions(b)
    scores_a, scores_b = score_masks(a, overlap_a), score_masks(b, overlap_b)
    values_a, values_b = values_per_image(overlap_a), values_per_image(overlap_b)
    patients = a.patients()
    comparisons = []
    for metric, value_a in scores_a.items():
        tests: tuple[PairedTest, ...] = ()
        if metric in values_a:
            tests = paired_tests(metric, values_a[metric], values_b[metric], patients, asked)
        comparisons.append(Comparison.of(metric, value_a, scores_b[metric], patients, tests))
    return comparisons
