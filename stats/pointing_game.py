"""The pointing game: does the highest place of a map lie in what it should show?

Zhang et al. 2018, Top-Down Neural Attention by Excitation Backprop, doi:10.1007/s11263-017-1059-x, section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from .bootstrap import bootstrap_ci
from .groups import group_codes
from .mcnemar import clustered_mcnemar_test
from .result import TestResult

_SIGN_FLIPS = 9_999
_BOOTSTRAP = "bootstrap over patients"


def box_masks(side: int, sizes: np.ndarray, case: np.ndarray, boxes: np.ndarray, tolerance: float = 0.0) -> np.ndarray:
    """Which pixels of a square map [S, S] lie in a box of their case, bool [P, S, S].

    A map covers its whole image: the centre of pixel (i, j) lies at ((j + 0.5) width / S, (i + 0.5) height / S). It is
    in a box where it is at most `tolerance` from it; edges belong to the box. A box between the centres has the pixel
    that its own centre lies in, so that every box can be hit.

    Args:
        side: S.
        sizes: [P, 2] height and width of each case's image, in pixels.
        case: [K] to which case each box belongs, 0 to P - 1.
        boxes: [K, 4] x1, y1, x2, y2 in pixels of that image.
        tolerance: in pixels of that image; 0 here, 15 in the original.

    Raises ValueError for a box that is inverted or lies wholly outside its image, and for a negative tolerance.
    """
    sizes, boxes = np.asarray(sizes, dtype=np.float64), np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    case = np.asarray(case, dtype=np.int64)
    if not tolerance >= 0:
        raise ValueError(f"tolerance {tolerance} must be 0 or more")
    height, width = sizes[case].T
    x1, y1, x2, y2 = boxes.T
    wrong = ~((x1 <= x2) & (y1 <= y2) & (x2 >= 0) & (y2 >= 0) & (x1 <= width) & (y1 <= height))
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(
            f"box {at} {boxes[at].tolist()} is inverted or outside its image of {sizes[case[at]].tolist()}"
        )
    across = _inside(side, width, x1, x2, tolerance)
    down = _inside(side, height, y1, y2, tolerance)
    if tolerance:
        near = np.sqrt(across[:, None, :] ** 2 + down[:, :, None] ** 2) <= tolerance
    else:
        near = (across[:, None, :] == 0) & (down[:, :, None] == 0)
    masks = np.zeros((len(sizes), side, side), dtype=bool)
    order = np.argsort(case, kind="stable")
    cases, starts = np.unique(case[order], return_index=True)
    if len(cases):
        masks[cases] = np.logical_or.reduceat(near[order], starts, axis=0)
    return masks


def pointing_hits(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether the highest place of each map [P, S, S] lies in its mask, bool [P].

    Where several pixels share the maximum (an edge of an image is a plateau after interpolation) more than half of them
    must lie in the mask: a rule that does not ask where reading begins. A map that is the same everywhere points
    nowhere and is a miss. Raises ValueError for shapes that differ and for values that are not finite.
    """
    maps, masks = np.asarray(maps), np.asarray(masks)
    if maps.shape != masks.shape or maps.ndim != 3:
        raise ValueError(f"maps {list(maps.shape)} and masks {list(masks.shape)} must both be [P, S, S]")
    if not np.isfinite(maps).all():
        raise ValueError("a map has values that are not finite")
    highest = maps.max(axis=(1, 2))
    at_top = maps == highest[:, None, None]
    inside, all_of_them = (at_top & masks).sum(axis=(1, 2)), at_top.sum(axis=(1, 2))
    return (2 * inside > all_of_them) & (highest > maps.min(axis=(1, 2)))


@dataclass(frozen=True)
class PointingShare:
    """How often maps point right, for one label or over several.

    Attributes:
        cases: pairs of image and label behind it.
        patients: distinct patients among them.
        hits: cases that are hit.
        share: hits over cases, or the mean of that over labels.
        ci_low, ci_high: 95 % interval; None where none can be had.
        interval: how the interval was made; why there is none.
    """

    cases: int
    patients: int
    hits: int
    share: float
    ci_low: float | None
    ci_high: float | None
    interval: str


def pointing_share(hits: np.ndarray, patients: np.ndarray, level: float = 0.95, seed: int = 0) -> PointingShare:
    """The share of `hits` [P] with an interval that allows for several cases of one patient [P].

    Where no patient has two cases: Wilson's score interval. Where all or none are hit: Wilson's with patients as
    units, as a bootstrap has no width there. Else the bootstrap (BCa) over patients. Raises ValueError for no cases.
    """
    hits, codes = np.asarray(hits, dtype=bool), group_codes(patients, len(hits))
    n_patients = int(codes.max()) + 1
    if n_patients == len(hits) or hits.all() or not hits.any():
        of_patients = int(hits.sum()) if n_patients == len(hits) else n_patients * int(hits[0])
        ends = binomtest(of_patients, n_patients).proportion_ci(level, method="wilson")
        low, high, how = float(ends.low), float(ends.high), "Wilson"
        how = how if n_patients == len(hits) else "Wilson, patients as units"
    elif n_patients < 2:
        low = high = None
        how = "none: one patient"
    else:
        found = bootstrap_ci("mean", hits, groups=codes, level=level, seed=seed)
        low, high = float(found.ci_low), float(found.ci_high)
        how = _BOOTSTRAP + (f"; {found.degenerate}" if found.degenerate else "")
    return PointingShare(len(hits), n_patients, int(hits.sum()), float(hits.mean()), low, high, how)


def mean_pointing_share(
    hits: np.ndarray, labels: np.ndarray, patients: np.ndarray, level: float = 0.95, seed: int = 0
) -> PointingShare:
    """The mean over labels of the share of hits, every label counting alike, as Zhang et al. report it.

    The interval is a bootstrap (BCa) over patients with all their labels. Where that would be no interval (over 5 % of
    the resamples lack a label; all or none are hit) the labels' own intervals are combined as if they were independent
    (MOVER: Zou and Donner 2008, Statistics in Medicine 27). Of one label it is that label's. Raises ValueError for no
    cases.
    """
    hits, patients = np.asarray(hits, dtype=bool), np.asarray(patients)
    names, which = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) == 1:
        return pointing_share(hits, patients, level, seed)
    of_label = (which == np.arange(len(names))[:, None]).astype(np.float64)
    right = of_label * hits
    shares = right.sum(axis=1) / of_label.sum(axis=1)
    found = None if hits.all() or not hits.any() else _bootstrapped(of_label, right, patients, level, seed)
    if found is None:
        parts = [pointing_share(hits[mine == 1], patients[mine == 1], level, seed) for mine in of_label]
        low, high = _combined(shares, parts)
        how = "MOVER: intervals of the labels combined"
    else:
        low, high = found
        how = _BOOTSTRAP
    n_patients = int(group_codes(patients, len(hits)).max()) + 1
    return PointingShare(len(hits), n_patients, int(hits.sum()), float(shares.mean()), low, high, how)


def pointing_test(hits_a: np.ndarray, hits_b: np.ndarray, patients: np.ndarray) -> TestResult:
    """Do maps a hit as often as maps b, on the same cases? McNemar's test clustered by patient."""
    return clustered_mcnemar_test(hits_a, hits_b, patients)


def mean_pointing_test(
    hits_a: np.ndarray, hits_b: np.ndarray, labels: np.ndarray, patients: np.ndarray, seed: int = 0
) -> TestResult:
    """The same of the means over labels: all hits of a patient change sides together, 9,999 times at random.

    p counts the changes whose difference is at least as large, and the one that was observed (Phipson and Smyth 2010).
    Flagged where no patient differs: p 1.
    """
    names, which = np.unique(np.asarray(labels), return_inverse=True)
    weight = 1 / (len(names) * np.bincount(which))[which]
    difference = (np.asarray(hits_a, dtype=bool).astype(np.float64) - np.asarray(hits_b, dtype=bool)) * weight
    codes = group_codes(patients, len(difference))
    of_patient = np.bincount(codes, weights=difference)
    of_patient = of_patient[np.abs(of_patient) > 1e-12]
    estimate = float(difference.sum())
    if len(of_patient) == 0:
        return TestResult(estimate=estimate, p_value=1.0, log10_p=0.0, n=len(codes), degenerate="no patient differs")
    signs = np.random.default_rng(seed).integers(0, 2, size=(_SIGN_FLIPS, len(of_patient))) * 2 - 1
    # A hair's breadth for sums that are equal but for rounding.
    as_large = (np.abs(signs @ of_patient) >= abs(estimate) - 1e-9).sum()
    p_value = float((1 + as_large) / (1 + _SIGN_FLIPS))
    return TestResult(estimate=estimate, p_value=p_value, log10_p=float(np.log10(p_value)), n=len(codes))


def _bootstrapped(
    of_label: np.ndarray, right: np.ndarray, patients: np.ndarray, level: float, seed: int
) -> tuple[float, float] | None:
    """The interval of the mean of labels [L, P], right ones among them [L, P]; None where it would be none."""

    def mean(weights: np.ndarray) -> np.ndarray:
        cases = weights @ of_label.T
        return np.divide(weights @ right.T, cases, out=np.full_like(cases, np.nan), where=cases > 0).mean(axis=1)

    try:
        found = bootstrap_ci(mean, weighted=True, groups=patients, level=level, seed=seed)
    except ValueError:
        # One patient, or a label that hardly a resample has.
        return None
    return None if found.degenerate else (float(found.ci_low), float(found.ci_high))


def _combined(shares: np.ndarray, parts: Sequence[PointingShare]) -> tuple[float, float]:
    """Ends for the mean of `shares` [L] from those of each; a label without an interval may be anything."""
    low = np.array([0.0 if part.ci_low is None else part.ci_low for part in parts])
    high = np.array([1.0 if part.ci_high is None else part.ci_high for part in parts])
    below, above = (np.sqrt(np.sum(np.square(each))) / len(parts) for each in (shares - low, high - shares))
    return float(shares.mean() - below), float(shares.mean() + above)


def _inside(side: int, length: np.ndarray, low: np.ndarray, high: np.ndarray, tolerance: float) -> np.ndarray:
    """Distance along one axis of each of S pixel centres from each box, 0 within: [K, S], in pixels of the image."""
    centres = (np.arange(side) + 0.5) * (length / side)[:, None]
    distance = np.maximum(np.maximum(low[:, None] - centres, centres - high[:, None]), 0.0)
    # What lies between two centres, or beyond the last, counts for the pixel that it lies in.
    middle = np.clip((np.maximum(low, 0) + np.minimum(high, length)) / 2 * side / length, 0, side - 1).astype(np.int64)
    without = ~(distance <= tolerance).any(axis=1)
    distance[np.flatnonzero(without), middle[without]] = 0.0
    return distance
