"""Outputs are clamped and held against targets one by one; an image that is NaN is blank and others go on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxrbench.tasks.bone_suppression.suppressing import (
    NOT_NUMBERS,
    Suppressor,
    Validation,
    made_images,
    suppress_and_score,
)
from tests.tasks.bone_suppression.examples import pairs

metrics = pytest.importorskip("skimage.metrics")
PAIRS = pairs(10)
ROWS = np.array([7, 2, 9, 4, 1])


class BrokenWhereDark(nn.Module):
    """`value` for the darkest film of all, twice its brightness for the others."""

    def __init__(self, value: float = math.nan):
        super().__init__()
        self.value = value

    def forward(self, film: Tensor) -> Tensor:
        darkest = min(float(each.mean()) for each in PAIRS.films.batch(ROWS) / 255)
        dark = film.mean(dim=(1, 2, 3), keepdim=True) < darkest + 1e-4
        return torch.where(dark, self.value, film * 2)


def suppressor(batch_size: int = 2) -> Suppressor:
    return Suppressor(PAIRS, "cpu", "float32", batch_size)


def test_the_identity_scores_as_scikit_image_says() -> None:
    found = suppress_and_score(suppressor(), nn.Identity(), ROWS, np.arange(0), None)
    films, targets = PAIRS.batch(ROWS)
    for place, (film, target) in enumerate(zip(films, targets, strict=True)):
        assert found.values["psnr"][place] == pytest.approx(
            metrics.peak_signal_noise_ratio(target, film, data_range=255), abs=1e-4
        )
        assert found.values["ssim"][place] == pytest.approx(
            metrics.structural_similarity(
                target, film, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            ),
            abs=1e-5,
        )
        error = math.sqrt(np.square(film.astype(float) - target).mean())
        assert found.values["rmse"][place] == pytest.approx(error, rel=1e-5)
    assert found.failed == [""] * 5
    assert "lpips" not in found.values


def test_lpips_is_measured_where_it_is_there() -> None:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().mean(dim=(1, 2, 3))

    found = suppress_and_score(suppressor(), nn.Identity(), ROWS, np.arange(0), distance)  # type: ignore[arg-type]
    films, targets = (each.astype(float) / 255 for each in PAIRS.batch(ROWS))
    np.testing.assert_allclose(found.values["lpips"], np.abs(films - targets).mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize(("batch_size", "value"), [(1, math.nan), (2, math.inf), (5, math.nan)])
def test_an_image_that_is_not_finite_is_blank_and_the_others_are_not(batch_size: int, value: float) -> None:
    shown = np.array([3, 0, 4, 1, 2])
    found = suppress_and_score(suppressor(batch_size), BrokenWhereDark(value), ROWS, shown, None)
    dark = int(PAIRS.films.batch(ROWS).mean(axis=(1, 2)).argmin())
    assert [place for place, why in enumerate(found.failed) if why] == [dark]
    assert found.failed[dark] == NOT_NUMBERS
    for values in found.values.values():
        assert np.flatnonzero(np.isnan(values)).tolist() == [dark]
    expected = np.minimum(2 * PAIRS.films.batch(ROWS).astype(int), 255)
    expected[dark] = 0
    assert np.array_equal(found.shown, expected[shown])


def test_validation_is_the_squared_error_of_clamped_outputs() -> None:
    found = Validation(suppressor(), ROWS)(nn.Hardtanh(0.6, 0.7))
    _, targets = PAIRS.batch(ROWS)
    films = (PAIRS.films.batch(ROWS) / 255).clip(0.6, 0.7)
    mse = np.square(films - targets / 255).mean()
    assert found["mse"] == pytest.approx(mse, rel=1e-5)
    assert found["psnr"] == pytest.approx(-10 * math.log10(mse), rel=1e-5)
    bright = Validation(suppressor(), ROWS)(nn.Hardtanh(50.0, 60.0))
    assert bright["mse"] == pytest.approx(np.square(1 - targets / 255).mean(), rel=1e-5)


def test_validation_of_a_network_that_broke_down_is_nan() -> None:
    assert math.isnan(Validation(suppressor(), ROWS)(BrokenWhereDark(-math.inf))["mse"])


def test_made_images_are_film_target_and_output() -> None:
    outputs = np.zeros((2, 32, 32), dtype=np.uint8)
    made = made_images(PAIRS, ROWS[:2], outputs)
    assert list(made.stacks) == ["film", "target", "output"]
    assert made.sample_ids.tolist() == ["s007", "s002"]
    for name, expected in zip(("film", "target"), PAIRS.batch(ROWS[:2]), strict=True):
        assert np.array_equal(made.stacks[name], expected)
