"""Means over images, blanks, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

from cxrbench.tasks.image_pairs.metrics import METRICS, about_metric
from cxrbench.tasks.image_pairs.scores import notes_of, score_images
from tests.tasks.image_pairs.examples import made


def test_means_leave_out_what_failed_and_what_is_not_finite() -> None:
    found = made(5, failed=[4], psnr=np.array([30.0, np.inf, 34.0, np.nan, 99.0]), rmse=np.array([1.0, 2, 3, 6, 99]))
    scores = score_images(found)
    assert scores["psnr"] == 32.0
    assert scores["rmse"] == 3.0
    assert scores["lpips"] is None
    assert list(scores) == list(METRICS) == ["psnr", "ssim", "rmse", "lpips"]


def test_notes_say_what_is_left_out() -> None:
    failed, infinite, lpips = notes_of(made(5, failed=[4, 1], psnr=np.array([30.0, 31, np.inf, 33, 34])))
    assert failed == "2 of 5 images failed and are left out of all means (not a number)"
    assert infinite == "psnr is not finite for 1 of 5 images, which its mean leaves out"
    assert lpips.startswith("lpips is unavailable")
    assert notes_of(made(5, lpips=np.full(5, 0.1))) == ()


def test_metrics_without_any_value_are_undefined() -> None:
    found = made(3, failed=[0, 1, 2])
    assert set(score_images(found).values()) == {None}
    assert notes_of(found)[-1] == "undefined (no image has a value): psnr, ssim, rmse, lpips"


@pytest.mark.parametrize(("metric", "words"), [("psnr", "dB"), ("rmse", "grey levels"), ("ssim", "1.5"), ("dice", "")])
def test_readers_are_told_the_scale(metric: str, words: str) -> None:
    assert words in about_metric(metric)
    assert bool(about_metric(metric)) is (metric in METRICS)


def test_errors_and_distances_fall() -> None:
    assert METRICS == {"psnr": True, "ssim": True, "rmse": False, "lpips": False}
