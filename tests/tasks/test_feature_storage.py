"""When features fit float16: magnitudes and spreads worked out from its 11 bits and its range."""

from __future__ import annotations

import numpy as np
import pytest

from cxrbench.tasks.feature_storage import fits_float16

NORMAL = np.random.default_rng(0).normal(size=(64, 200)).astype(np.float32)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_ordinary_features_fit(scale: float):
    assert fits_float16(NORMAL * np.float32(scale))


@pytest.mark.parametrize(
    ("features", "why"),
    [
        (NORMAL * np.float32(1e5), "above 65,504 nothing is left"),
        (NORMAL * np.float32(1e-7), "steps of 6e-8 below 6e-5"),
        (NORMAL + np.float32(200), "steps of 1/8 at 200"),
    ],
)
def test_features_that_rounding_would_harm_do_not_fit(features: np.ndarray, why: str):
    assert not fits_float16(features), why


def test_few_odd_features_and_constant_ones_do_not_matter():
    features = NORMAL.copy()
    features[:, 0] *= 1e-9
    features[:, 1] = 0.1
    assert fits_float16(features)
    assert fits_float16(np.full((64, 5), 0.1, np.float32))


def test_one_value_too_large_is_enough():
    features = NORMAL.copy()
    features[3, 7] = 70_000
    assert not fits_float16(features)


def test_of_few_images_only_the_range_counts():
    assert fits_float16(NORMAL[:3] + 200)
    assert not fits_float16(NORMAL[:3] * np.float32(1e5))
