"""The metrics of images held against true ones, and what a reader must know of each."""

from __future__ import annotations

# name -> whether higher is better.
METRICS = {"psnr": True, "ssim": True, "rmse": False, "lpips": False}

_ABOUT = {
    "psnr": "in dB, mean of the images' own values; images that are equal to the true one are left out (infinite)",
    "ssim": "mean over images; Gaussian window of 11 pixels, sigma 1.5, data range 1, no sample covariance",
    "rmse": "in grey levels of 8-bit images (0 to 255), mean of the images' own values",
    "lpips": "mean over images; with the weights that the settings name",
}


def about_metric(metric: str) -> str:
    """What a reader of a table must know about a metric beside its name."""
    return _ABOUT.get(metric, "")
