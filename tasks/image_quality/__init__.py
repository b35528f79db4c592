"""How close made images are to true ones, and how alike two sets of images are: PSNR, SSIM, RMSE, LPIPS, features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.handing_on import lazily

if TYPE_CHECKING:
    from .feature_vectors import features_of
    from .inception import FidInception
    from .inception_file import InceptionSettings, inception_identity, load_inception
    from .lpips import Lpips
    from .lpips_files import LpipsSettings, load_lpips, lpips_identity
    from .pixel_errors import psnr, rmse
    from .structural_similarity import ssim

__all__ = [
    "FidInception",
    "InceptionSettings",
    "Lpips",
    "LpipsSettings",
    "features_of",
    "inception_identity",
    "load_inception",
    "load_lpips",
    "lpips_identity",
    "psnr",
    "rmse",
    "ssim",
]

# Name -> module; looked up on use, because most of them import torch.
_HOMES = {
    "FidInception": "inception",
    "InceptionSettings": "inception_file",
    "Lpips": "lpips",
    "LpipsSettings": "lpips_files",
    "features_of": "feature_vectors",
    "inception_identity": "inception_file",
    "load_inception": "inception_file",
    "load_lpips": "lpips_files",
    "lpips_identity": "lpips_files",
    "psnr": "pixel_errors",
    "rmse": "pixel_errors",
    "ssim": "structural_similarity",
}

__getattr__ = lazily(__name__, _HOMES)
