from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cxrbench.stats import frechet_distance, paired_frechet_permutation_test

PATIENTS = np.repeat(np.arange(6), 2)


def sets(n: int = 12, d: int = 20, worse: float = 0.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Real vectors, and those of two generators that resemble them; the second may be off."""
    rng = np.random.default_rng(seed)
    real = rng.normal(size=(n, d))
    a, b = (0.7 * real + 0.7 * rng.normal(size=(n, d)) for _ in range(2))
    return real, a, b + worse


def exact_p(real: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> float:
    """Over all exchanges of patients, each mixed set measured anew."""

    def difference(swapped: np.ndarray) -> float:
        mixed = np.where(swapped[:, None], b, a), np.where(swapped[:, None], a, b)
        return frechet_distance(real, mixed[0]) - frechet_distance(real, mixed[1])

    swaps = [np.array(swap)[groups] for swap in product([False, True], repeat=int(groups.max()) + 1)]
    differences = np.array([difference(swap) for swap in swaps])
    return float((np.abs(differences) >= abs(differences[0]) - 1e-9).mean())


@pytest.mark.parametrize(("d", "worse"), [(20, 0.0), (20, 0.3), (5, 0.2)])
def test_p_is_that_of_all_exchanges_of_patients(d: int, worse: float) -> None:
    real, a, b = sets(12, d, worse)
    found = paired_frechet_permutation_test(real, a, b, PATIENTS, 3000)
    # Four standard errors of 3,000 draws.
    assert found.p_value == pytest.approx(exact_p(real, a, b, PATIENTS), abs=0.037)
    assert found.estimate == pytest.approx(frechet_distance(real, a) - frechet_distance(real, b), rel=1e-6)
    assert found.log10_p == pytest.approx(np.log10(found.p_value))
    assert found.n == 12
    assert found.degenerate is None


def test_worse_generator_is_found_and_the_sign_tells_which() -> None:
    real, a, b = sets(60, 30, worse=0.5)
    found = paired_frechet_permutation_test(real, a, b, n_permutations=400)
    assert found.p_value == pytest.approx(1 / 401)
    assert found.estimate < 0
    other_way = paired_frechet_permutation_test(real, b, a, n_permutations=400)
    assert other_way.estimate == pytest.approx(-found.estimate)
    assert other_way.p_value == found.p_value


def test_equal_generators_are_flagged() -> None:
    real, a, _ = sets()
    found = paired_frechet_permutation_test(real, a, a, PATIENTS, 50)
    assert (found.estimate, found.p_value) == (0.0, 1.0)
    assert found.degenerate == "no permutation changes the difference"


def test_one_patient_cannot_be_exchanged_for_another() -> None:
    found = paired_frechet_permutation_test(*sets(worse=0.5), groups=np.zeros(12), n_permutations=50)
    assert found.p_value == 1.0
    assert found.degenerate is not None


def test_equal_seeds_give_equal_p_and_patients_have_names() -> None:
    names = np.array([f"patient {number}" for number in PATIENTS])
    found = [paired_frechet_permutation_test(*sets(worse=0.1), groups=groups, seed=3) for groups in (PATIENTS, names)]
    assert found[0] == found[1]


def test_rejects_a_true_null_about_as_often_as_it_says() -> None:
    p = [paired_frechet_permutation_test(*sets(16, 24, seed=seed), n_permutations=99).p_value for seed in range(150)]
    # 5 % and 20 % of 150: four standard errors.
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 4 * 0.018
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=4 * 0.033)


def test_bad_input_is_refused() -> None:
    real, a, b = sets()
    with pytest.raises(ValueError, match="must be alike"):
        paired_frechet_permutation_test(real, a, b[:-1])
    with pytest.raises(ValueError, match="at least one"):
        paired_frechet_permutation_test(real, a, b, n_permutations=0)
    with pytest.raises(ValueError, match="generated_b: vector 0 is not finite"):
        paired_frechet_permutation_test(real, a, b * np.nan)
    with pytest.raises(ValueError, match="one for each of the 12 samples"):
        paired_frechet_permutation_test(real, a, b, PATIENTS[:-1])
