"""Probabilities of a segmentation network in the pixels of the original images, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn

from ...data.run_lengths import counts_of, counts_to_text
from ...foundation.errors import UserError
from ...training.device import Device, Precision
from ..network_input import as_input, asking
from .levels import LEVELS, LevelCounts, count_levels, enlarged

if TYPE_CHECKING:
    from ...data.images import Images
    from .targets import TrueMasks

T = TypeVar("T")
# Threads that count pixels; more do not help one network.
MOST_WORKERS = 8


@dataclass(frozen=True)
class Predictor:
    """Probabilities of rows of `images` in their original pixels, by any network; picklable for several devices."""

    images: Images
    masks: TrueMasks
    device: Device
    precision: Precision
    batch_size: int

    def count(self, network: nn.Module, rows: np.ndarray) -> LevelCounts:
        """Pixels of each row at each level of probability."""

        def counted(row: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return count_levels(pixels, self.masks.counts[row])

        found = list(self._each(network, rows, counted))
        return LevelCounts(*(np.array(each).reshape(len(rows), LEVELS + 1) for each in zip(*found, strict=True)))

    def decide(self, network: nn.Module, rows: np.ndarray, threshold: float) -> tuple[list[str], np.ndarray]:
        """Masks of the pixels at `threshold` or above, as COCO's counts in text, and each image's largest
        probability."""

        def decided(row: int, pixels: np.ndarray) -> tuple[str, float]:
            # Axes of `pixels` are swapped; swapped back, the counts go down the columns.
            return counts_to_text(counts_of((pixels >= threshold).T)), float(pixels.max())

        found = list(self._each(network, rows, decided))
        return [text for text, _ in found], np.array([score for _, score in found])

    def _each(self, network: nn.Module, rows: np.ndarray, work: Callable[[int, np.ndarray], T]) -> Iterator[T]:
        """What `work` makes of each row and its enlarged probabilities."""

        def enlarge_and_work(row: int, probabilities: np.ndarray) -> T:
            return work(row, enlarged(probabilities, *self.masks.sizes[row].tolist()))

        with ThreadPoolExecutor(min(torch.get_num_threads(), MOST_WORKERS)) as pool:
            for first in range(0, len(rows), self.batch_size):
                part = rows[first : first + self.batch_size]
                yield from pool.map(enlarge_and_work, part.tolist(), self._probabilities(network, part))

    def _probabilities(self, network: nn.Module, rows: np.ndarray) -> np.ndarray:
        """Float32 [len(rows), S, S]. Raises NotNumbersError."""
        with asking(network, self.device, self.precision):
            logits = network(as_input(self.images.batch(rows)).to(self.device))
            found = logits.float().sigmoid()[:, 0].cpu().numpy()
        if not np.isfinite(found).all():
            raise NotNumbersError("the network's outputs are not numbers; lower training.lr or set training.clip=1")
        return found


@dataclass(frozen=True)
class Validation:
    """What chooses the epoch: `balanced_dice`, the mean of `dice` and `dice_positive`, in pixels as in the test.

    `dice` is the mean over images by the rule of the challenge at the threshold that is best for it; alone it would
    stand still at the share of negatives, and patience would end, as long as a network does best by marking nothing.
    `dice_positive` is the mean over the images with a mask, at the threshold that is best for those.
    """

    predict: Predictor
    rows: np.ndarray

    def __call__(self, network: nn.Module) -> dict[str, float]:
        try:
            counted = self.predict.count(network, self.rows)
        except NotNumbersError:
            # No epoch to choose; the next loss says what is wrong.
            return {"balanced_dice": math.nan}
        values = counted.dice()
        dice = float(values.mean(axis=0).max())
        dice_positive = float(values[counted.inside.any(axis=1)].mean(axis=0).max())
        return {
            "balanced_dice": (dice + dice_positive) / 2,
            "dice": dice,
            "dice_positive": dice_positive,
            "threshold": counted.best_threshold(),
        }


class NotNumbersError(UserError):
    """The network's outputs are NaN or infinite."""
