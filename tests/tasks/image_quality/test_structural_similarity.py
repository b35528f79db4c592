from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from cxrbench.tasks.image_quality import ssim
from cxrbench.tasks.image_quality.structural_similarity import _gaussian, _of_batch

from .weights import images


def smooth_pairs(n: int, height: int, width: int, noise: float = 0.02, dtype=np.float64) -> tuple[torch.Tensor, ...]:
    rng = np.random.default_rng(0)
    a = gaussian_filter(rng.random((n, height, width)), (0, 3, 3))
    a = (a - a.min()) / (a.max() - a.min())
    b = np.clip(a + rng.normal(0, noise, a.shape), 0, 1)
    return torch.tensor(a.astype(dtype)), torch.tensor(b.astype(dtype))


def of_scikit_image(a: torch.Tensor, b: torch.Tensor) -> list[float]:
    options: dict[str, Any] = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 1,
    }
    rows = zip(a.double().numpy(), b.double().numpy(), strict=True)
    return [float(np.asarray(structural_similarity(x, y, **options))) for x, y in rows]


@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 40), (64, 64), (101, 57)])
@pytest.mark.parametrize("noise", [0.3, 0.02, 1e-4])
def test_is_that_of_scikit_image(height: int, width: int, noise: float) -> None:
    a, b = smooth_pairs(3, height, width, noise)
    wanted = of_scikit_image(a, b)
    assert ssim(a, b).tolist() == pytest.approx(wanted, abs=1e-12)
    # Of numbers rounded to float32 the truth is that of the rounded numbers.
    a, b = a.float(), b.float()
    assert ssim(a[:, None], b[:, None]).tolist() == pytest.approx(of_scikit_image(a, b), abs=1e-6)


def test_flat_images_lose_no_digits_in_float32() -> None:
    rng = np.random.default_rng(1)
    for level in (0.02, 0.5, 0.95):
        a, b = (torch.tensor(level + rng.normal(0, 1e-3, (2, 50, 50)), dtype=torch.float32) for _ in range(2))
        assert ssim(a, b).tolist() == pytest.approx(of_scikit_image(a, b), abs=1e-5)


def test_the_way_of_a_gpu_is_the_same() -> None:
    a, b = smooth_pairs(3, 40, 31)
    assert _of_batch(a, b, _gaussian().tolist()).tolist() == pytest.approx(ssim(a, b).tolist(), abs=1e-12)


def test_equal_images_are_at_one_and_the_order_does_not_matter() -> None:
    a, b = images(3, 20, 0), images(3, 20, 1)
    assert ssim(a, a).tolist() == [1.0] * 3
    assert ssim(a, b).tolist() == pytest.approx(ssim(b, a).tolist(), abs=1e-7)
    # Negative images are as unlike as can be.
    assert (ssim(a, 1 - a) < -0.9).all()


def test_no_image_depends_on_the_others() -> None:
    a, b = images(4, 33, 0), images(4, 33, 1)
    assert [ssim(a[i : i + 1], b[i : i + 1]).item() for i in range(4)] == ssim(a, b).tolist()


def test_two_threads_give_the_same() -> None:
    a, b = images(9, 33, 0), images(9, 33, 1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = ssim(a, b)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(two, ssim(a, b))


def test_images_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="smaller than SSIM's window of 11"):
        ssim(images(2, 10), images(2, 10))


def test_nan_and_values_outside_are_refused() -> None:
    a = images(2, 12)
    for bad in (a * 255, a * float("nan")):
        with pytest.raises(ValueError, match="must lie in"):
            ssim(a, bad)


def test_no_images_give_no_numbers() -> None:
    assert ssim(images(0, 12), images(0, 12)).shape == (0,)
