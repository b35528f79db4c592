"""SSIM and PSNR of many images against scikit-image, in one thread and in two."""

from __future__ import annotations

import argparse

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from timing import in_turn, report, verdict

from cxrbench.tasks.image_quality import psnr, ssim

TARGET = 5
SSIM_OF_THE_PAPERS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}


def pairs(n: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth images, and the same with noise."""
    rng = np.random.default_rng(0)
    a = gaussian_filter(rng.random((n, size, size), dtype=np.float32), (0, 4, 4))
    a = (a - a.min()) / (a.max() - a.min())
    b = np.clip(a + rng.normal(0, 0.02, a.shape), 0, 1).astype(np.float32)
    return torch.from_numpy(a)[:, None], torch.from_numpy(b)[:, None]


def of_scikit_image(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    """SSIM and PSNR [2, N], image after image, as scikit-image takes them."""
    rows = list(zip(a[:, 0].numpy(), b[:, 0].numpy(), strict=True))
    similarity = [structural_similarity(x, y, **SSIM_OF_THE_PAPERS) for x, y in rows]
    return np.array([similarity, [peak_signal_noise_ratio(x, y, data_range=1) for x, y in rows]])


def ours(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    return torch.stack([ssim(a, b), psnr(a, b)]).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", type=int, default=256, help="side in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    a, b = pairs(given.images, given.size)
    apart = np.abs(ours(a[:50], b[:50]) - of_scikit_image(a[:50], b[:50])).max(axis=1)
    print(f"largest difference from scikit-image: SSIM {apart[0]:.2g}, PSNR {apart[1]:.2g} dB")

    def in_threads(threads: int) -> None:
        torch.set_num_threads(threads)
        ours(a, b)

    ways = {
        "scikit-image": lambda: of_scikit_image(a, b),
        "cxrbench, one thread": lambda: in_threads(1),
        "cxrbench, two threads": lambda: in_threads(2),
    }
    medians = report(
        f"SSIM and PSNR of {given.images} images of {given.size} px, float32",
        in_turn(ways, given.rounds),
        per=given.images / 1000,
        unit="ms an image",
    )
    for way in list(ways)[1:]:
        verdict(f"{way}, times as fast", medians["scikit-image"] / medians[way], TARGET, at_least=True)


if __name__ == "__main__":
    main()
