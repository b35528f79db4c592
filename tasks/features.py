"""Frozen features: every image passes the encoder once, for all fractions and replicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_json
from ..foundation.registry import included_code
from ..foundation.settings import Settings

if TYPE_CHECKING:
    from ..data.images import Images
    from ..pretrain.encoder import Encoder
    from ..training.device import Device, Precision
    from .task import Context


class FeatureSettings(Settings):
    """How frozen features are computed.

    Attributes:
        precision: auto takes bf16 where the hardware is quick at it, else float32.
        batch_size: images a forward pass.
        storage: how they are kept; float16 takes half the room, and gives way to float32 for an encoder whose
            features it would not hold (see `feature_storage`).
    """

    precision: Literal["auto", "float32", "bf16"] = "auto"
    batch_size: int = Field(default=64, ge=1)
    storage: Literal["float16", "float32"] = "float16"


def encode(encoder: Encoder, images: Images, settings: FeatureSettings, context: Context) -> np.ndarray:
    """Pooled features of all `images`, float32 [N, D], row i belonging to row i of the samples.

    They are cached by everything that decides them: weights, architecture, normalisation, images (content,
    preprocessing, size), precision, storage and the library's version. A killed pass goes on where it stopped.

    Raises UserError where a feature is not finite.
    """
    from ..data.resumable_array import discard

    passing = _Pass(encoder, images, settings, context)
    stored = None
    # Where float16 did not fit once, what took its place is there.
    if settings.storage == "float16" and not passing.folder("float32").exists():
        try:
            stored = passing.fill("float16")
        except _CoarseError:
            context.progress.say(f"features of {encoder.meta.name} do not fit float16; keeping them as float32")
            discard(passing.folder("float16"))
    if stored is None:
        stored = passing.fill("float32")
    # The cache keeps the order of the image cache, so that a table in another row order finds it too.
    return stored[images.order].astype(np.float32, copy=False)


class _CoarseError(Exception):
    """Rounding to float16 would take more of the features than a probe can overlook."""


class _Pass:
    """One encoder over all images of a dataset."""

    def __init__(self, encoder: Encoder, images: Images, settings: FeatureSettings, context: Context):
        import torch

        from ..training.device import channels_last, resolve_device, resolve_precision

        self._encoder, self._images, self._settings, self._context = encoder, images, settings, context
        self._device: Device = resolve_device()
        self._precision: Precision = resolve_precision(settings.precision, self._device)
        self._network = channels_last(encoder).eval().to(self._device)
        self._decided_by: dict[str, Any] = {
            "weights": encoder.meta.sha256,
            "arch": encoder.meta.arch,
            "mean": list(encoder.meta.mean),
            "std": list(encoder.meta.std),
            "images": images.key,
            "code": included_code(encoder.network),
            "precision": self._precision,
            "device": self._device,
            "batch_size": settings.batch_size,
            "storage": settings.storage,
            "torch": torch.__version__,
        }

    def folder(self, dtype: str) -> Path:
        """Where the features lie that are kept as `dtype`."""
        key = sha256_of_json({**self._decided_by, "dtype": dtype})
        return self._context.cache / "features" / key[:32]

    def fill(self, dtype: str) -> np.ndarray:
        """The features in the order of the image cache, from the cache or computed now."""
        from ..data.resumable_array import fill

        meta = self._encoder.meta
        stored = fill(
            self.folder(dtype),
            (len(self._images), meta.dim),
            np.dtype(dtype),
            self._settings.batch_size,
            partial(self._produce, dtype),
            title=f"features of {meta.name}",
            progress=self._context.progress,
            about={
                "encoder": meta.name,
                "dataset": self._images.radiographs.dataset,
                "images": len(self._images),
                "pixels": self._images.size,
                "features": meta.dim,
                "precision": self._precision,
                "dtype": dtype,
            },
        )
        if stored is None:
            raise RuntimeError("the feature pass ended early")
        return stored

    def _produce(self, dtype: str, missing: Sequence[slice]) -> Iterator[np.ndarray]:
        import torch

        from ..training.device import autocast, images_channels_last
        from .feature_storage import fits_float16

        for rows in missing:
            pixels = torch.from_numpy(np.array(self._images.stored[rows])).to(self._device).unsqueeze(1)
            with torch.inference_mode(), autocast(self._device, self._precision):
                features = self._network(images_channels_last(pixels.float() / 255)).float()
            if not torch.isfinite(features).all():
                raise UserError(
                    f"encoder {self._encoder.meta.name}: its features are not finite; check the weights, "
                    "or try --set features.precision=float32"
                )
            values = features.cpu().numpy()
            if dtype == "float16" and not fits_float16(values):
                raise _CoarseError
            yield values.astype(dtype, copy=False)
