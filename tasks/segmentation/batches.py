"""Batches of a segmentation training: images and their masks, augmented alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..network_input import as_input
from .augmentation import affine

if TYPE_CHECKING:
    from ...data.images import Images
    from .settings import SegmentationSettings
    from .targets import TrueMasks


class TrainingImages:
    """Makes training batches: pixels and masks, augmented alike."""

    def __init__(self, images: Images, rows: np.ndarray, masks: TrueMasks, settings: SegmentationSettings):
        self._images, self._rows = images, rows
        self._augmented = settings.augmentation == "affine"
        marked = np.flatnonzero(masks.positive[rows])
        # Place of each row's mask among those that are not empty; the last one is empty.
        self._place = np.full(len(rows), len(marked))
        self._place[marked] = np.arange(len(marked))
        size = images.size
        self._squares = np.concatenate([masks.squares(rows[marked], size), np.zeros((1, size, size), dtype=np.uint8)])

    def prepare(self, places: np.ndarray, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The batch of `places` [B] into `rows`: float32 [B, 1, S, S] in [0, 1], and uint8 masks [B, 1, S, S]."""
        pixels, squares = self._images.batch(self._rows[places]), self._squares[self._place[places]]
        if self._augmented:
            pixels, squares = affine(pixels, squares, generator)
        return as_input(pixels), torch.from_numpy(squares).unsqueeze(1)
