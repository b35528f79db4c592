"""Average precision and recall of weighted images, for many sets of weights at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from .metrics import RECALLS, Metric

if TYPE_CHECKING:
    from .matches import Matches

_TINY = float(np.spacing(1.0))


def weighted_values(matches: Matches, metric: Metric, labels: Sequence[int]) -> Callable[[np.ndarray], np.ndarray]:
    """The mean over labels as a function of weights [B, N] -> [B]."""
    n_true = matches.n_true[metric.area]
    curves = [(label, _curves(matches, metric, label)) for label in labels if n_true[label].any()]

    def values(weights: np.ndarray) -> np.ndarray:
        # Images in rows: every step works on all sets of weights side by side.
        by_image = np.ascontiguousarray(weights.T, dtype=np.float64)
        total, n_defined = np.zeros(len(weights)), np.zeros(len(weights))
        for label, of_label in curves:
            count = n_true[label].astype(np.float64) @ by_image
            defined = count > 0
            of_thresholds = sum(curve.value(by_image, np.where(defined, count, 1.0)) for curve in of_label)
            total += np.where(defined, of_thresholds, 0.0) / len(of_label)
            n_defined += defined
        return np.divide(total, n_defined, out=np.full(len(weights), np.nan), where=n_defined > 0)

    return values


def _curves(matches: Matches, metric: Metric, label: int) -> list[_Precision | _Recall]:
    image, true, ignored = matches.of_label(metric, label)
    kind = _Precision if metric.precision else _Recall
    return [kind.of(image, *rows, matches.n_images) for rows in zip(true, ignored, strict=True)]


@dataclass(frozen=True)
class _Recall:
    """Recall of one label at one overlap."""

    hits: np.ndarray

    @staticmethod
    def of(image: np.ndarray, true: np.ndarray, ignored: np.ndarray, n_images: int) -> _Recall:
        return _Recall(np.bincount(image[true], minlength=n_images).astype(np.float64))

    def value(self, weights: np.ndarray, n_true: np.ndarray) -> np.ndarray:
        return self.hits @ weights / n_true


@dataclass(frozen=True)
class _Precision:
    """Average precision of one label at one overlap.

    Attributes:
        image: [U] of the true positives, by falling score.
        steps: [U, N] how many detections that count each image has behind the true positive before and up to this.
    """

    image: np.ndarray
    steps: sparse.csr_matrix

    @staticmethod
    def of(image: np.ndarray, true: np.ndarray, ignored: np.ndarray, n_images: int) -> _Precision:
        counted = image[~ignored]
        ends = np.append(0, np.cumsum(~ignored)[true])
        counted = counted[: ends[-1]]
        steps = sparse.csr_matrix((np.ones(len(counted)), counted, ends), shape=(len(ends) - 1, n_images))
        steps.sum_duplicates()
        return _Precision(image[true], steps)

    def value(self, weights: np.ndarray, n_true: np.ndarray) -> np.ndarray:
        """Values [B] from weights [N, B] and the weighted number of true boxes [B]."""
        if not len(self.image):
            return np.zeros(weights.shape[1])
        found = np.cumsum(weights[self.image], axis=0)
        counted = np.cumsum(self.steps @ weights, axis=0)
        # Of a true positive's copies the last has the highest precision, so one place stands for all.
        envelope = found / (counted + _TINY)
        np.maximum.accumulate(envelope[::-1], axis=0, out=envelope[::-1])
        reached = _recalls_reached(found / n_true)
        return np.einsum("ub,ub->b", envelope, np.diff(reached, axis=0, prepend=0)) / len(RECALLS)


def _recalls_reached(recall: np.ndarray) -> np.ndarray:
    """How many of COCO's 101 recalls are at or below each, as floats do compare."""
    nearest = np.rint(recall * (len(RECALLS) - 1)).astype(np.int16)
    return nearest + (RECALLS[nearest] <= recall)
