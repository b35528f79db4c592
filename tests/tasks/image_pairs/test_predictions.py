"""The table of predictions: blanks where an image failed, and a truth that tells images apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxrbench.foundation.errors import RefusedError
from cxrbench.tasks.image_pairs.predictions import (
    grey_mean_and_sd,
    pair_images,
    predictions_of,
    values_per_image,
)
from cxrbench.tasks.predictions import Predictions
from tests.tasks.image_pairs.examples import made, radiographs


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = made(5, failed=[2])
    found.write(tmp_path / "predictions.parquet")
    again = Predictions.read(tmp_path / "predictions.parquet")
    for metric, values in values_per_image(found).items():
        np.testing.assert_array_equal(values_per_image(again)[metric], values)
    np.testing.assert_array_equal(again.array("truth"), found.array("truth"))


def test_a_failed_image_is_blank_in_every_metric_and_absent_metrics_are_nan() -> None:
    table = made(4, failed=[1]).table
    for metric in ("psnr", "ssim", "rmse"):
        assert np.isnan(table[metric].to_numpy()).tolist() == [False, True, False, False]
    assert np.isnan(table["lpips"].to_numpy()).all()
    assert table["failed"].tolist() == ["", "not a number", "", ""]


def test_infinite_values_stay_in_the_table_and_do_not_count() -> None:
    found = made(3, psnr=np.array([np.inf, 30.0, np.nan]))
    assert found.table["psnr"].tolist()[:2] == [np.inf, 30.0]
    np.testing.assert_array_equal(values_per_image(found)["psnr"], [np.nan, 30.0, np.nan])


def test_latents_are_kept_as_float32() -> None:
    latents = np.random.default_rng(0).normal(size=(3, 8))
    found = predictions_of(radiographs(3), np.arange(3), {}, [""] * 3, np.full((3, 2), 0.5), latents)
    np.testing.assert_array_equal(np.stack(found.table["latent"].to_list()), latents.astype(np.float32))
    assert "latent" not in made(3).table


def test_rows_choose_samples() -> None:
    found = predictions_of(radiographs(5), np.array([3, 1]), {}, ["", ""], np.full((2, 2), 0.5))
    assert found.table["sample_id"].tolist() == ["s003", "s001"]


@pytest.mark.parametrize(
    ("values", "failed", "truth"),
    [
        ({"psnr": np.zeros(2)}, [""] * 3, np.full((3, 2), 0.5)),
        ({"mse": np.zeros(3)}, [""] * 3, np.full((3, 2), 0.5)),
        ({}, [""] * 2, np.full((3, 2), 0.5)),
        ({}, [""] * 3, np.full((3, 3), 0.5)),
        ({}, [""] * 3, np.full((3, 2), np.nan)),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, np.ndarray], failed: list[str], truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"fit|truth"):
        predictions_of(radiographs(3), np.arange(3), values, failed, truth)


def test_mean_and_sd_are_numpy_s_and_do_not_depend_on_the_batch() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 33, 20)).astype(np.uint8)
    found = grey_mean_and_sd(pixels)
    flat = pixels.reshape(7, -1) / 255
    np.testing.assert_allclose(found, np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1), rtol=1e-13)
    assert np.array_equal(found[3:4], grey_mean_and_sd(pixels[3:4]))
    assert grey_mean_and_sd(np.full((1, 4, 4), 51, dtype=np.uint8)).tolist() == [[0.2, 0.0]]


def test_pairs_keep_only_values_that_both_have() -> None:
    a, b = made(4, 0, failed=[0]), made(4, 1, ssim=np.array([0.9, np.nan, 0.9, 0.9]))
    a, b = pair_images(a, b)
    for each in (a, b):
        assert np.isnan(values_per_image(each)["psnr"]).tolist() == [True, False, False, False]
        assert np.isnan(values_per_image(each)["ssim"]).tolist() == [True, True, False, False]


def test_other_true_images_are_refused() -> None:
    a, b = made(4, 0), made(4, 1)
    moved = b.table.assign(truth=[row + 1e-6 for row in b.table["truth"]])
    with pytest.raises(RefusedError, match="disagree on the truth"):
        pair_images(a, Predictions(moved, b.labels, b.exclusive))


def test_predictions_of_another_kind_are_refused() -> None:
    a = made(4)
    other = Predictions(a.table.drop(columns="failed"), a.labels, a.exclusive)
    with pytest.raises(RefusedError, match="different tasks"):
        pair_images(a, other)
