"""Batches of grey images for training a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...training.data_loader import BatchLoader
from ..running.pixels import pixels_of

if TYPE_CHECKING:
    from ...data.images import Images


@dataclass(frozen=True)
class GreyBatch:
    """Makes a batch of the images of several caches, under one numbering."""

    parts: tuple[Images, ...]

    def __call__(self, rows: np.ndarray, generator: np.random.Generator) -> Tensor:
        """Images [B, 1, S, S] in [0, 1], float32."""
        return grey(pixels_of(self.parts, rows))


def image_batches(parts: Sequence[Images], batch_size: int, seed: int) -> BatchLoader:
    """Every image once an epoch, in batches of `batch_size`; what is left over waits for another epoch."""
    n = sum(len(each) for each in parts)
    return BatchLoader(GreyBatch(tuple(parts)), n, batch_size, seed, exact=True)


def grey(pixels: np.ndarray) -> Tensor:
    """uint8 [B, S, S] -> float32 [B, 1, S, S] in [0, 1]."""
    return torch.from_numpy(pixels)[:, None].float() / 255
