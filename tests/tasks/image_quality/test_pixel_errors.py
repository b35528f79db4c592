from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from cxrbench.tasks.image_quality import psnr, rmse

from .weights import images


def test_psnr_is_that_of_scikit_image() -> None:
    a, b = images(5, 33, 0), images(5, 33, 1)
    rows = zip(a[:, 0].numpy(), b[:, 0].numpy(), strict=True)
    wanted = [peak_signal_noise_ratio(x, y, data_range=1) for x, y in rows]
    found = psnr(a, b)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)
    assert psnr(a[:, 0].double(), b[:, 0].double()).tolist() == pytest.approx(found.tolist(), abs=1e-6)


def test_error_of_one_grey_level_is_one_and_48_decibels() -> None:
    a = torch.full((2, 1, 8, 8), 0.5, dtype=torch.float64)
    assert rmse(a, a + 1 / 255).tolist() == pytest.approx([1.0, 1.0], abs=1e-12)
    assert psnr(a, a + 1 / 255).tolist() == pytest.approx([20 * np.log10(255)] * 2, abs=1e-10)


def test_both_fit_together_as_printed_by_chess() -> None:
    a = torch.full((1, 16, 16), 0.25, dtype=torch.float64)
    b = a + 3.301 / 255
    assert rmse(a, b).item() == pytest.approx(3.301)
    # Means of ratios are not the ratio of means: 37.77 is printed.
    assert psnr(a, b).item() == pytest.approx(37.77, abs=0.02)


def test_equal_images_are_at_infinite_decibels() -> None:
    a = images(2, 12)
    assert psnr(a, a).tolist() == [float("inf")] * 2
    assert rmse(a, a).tolist() == [0.0, 0.0]


def test_no_image_depends_on_the_others() -> None:
    a, b = images(7, 200, 0), images(7, 200, 1)
    together = psnr(a, b)
    assert [psnr(a[i : i + 1], b[i : i + 1]).item() for i in range(7)] == together.tolist()


def test_images_in_half_precision_are_taken() -> None:
    a = images(2, 12).half()
    assert psnr(a, a.float().clamp(0, 0.5).half()).isfinite().all()


def test_no_images_give_no_numbers() -> None:
    nothing = torch.empty(0, 1, 16, 16)
    assert psnr(nothing, nothing).shape == (0,)
    assert rmse(nothing, nothing).shape == (0,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a[:1], "differ in shape"),
        (lambda a: a * 1.01 + 0.1, r"image \d holds .* images"),
        (lambda a: a - 0.5, "must lie in"),
        (lambda a: a.index_fill(0, torch.tensor([1]), float("nan")), r"image 1 holds NaN \(1 of 3 images\)"),
        (lambda a: a.expand(3, 3, 8, 8), "differ in shape"),
    ],
)
def test_bad_images_are_refused(change, words: str) -> None:
    a = images(3, 8)
    for metric in (psnr, rmse):
        with pytest.raises(ValueError, match=words):
            metric(a, change(a))


def test_whole_numbers_colours_and_images_without_pixels_are_refused() -> None:
    for bad in (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 0, 8)):
        with pytest.raises(ValueError, match="grey images as floats"):
            psnr(bad, bad)
