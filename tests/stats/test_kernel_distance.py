from __future__ import annotations

import numpy as np
import pytest

from cxrbench.stats import kernel_distance, weighted_kernel_distance


def sets(n: int = 60, d: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / 3 + 0.2


def test_is_what_torchmetrics_says() -> None:
    # torchmetrics 1.9.0, torchmetrics.image.kid.poly_mmd.
    assert kernel_distance(*sets()) == pytest.approx(0.4701046381424794, rel=1e-10)


def test_paired_leaves_out_a_row_against_itself() -> None:
    a, b = sets(5, 3)
    total = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                pairs = ((a[i], a[j], 1), (b[i], b[j], 1), (a[i], b[j], -1), (a[j], b[i], -1))
                total += sum(sign * (x @ y / 3 + 1) ** 3 for x, y, sign in pairs)
    assert kernel_distance(a, b, paired=True) == pytest.approx(total / 20, rel=1e-12)
    assert kernel_distance(a, a, paired=True) == 0


def test_has_no_bias_in_small_sets() -> None:
    rng = np.random.default_rng(0)
    found = np.array([kernel_distance(*rng.normal(size=(2, 10, 50))) for _ in range(400)])
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))


def test_weights_count_a_vector_never_against_itself() -> None:
    a, b = sets(7, 4)
    metric = weighted_kernel_distance(a, b)
    assert metric(np.ones((1, 7)))[0] == kernel_distance(a, b, paired=True)
    some = np.array([1, 1, 0, 1, 0, 1, 1])
    kept = some > 0
    assert metric(some[None])[0] == pytest.approx(kernel_distance(a[kept], b[kept], paired=True), rel=1e-12)
    assert metric(3 * some[None])[0] == pytest.approx(metric(some[None])[0], rel=1e-12)
    assert np.isnan(metric(np.eye(7, dtype=int)[:1])).all()
    # A resample lies about the sample, not above it.
    weights = np.random.default_rng(1).multinomial(7, np.full(7, 1 / 7), 4000)
    resampled = metric(weights)
    assert np.nanmean(resampled) == pytest.approx(metric(np.ones((1, 7)))[0], abs=0.2 * float(np.nanstd(resampled)))


def test_counts_may_differ_but_not_of_pairs() -> None:
    a, b = sets()
    assert np.isfinite(kernel_distance(a, b[:30]))
    with pytest.raises(ValueError, match="cannot be compared"):
        kernel_distance(a, b[:30], paired=True)
    with pytest.raises(ValueError, match="no pairs"):
        weighted_kernel_distance(a, b[:30])
    with pytest.raises(ValueError, match="needs two"):
        kernel_distance(a[:1], b)
