"""Images and settings small enough for tests that train a generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxrbench.data.images import Images
from cxrbench.data.radiographs import Radiographs
from cxrbench.pretrain.generator.training_settings import AutoencoderSettings, GanSettings, training_settings

SHAPE = {
    "generator.z_dim": 8,
    "generator.w_dim": 8,
    "generator.mapping_layers": 2,
    "generator.channel_base": 128,
    "generator.channel_max": 8,
    "training.precision": "float32",
    "training.device": "cpu",
}
AUTOENCODER = {**SHAPE, "encoder_width": 2, "training.epochs": 2, "training.batch_size": 4}
GAN = {
    **SHAPE,
    "discriminator.channel_base": 128,
    "discriminator.channel_max": 8,
    "training.steps": 3,
    "training.batch_size": 4,
    "training.penalty_every": 2,
    "training.row_every": 2,
    "augmentation.probability": 0.5,
}


def autoencoder(**changes: object) -> AutoencoderSettings:
    found = training_settings("autoencoder", {**AUTOENCODER, **changes})
    assert isinstance(found, AutoencoderSettings)
    return found


def gan(**changes: object) -> GanSettings:
    found = training_settings("gan", {**GAN, **changes})
    assert isinstance(found, GanSettings)
    return found


def blobs(n: int = 24, size: int = 16, seed: int = 0) -> np.ndarray:
    """uint8 [n, size, size]: bright spots whose places and widths differ."""
    randomness = np.random.default_rng(seed)
    down, across = np.mgrid[:size, :size] / size
    x, y, width = randomness.uniform(0.2, 0.8, (3, n, 1, 1))
    return np.rint(255 * np.exp(-((down - y) ** 2 + (across - x) ** 2) / (0.1 * width + 0.02))).astype(np.uint8)


def as_images(pixels: np.ndarray) -> Images:
    """A cache of `pixels` in memory."""
    n, size = len(pixels), pixels.shape[1]
    names = [f"{number}.png" for number in range(n)]
    samples = pd.DataFrame({"sample_id": names, "path": names, "split": "train"})
    radiographs = Radiographs("blobs", Path(), samples, (), exclusive=False)
    return Images(radiographs, pixels, np.arange(n), Path(), "key", size, "default", "fingerprint")
