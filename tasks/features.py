"""Frozen features: every image passes the encoder once, for all fractions and replicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_json
from ..foundation.registry import included_code
from ..foundation.settings import Settings

if TYPE_CHECKING:
    from ..data.images import Images
    from ..pretrain.encoder import Encoder
    from .task import Context


class FeatureSettings(Settings):
    """How frozen features are computed.

    Attributes:
        precision: auto takes bf16 where the hardware is quick at it, else float32.
        batch_size: images a forward pass.
    """

    precision: Literal["auto", "float32", "bf16"] = "auto"
    batch_size: int = Field(default=64, ge=1)


def encode(encoder: Encoder, images: Images, settings: FeatureSettings, context: Context) -> np.ndarray:
    """Pooled features of all `images`, float32 [N, D], row i belonging to row i of the samples.

    They are cached by everything that decides them: weights, architecture, normalisation, images (content,
    preprocessing, size), precision and the library's version. A killed pass goes on where it stopped.

    Raises UserError where a feature is not finite.
    """
    import torch

    from ..data.resumable_array import fill
    from ..training.device import autocast, channels_last, images_channels_last, resolve_device, resolve_precision

    device = resolve_device()
    precision = resolve_precision(settings.precision, device)
    network = channels_last(encoder).eval().to(device)
    key = sha256_of_json(
        {
            "weights": encoder.meta.sha256,
            "arch": encoder.meta.arch,
            "mean": list(encoder.meta.mean),
            "std": list(encoder.meta.std),
            "images": images.key,
            "code": included_code(encoder.network),
            "precision": precision,
            "device": device,
            "batch_size": settings.batch_size,
            "torch": torch.__version__,
        }
    )

    def produce(missing: Sequence[slice]) -> Iterator[np.ndarray]:
        for rows in missing:
            pixels = torch.from_numpy(np.array(images.stored[rows])).to(device).unsqueeze(1)
            with torch.inference_mode(), autocast(device, precision):
                features = network(images_channels_last(pixels.float() / 255)).float()
            if not torch.isfinite(features).all():
                raise UserError(
                    f"encoder {encoder.meta.name}: its features are not finite; check the weights, "
                    "or try --set features.precision=float32"
                )
            yield features.cpu().numpy()

    stored = fill(
        context.cache / "features" / key[:32],
        (len(images), encoder.meta.dim),
        np.float32,
        settings.batch_size,
        produce,
        title=f"features of {encoder.meta.name}",
        progress=context.progress,
    )
    if stored is None:
        raise RuntimeError("the feature pass ended early")
    # The cache keeps the order of the image cache, so that a table in another row order finds it too.
    return stored[images.order]
