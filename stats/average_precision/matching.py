"""Which detection finds which true box, at every overlap and in every range of areas at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .boxes import Detections, Truth, areas, overlaps
from .matches import Matches
from .metrics import AREAS, IOU_THRESHOLDS, MOST_DETECTIONS

# Pairs of a detection and a true box held at a time.
_PAIRS = 2**20


def match(detections: Detections, truth: Truth, n_images: int, n_labels: int) -> Matches:
    """Match detections to true boxes image by image and label by label, as pycocotools 2.0.11 does.

    By falling score (ties by their order in `detections`) every detection takes, of the true boxes of its image and
    label that overlap by the threshold or more and are not yet taken, the one with the largest overlap (the last of
    several). A true box outside the range of areas, or of a crowd, is taken only where no other is left; what takes
    it counts for nothing, and so does a detection outside the range that takes none. 100 detections of an image and
    label count. The n-th detections of all images are matched in one step.

    Args:
        detections: those of all images; may be empty.
        truth: the true boxes of all images.
        n_images: N; images without detections or without true boxes are among them.
        n_labels: K; labels that no true box has are undefined and in no mean.

    Raises ValueError for image numbers and labels beyond these.
    """
    for name, given in (("detections", detections), ("truth", truth)):
        _check_range(name, "image", given.image, n_images)
        _check_range(name, "label", given.label, n_labels)
    # By label, then falling score, then image: the order in which precision and recall are counted.
    order = np.lexsort((detections.image, -detections.scores, detections.label))
    cell = detections.image[order] * n_labels + detections.label[order]
    rank = _rank_in_cell(cell)
    order, cell, rank = (each[rank < MOST_DETECTIONS] for each in (order, cell, rank))
    beside = (truth.area < AREAS[:, :1]) | (truth.area > AREAS[:, 1:]) | truth.crowd
    boxes, truth_cell = detections.boxes[order], truth.image * n_labels + truth.label
    true, ignored = _outcomes(boxes, cell, rank, truth, truth_cell, beside)
    area = areas(boxes)
    outside = (area < AREAS[:, :1]) | (area > AREAS[:, 1:])
    ignored |= outside[:, None] & ~true
    in_order = truth.label * n_images + truth.image
    counts = [np.bincount(in_order[~left_out], minlength=n_labels * n_images) for left_out in beside]
    return Matches(
        image=detections.image[order],
        label=detections.label[order],
        scores=detections.scores[order],
        rank=rank,
        true=true,
        ignored=ignored,
        n_true=np.stack(counts).reshape(len(AREAS), n_labels, n_images),
    )


def _outcomes(
    boxes: np.ndarray, cell: np.ndarray, rank: np.ndarray, truth: Truth, truth_cell: np.ndarray, beside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whether a detection takes a true box, and whether one beside the range: booleans [areas, thresholds, D]."""
    true, ignored = np.zeros((2, len(AREAS), len(IOU_THRESHOLDS), len(boxes)), dtype=bool)
    taken = np.zeros((len(AREAS), len(IOU_THRESHOLDS), len(truth.image)), dtype=bool)
    found, which, overlap = _pairs(boxes, cell, truth, truth_cell)
    # Of one detection's pairs the last that it may take is the one it takes.
    order = np.lexsort((which, overlap, found, rank[found]))
    found, which, overlap = found[order], which[order], overlap[order]
    steps = np.append(np.flatnonzero(np.diff(rank[found], prepend=-1)), len(found))
    for start, stop in pairwise(steps.tolist()):
        at_rank = which[start:stop]
        may = (overlap[start:stop] >= IOU_THRESHOLDS[:, None]) & (~taken[..., at_rank] | truth.crowd[at_rank])
        place = np.arange(len(at_rank)) + len(at_rank) * ~beside[:, None, at_rank]
        first = np.flatnonzero(np.diff(found[start:stop], prepend=-1))
        best = np.maximum.reduceat(np.where(may, place, -1), first, axis=2)
        area, threshold, one = np.nonzero(best >= 0)
        chosen = at_rank[best[area, threshold, one] % len(at_rank)]
        detection = found[start:stop][first][one]
        taken[area, threshold, chosen] = True
        true[area, threshold, detection] = ~beside[area, chosen]
        ignored[area, threshold, detection] = beside[area, chosen]
    return true, ignored


def _pairs(
    boxes: np.ndarray, cell: np.ndarray, truth: Truth, truth_cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detection, true box and overlap of the pairs of one image and label that reach the least threshold."""
    by_cell = np.argsort(truth_cell, kind="stable")
    first = np.searchsorted(truth_cell[by_cell], cell, side="left")
    count = np.searchsorted(truth_cell[by_cell], cell, side="right") - first
    parts: list[tuple[np.ndarray, ...]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for some in np.array_split(np.flatnonzero(count), 1 + int(count.sum()) // _PAIRS):
        found = np.repeat(some, count[some])
        before = np.cumsum(count[some]) - count[some]
        which = by_cell[np.arange(len(found)) + np.repeat(first[some] - before, count[some])]
        overlap = overlaps(boxes[found], truth.boxes[which], truth.crowd[which])
        near = overlap >= IOU_THRESHOLDS[0]
        parts.append((found[near], which[near], overlap[near]))
    found, which, overlap = (np.concatenate(each) for each in zip(*parts, strict=True))
    return found, which, overlap


def _rank_in_cell(cell: np.ndarray) -> np.ndarray:
    """How many before it have the same number, [n]."""
    by_cell = np.argsort(cell, kind="stable")
    starts = np.diff(cell[by_cell], prepend=-1) != 0
    place = np.arange(len(cell))
    rank = np.empty(len(cell), dtype=np.int64)
    rank[by_cell] = place - np.maximum.accumulate(np.where(starts, place, 0))
    return rank


def _check_range(name: str, field: str, values: np.ndarray, n: int) -> None:
    bad = np.flatnonzero((values < 0) | (values >= n))
    if len(bad):
        raise ValueError(f"{name}: {field} {values[bad[0]]} of row {bad[0]} is not one of 0 to {n - 1}")
