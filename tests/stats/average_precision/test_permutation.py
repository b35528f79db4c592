from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cxrbench.stats.average_precision import Detections, Matches, Truth, match, paired_permutation_test

N = 12
PATIENTS = np.repeat(np.arange(6), 2)


def detectors(seed: int, better: float = 0.0) -> tuple[Detections, Detections, Truth]:
    """Two detectors on images with one box each: the box, and another, at random scores."""
    rng = np.random.default_rng(seed)
    square = np.tile([0.0, 0.0, 100.0, 100.0], (N, 1))
    truth = Truth(np.arange(N), np.zeros(N, dtype=int), square)
    found = []
    for bonus in (better, 0.0):
        boxes = np.concatenate([square * rng.uniform(0.8, 1.0, (N, 1)), square + 500])
        scores = rng.permutation(2 * N) / 100
        scores[:N] += bonus
        found.append(Detections(np.tile(np.arange(N), 2), np.zeros(2 * N, dtype=int), boxes, scores))
    return found[0], found[1], truth


def matches_of(seed: int, better: float = 0.0) -> tuple[Matches, Matches]:
    a, b, truth = detectors(seed, better)
    return match(a, truth, N, 1), match(b, truth, N, 1)


def by_rank(found: Detections) -> Detections:
    return replace(found, scores=-(found.scores > found.scores[:, None]).sum(axis=1).astype(float))


def exact_p(a: Detections, b: Detections, truth: Truth) -> float:
    """Over all exchanges of the six patients, each mixed set matched anew."""
    a, b = by_rank(a), by_rank(b)

    def value(from_b: np.ndarray) -> float:
        keep_a, keep_b = ~from_b[a.image], from_b[b.image]
        fields = ("image", "label", "boxes", "scores")
        joined = [np.concatenate([getattr(a, f)[keep_a], getattr(b, f)[keep_b]]) for f in fields]
        return match(Detections(*joined), truth, N, 1).value("map") or 0.0

    swaps = [np.array(swap)[PATIENTS] for swap in product([False, True], repeat=6)]
    differences = np.array([value(swap) - value(~swap) for swap in swaps])
    return float((np.abs(differences) >= abs(differences[0]) - 1e-12).mean())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_p_is_that_of_all_exchanges_of_patients(seed: int) -> None:
    a, b, truth = detectors(seed, 0.05)
    first, second = match(a, truth, N, 1), match(b, truth, N, 1)
    found = paired_permutation_test(first, second, "map", PATIENTS, 5000)
    # Four standard errors of 20,000 draws.
    assert found.p_value == pytest.approx(exact_p(a, b, truth), abs=0.03)
    assert found.estimate == pytest.approx((first.value("map") or 0) - (second.value("map") or 0), abs=1e-12)
    assert found.n == N
    assert found.degenerate is None


def test_exchanging_the_detectors_turns_the_sign_only() -> None:
    a, b = matches_of(3)
    one, other = (paired_permutation_test(*pair, "map50", PATIENTS, 500) for pair in ((a, b), (b, a)))
    assert one.estimate == -other.estimate
    assert one.p_value == other.p_value


def test_the_scale_of_scores_does_not_matter() -> None:
    a, b, truth = detectors(4)
    scaled = replace(b, scores=np.exp(20 * b.scores))
    first = match(a, truth, N, 1)
    plain, rescaled = (
        paired_permutation_test(first, match(each, truth, N, 1), "map", PATIENTS, 300) for each in (b, scaled)
    )
    assert plain.p_value == rescaled.p_value


def test_a_clear_difference_has_the_least_p() -> None:
    a, b = matches_of(5, better=1.0)
    assert paired_permutation_test(a, b, "map50", None, 999).p_value < 0.05
    assert paired_permutation_test(a, b, "map50", None, 19).p_value >= 1 / 20


def test_equal_detectors_are_flagged() -> None:
    a, _ = matches_of(6)
    found = paired_permutation_test(a, a, "map", PATIENTS, 50)
    assert (found.estimate, found.p_value, found.log10_p) == (0.0, 1.0, 0.0)
    assert found.degenerate == "no permutation changes the difference"


def test_one_patient_is_flagged() -> None:
    a, b = matches_of(7)
    found = paired_permutation_test(a, b, "map", np.zeros(N), 50)
    assert found.p_value == 1.0
    assert found.degenerate is not None


def test_p_is_never_zero_and_seeds_repeat() -> None:
    a, b = matches_of(8)
    first, again, other = (paired_permutation_test(a, b, "map", PATIENTS, 200, seed) for seed in (1, 1, 2))
    assert first.p_value == again.p_value != other.p_value
    assert first.p_value >= 1 / 201


def test_other_images_and_undefined_metrics_are_refused() -> None:
    a, b = matches_of(9)
    with pytest.raises(ValueError, match="same images, labels and true boxes"):
        paired_permutation_test(a, replace(b, n_true=b.n_true * 2))
    with pytest.raises(ValueError, match="map_small is undefined: no true box counts"):
        paired_permutation_test(a, b, "map_small")
    with pytest.raises(ValueError, match="0 permutations"):
        paired_permutation_test(a, b, n_permutations=0)
    with pytest.raises(ValueError, match="groups"):
        paired_permutation_test(a, b, groups=np.arange(3))
