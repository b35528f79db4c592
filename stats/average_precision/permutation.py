"""Is one detector's average precision higher? A test that exchanges the detections of whole patients."""

from __future__ import annotations

import numpy as np

from ..groups import group_codes
from ..result import TestResult
from .matches import Matches

# Weights held at a time.
_WEIGHTS_AT_A_TIME = 2**19
# Two ways to one value differ by no more than this.
_ROUNDING = 1e-12


def paired_permutation_test(
    a: Matches,
    b: Matches,
    metric: str = "map",
    groups: np.ndarray | None = None,
    n_permutations: int = 2000,
    seed: int = 0,
) -> TestResult:
    """Permutation test of a metric of detector a less that of b, on the same images.

    If the detectors are alike, each patient's detections may as well have been the other's. Each permutation exchanges
    the two for patients chosen by a coin, and evaluates the two mixed sets; the two-sided p is (1 + permutations
    that differ at least as much) / (1 + all) (Phipson and Smyth 2010, SAGMB 9:39).

    Average precision sees only the order of one detector's scores, which says nothing of how they compare with
    another's. So a score counts here by its rank among all of its detector and label, and p is the same whatever
    scale each detector's scores are on. That the ranks are of the unmixed sets makes the test approximate; without
    it, it would find less where the scales differ.

    The interval is `bootstrap_ci(lambda weights: a(weights) - b(weights), weighted=True, groups=patients)` of the two
    `Matches.weighted`.

    Args:
        a, b: of the same images, true boxes and labels.
        metric: one of `METRICS`.
        groups: [N] patient of every image; None exchanges images.
        n_permutations: at least 1.
        seed: equal seeds give equal permutations.

    `estimate` and `statistic` are the difference, `n` the images. Flagged where the exchange of no patient changes
    anything (p is 1 there). Raises ValueError for matches of other images or true boxes, and for a metric that is
    undefined.
    """
    if a.n_true.shape != b.n_true.shape or (a.n_true != b.n_true).any():
        raise ValueError("a and b must be matches with the same images, labels and true boxes")
    if n_permutations < 1:
        raise ValueError(f"{n_permutations} permutations: at least one is needed")
    value_a, value_b = a.value(metric), b.value(metric)
    if value_a is None or value_b is None:
        raise ValueError(f"{metric} is undefined: no true box counts")
    estimate, n = value_a - value_b, a.n_images
    codes = np.arange(n) if groups is None else group_codes(groups, n)
    n_groups = int(codes.max(initial=-1)) + 1
    both = _side_by_side(a, b).weighted(metric)

    def difference(swapped: np.ndarray) -> np.ndarray:
        """Of the mixed sets, from which images [B, N] are exchanged."""
        first = np.stack([~swapped, swapped], axis=2).reshape(len(swapped), 2 * n)
        return both(first) - both(~first)

    rng = np.random.default_rng(seed)
    at_a_time = max(1, _WEIGHTS_AT_A_TIME // (2 * n))
    as_far, moved = 0, False
    for start in range(0, n_permutations, at_a_time):
        rows = min(at_a_time, n_permutations - start)
        permuted = difference((rng.random((rows, n_groups)) < 0.5)[:, codes])
        as_far += int((np.abs(permuted) >= abs(estimate) - _ROUNDING).sum())
        moved |= bool((np.abs(np.abs(permuted) - abs(estimate)) > _ROUNDING).any())
    p_value = (1 + as_far) / (1 + n_permutations)
    return TestResult(
        statistic=estimate,
        p_value=p_value,
        log10_p=float(np.log10(p_value)),
        estimate=estimate,
        n=n,
        degenerate=None if moved else "no permutation changes the difference",
    )


def _side_by_side(a: Matches, b: Matches) -> Matches:
    """Matches of 2N images: image i of a as 2i and of b as 2i + 1, so that ties keep the order of the images."""
    image = np.concatenate([2 * a.image, 2 * b.image + 1])
    label, scores = np.concatenate([a.label, b.label]), np.concatenate([-_places(a), -_places(b)])
    rank = np.concatenate([a.rank, b.rank])
    order = np.lexsort((rank, image, -scores, label))
    return Matches(
        image=image[order],
        label=label[order],
        scores=scores[order],
        rank=rank[order],
        true=np.concatenate([a.true, b.true], axis=2)[..., order],
        ignored=np.concatenate([a.ignored, b.ignored], axis=2)[..., order],
        n_true=np.repeat(a.n_true, 2, axis=2),
    )


def _places(matches: Matches) -> np.ndarray:
    """How many detections of its label have a higher score, for each [D]."""
    place = np.arange(len(matches.label))
    differs = np.diff(matches.label, prepend=-1) != 0
    differs[1:] |= matches.scores[1:] != matches.scores[:-1]
    return np.maximum.accumulate(np.where(differs, place, 0)) - np.searchsorted(matches.label, matches.label)
