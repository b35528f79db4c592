"""Frozen features: every image passes the encoder once, for all fractions and replicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..foundation.files import sha256_of_json

if TYPE_CHECKING:
    from ..data.images import Images
    from ..pretrain.encoder import Encoder
    from .classification.settings import FeatureSettings
    from .task import Context


def encode(encoder: Encoder, images: Images, settings: FeatureSettings, context: Context) -> np.ndarray:
    """Pooled features of all `images`, float32 [N, D], row i belonging to row i of the samples.

    They are cached by everything that decides them: weights, architecture, normalisation, images (content,
    preprocessing, size), precision and the library's version. A killed pass goes on where it stopped.

    Raises UserError where a feature is not finite.
    """
    import torch

    from ..data.resumable_array import fill
    from ..foundation.errors import UserError
    from ..training.device import autocast, channels_last, resolve_device, resolve_precision

    device = resolve_device("auto")
    precision = resolve_precision(settings.precision)
    network = channels_last(encoder).eval().to(device)
    key = sha256_of_json(
        {
            "weights": encoder.meta.sha256,
            "arch": encoder.meta.arch,
            "channels": encoder.meta.channels,
            "mean": list(encoder.meta.mean),
            "std": list(encoder.meta.std),
            "images": images.key,
            "precision": precision,
            "batch_size": settings.batch_size,
            "torch": torch.__version__,
        }
    )

    def compute(rows: slice) -> np.ndarray:
        pixels = torch.from_numpy(np.array(images.pixels[rows])).unsqueeze(1).to(device)
        batch = (pixels.float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(device, precision):
            features = network(batch).float()
        if not torch.isfinite(features).all():
            first = images.radiographs.samples["sample_id"].iloc[rows.start]
            raise UserError(
                f"encoder {encoder.meta.name}: features are not finite in the batch that begins with {first}; "
                "try --set features.precision=float32, or check the weights"
            )
        return features.cpu().numpy()

    return fill(
        context.cache / "features" / key[:32],
        shape=(len(images.radiographs), encoder.meta.dim),
        dtype=np.float32,
        chunk=settings.batch_size,
        compute=compute,
        workers=1,
        title=f"features of {encoder.meta.name}",
        progress=context.progress,
    )
