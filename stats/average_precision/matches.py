"""Matched detections of all images, and COCO's numbers from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..weighted import WeightedMetric
from .metrics import METRICS, RECALLS, Metric, metric_named
from .weighted import weighted_values

# What pycocotools adds to a denominator.
TINY = float(np.spacing(1.0))


@dataclass(frozen=True)
class Matches:
    """Detections with what they found; made by `match`, and never matched again for a resample.

    Attributes:
        image, label, scores: [D] of the detections, by label, then falling score, then image.
        rank: [D] place among those of its image and label, 0 the highest score.
        true: [4 ranges of areas, 10 overlaps, D] whether it finds a true box that counts.
        ignored: the same shape; whether it counts as neither right nor wrong.
        n_true: [4, K labels, N images] true boxes that count.
    """

    image: np.ndarray
    label: np.ndarray
    scores: np.ndarray
    rank: np.ndarray
    true: np.ndarray
    ignored: np.ndarray
    n_true: np.ndarray

    @property
    def n_images(self) -> int:
        return self.n_true.shape[2]

    @property
    def n_labels(self) -> int:
        return self.n_true.shape[1]

    def summary(self) -> dict[str, float | None]:
        """The twelve numbers of `METRICS`, equal to pycocotools 2.0.11 to the last bit.

        None where no true box counts (-1 there). Labels without one are in no mean.
        """
        return {name: self.value(name) for name in METRICS}

    def value(self, metric: str) -> float | None:
        """One of the twelve numbers; None where undefined."""
        return _mean(self._values(metric_named(metric)))

    def by_label(self, metric: str) -> list[float | None]:
        """One of the twelve numbers for every label [K]: the mean over overlaps (and recalls); None where undefined."""
        values = self._values(metric_named(metric))
        return [_mean(values[..., label]) for label in range(self.n_labels)]

    def weighted(self, metric: str, label: int | None = None) -> WeightedMetric:
        """One of the twelve numbers as a function of how often each image counts, for bootstrap and permutations.

        Takes whole weights [B, N], 0 or above, and gives [B], NaN where undefined; with a label, that label's value.
        An image of weight 2 counts as two images side by side do. That is what `match` says of the repeated images,
        up to rounding, unless detections of one image and label have equal scores: the copies of the first then
        all stand before those of the second.
        """
        labels = range(self.n_labels) if label is None else [label]
        return WeightedMetric(self.n_images, weighted_values(self, metric_named(metric), list(labels)))

    def of_label(self, metric: Metric, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image [d] of the detections of a label that a metric looks at, and their `true` and `ignored` [T, d]."""
        first, stop = np.searchsorted(self.label, [label, label + 1])
        chosen = np.arange(first, stop)[self.rank[first:stop] < metric.most]
        true, ignored = (each[metric.area][metric.thresholds][:, chosen] for each in (self.true, self.ignored))
        return self.image[chosen], true, ignored

    def _values(self, metric: Metric) -> np.ndarray:
        """Precisions [T, 101, K] or recalls [T, K]; NaN for labels without a true box."""
        n_true = self.n_true[metric.area].sum(axis=1)
        of_one = (len(RECALLS),) if metric.precision else ()
        values = np.full((len(metric.thresholds), *of_one, self.n_labels), np.nan)
        for label in np.flatnonzero(n_true).tolist():
            _, true, ignored = self.of_label(metric, label)
            if not metric.precision:
                values[:, label] = true.sum(axis=1) / n_true[label]
                continue
            for number, (hits, counted) in enumerate(zip(true, np.cumsum(~ignored, axis=1), strict=True)):
                values[number, :, label] = _precision_at_recalls(counted[hits], n_true[label])
        return values


def _precision_at_recalls(ranks: np.ndarray, n_true: int) -> np.ndarray:
    """Precision [101] at COCO's recalls, from the ranks of true positives among all that count.

    Only at a true positive does precision rise, so the envelope needs no other places.
    """
    found = np.arange(1, len(ranks) + 1)
    envelope = np.maximum.accumulate((found / (ranks + TINY))[::-1])[::-1]
    return np.append(envelope, 0.0)[np.searchsorted(found / n_true, RECALLS, side="left")]


def _mean(values: np.ndarray) -> float | None:
    defined = values[~np.isnan(values)]
    return float(np.mean(defined)) if len(defined) else None
