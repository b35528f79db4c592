from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from cxrbench.stats import bootstrap_ci, frechet_ci, frechet_distance, weighted_frechet


def sets(n: int = 60, d: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / 3 + 0.2


def by_matrix_root(a: np.ndarray, b: np.ndarray) -> float:
    """From the equation, with SciPy's root of a matrix."""
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = np.real(np.asarray(linalg.sqrtm(cov_a @ cov_b)))
    return float(np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + np.trace(cov_a + cov_b - 2 * root))


def test_is_what_pytorch_fid_says() -> None:
    # calculate_frechet_distance of pytorch-fid 0.3.0.
    assert frechet_distance(*sets()) == pytest.approx(3.4403820079410785, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(9, 8), (60, 8), (300, 40)])
def test_is_that_of_the_matrix_root(n: int, d: int) -> None:
    a, b = sets(n, d)
    assert frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-7)
    assert frechet_distance(a, b[: n // 2 + 2], unequal_counts=True) == pytest.approx(
        by_matrix_root(a, b[: n // 2 + 2]), rel=1e-5
    )


def exactly(mean: np.ndarray, variances: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Vectors whose mean and covariance are these to the last digits."""
    z = np.random.default_rng(seed).normal(size=(n, len(mean)))
    z = np.linalg.qr(z - z.mean(axis=0))[0] * np.sqrt(n - 1)
    return z * np.sqrt(variances) + mean


def test_is_the_closed_form_where_covariances_commute() -> None:
    mean_a, mean_b = np.array([1.0, 0.0, 2.0, 0.0]), np.array([0.0, 0.0, 0.0, 3.0])
    var_a, var_b = np.array([1.0, 4.0, 9.0, 0.0]), np.array([1.0, 1.0, 25.0, 16.0])
    # 1 + 4 + 9 of the means; 0 + 1 + 4 + 16 of the standard deviations.
    found = frechet_distance(exactly(mean_a, var_a, 50, 0), exactly(mean_b, var_b, 50, 1))
    assert found == pytest.approx(35.0, rel=1e-12)


def test_one_number_a_vector_needs_no_matrix() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 1)), 3 * rng.normal(size=(30, 1)) + 1
    assert frechet_distance(a, b) == pytest.approx(
        (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2, rel=1e-12
    )


def test_fewer_vectors_than_numbers_lose_no_digits() -> None:
    # Orthogonal sets of vectors have no product: only means and traces are left.
    a, b = np.zeros((4, 400)), np.zeros((4, 400))
    a[range(4), range(4)] = 1.0
    b[range(4), range(100, 104)] = 2.0
    # Traces 4 (1/4) (3/4) 4/3 = 1 and 4; means 1/4 and 1.
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + 4 / 16 + 4 * 4 / 16, rel=1e-12)
    more_numbers, _ = sets(20, 300)
    turned = more_numbers @ np.linalg.qr(np.random.default_rng(1).normal(size=(300, 300)))[0]
    assert frechet_distance(more_numbers, more_numbers) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(turned, -turned) == pytest.approx(frechet_distance(more_numbers, -more_numbers), rel=1e-10)


def test_symmetric_moved_together_and_scaled() -> None:
    a, b = sets()
    value = frechet_distance(a, b)
    assert frechet_distance(b, a) == pytest.approx(value, rel=1e-12)
    assert frechet_distance(a + 100, b + 100) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * value, rel=1e-12)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((1, 3)), np.zeros((1, 3)), "a covariance needs two"),
        (np.zeros((5, 3)), np.zeros((4, 3)), "only equal counts compare"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "3 and 4 numbers"),
        (np.zeros(5), np.zeros(5), r"vectors \[N, D\]"),
        (np.zeros((5, 3)), np.where(np.eye(5, 3) > 0, np.nan, 0), r"b: vector 0 is not finite \(3 of 5\)"),
        (np.full((5, 3), np.inf), np.zeros((5, 3)), "a: vector 0 is not finite"),
        (np.full((5, 3), "x"), np.zeros((5, 3)), "of numbers"),
        (np.zeros((5, 3)), np.zeros((5, 3), dtype=complex), "real numbers"),
    ],
)
def test_what_has_no_distance_is_refused(a: np.ndarray, b: np.ndarray, words: str) -> None:
    for ask in (frechet_distance, weighted_frechet):
        with pytest.raises(ValueError, match=words):
            ask(a, b)


@pytest.mark.parametrize(("n", "d"), [(12, 30), (40, 5), (25, 25)])
def test_weights_say_what_repeated_pairs_do(n: int, d: int) -> None:
    a, b = sets(n, d)
    weights = np.random.default_rng(2).integers(0, 4, (20, n))
    wanted = [frechet_distance(np.repeat(a, row, axis=0), np.repeat(b, row, axis=0)) for row in weights]
    metric = weighted_frechet(a + 50, b + 50)
    np.testing.assert_allclose(metric(weights), wanted, rtol=1e-6)
    assert metric(np.ones((1, n)))[0] == pytest.approx(frechet_distance(a, b), rel=1e-6)


def test_weights_of_one_vector_have_no_distance() -> None:
    metric = weighted_frechet(*sets(6, 3))
    one_and_none = np.eye(6, dtype=int)[:2] * [[1], [0]]
    assert np.isnan(metric(one_and_none)).all()
    # Two copies of one pair are two vectors without a spread: their means are apart.
    a, b = sets(6, 3)
    assert metric(2 * np.eye(6, dtype=int)[:1])[0] == pytest.approx(np.sum((a[0] - b[0]) ** 2), rel=1e-9)


def test_interval_of_one_distance_holds_the_estimate() -> None:
    a, b = sets(30, 40)
    patients = np.arange(30) // 2
    found = frechet_ci(a, b, patients, n_resamples=300)
    assert found.estimate == pytest.approx(frechet_distance(a, b), rel=1e-6)
    assert 0 < found.ci_low < found.estimate < found.ci_high
    assert found.n_units == 15
    assert np.mean(found.distribution) == pytest.approx(found.estimate)
    # Why it is moved: repeated vectors put nearly all resamples above the estimate.
    plain = bootstrap_ci(weighted_frechet(a, b), groups=patients, n_resamples=300, weighted=True, method="percentile")
    assert np.mean(plain.distribution > plain.estimate) > 0.9
    assert plain.ci_high - plain.ci_low == pytest.approx(found.ci_high - found.ci_low)
    assert frechet_ci(a, b, patients, n_resamples=300).ci_low == found.ci_low


def test_resamples_of_a_difference_lie_about_it() -> None:
    a, b = sets(40, 60)
    _, c = sets(40, 60, seed=5)
    first, second = weighted_frechet(a, b), weighted_frechet(a, c)
    found = bootstrap_ci(
        lambda weights: first(weights) - second(weights), groups=np.arange(40), n_resamples=200, weighted=True
    )
    assert abs(np.mean(found.distribution) - found.estimate) < 0.5 * found.se
