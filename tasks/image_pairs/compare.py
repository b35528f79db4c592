"""Paired differences between two trials that made images of the same test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mean_over_images import paired_tests
from ..trial import Comparison
from .predictions import pair_images, values_per_image
from .scores import score_images

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..predictions import Predictions
    from ..trial import TestName


def compare_images(a: Predictions, b: Predictions, asked: Sequence[TestName], decides: bool = True) -> list[Comparison]:
    """One Comparison a metric, over the images of which both have a value.

    With a paired t of the images' values and Wilcoxon's signed ranks, where `asked` names them; both clustered by
    patient. Raises RefusedError where samples, patients or true images differ.

    Args:
        decides: whether the paired t may say that one is better: not where each of the two is one network out of many
            that its training could have given.
    """
    a, b = pair_images(a, b)
    scores_a, scores_b = score_images(a), score_images(b)
    values_a, values_b = values_per_image(a), values_per_image(b)
    patients = a.patients()
    return [
        Comparison.of(
            metric,
            value_a,
            scores_b[metric],
            patients,
            paired_tests(metric, values_a[metric], values_b[metric], patients, asked, decides),
        )
        for metric, value_a in scores_a.items()
    ]
