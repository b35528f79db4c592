"""Feature vectors of images, for distances between sets of images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ...foundation.errors import UserError
from .grey_images import grey_images


def features_of(net: nn.Module, images: Tensor, batch_size: int = 64, device: str | torch.device = "cpu") -> np.ndarray:
    """Features float32 [N, D] of images, one pass in eval mode without gradients.

    Args:
        net: images [B, 1, H, W] in [0, 1] -> features [B, D]: an `Encoder` (pooled features), or `FidInception`. It is
            moved to `device`, and left in the mode it was in.
        images: floats [N, 1, H, W] or [N, H, W] in [0, 1].
        batch_size: images at a time.
        device: where to compute.

    Raises ValueError for other images, NaN, values outside [0, 1] and no image; UserError for features that are not
    finite.
    """
    images = grey_images(images)
    if not len(images):
        raise ValueError("no images to take features of")
    net, training = net.to(device), net.training
    net.eval()
    try:
        with torch.inference_mode():
            parts = [net(batch[:, None].to(device, torch.float32)).float().cpu() for batch in images.split(batch_size)]
    finally:
        net.train(training)
    features = torch.cat(parts).numpy()
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise UserError(
            f"features of {len(bad)} of {len(features)} images are not finite numbers; take another network"
        )
    return features
