"""The true masks of a dataset, as run lengths and as squares of the network's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...data.run_lengths import counts_from_text
from ...foundation.errors import UserError

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs


@dataclass(frozen=True)
class TrueMasks:
    """Masks of N samples in the pixels of their images.

    Attributes:
        counts: COCO's counts of each sample's mask, int64; one count where it is empty.
        sizes: height and width of each image, int64 [N, 2].
    """

    counts: tuple[np.ndarray, ...]
    sizes: np.ndarray

    @property
    def positive(self) -> np.ndarray:
        """Which masks have a pixel, bool [N]."""
        return np.array([len(each) > 1 for each in self.counts], dtype=bool)

    def squares(self, rows: np.ndarray, size: int) -> np.ndarray:
        """uint8 [len(rows), size, size]: how much of each pixel the mask covers, 255 being all of it."""
        found = np.zeros((len(rows), size, size), dtype=np.uint8)
        for number, row in enumerate(rows):
            if len(self.counts[row]) > 1:
                height, width = self.sizes[row].tolist()
                found[number] = _square(self.counts[row], height, width, size)
        return found


def true_masks(radiographs: Radiographs, label: str, sizes: np.ndarray) -> TrueMasks:
    """The masks of `label`; empty ones where it is 0.

    Args:
        radiographs: N samples whose label is 0 or 1.
        label: whose masks.
        sizes: height and width of each image, int64 [N, 2].

    Raises:
        UserError: a mask of another size than its image, a sample whose label is 1 without a mask, or with two.
    """
    ids = radiographs.samples["sample_id"].to_numpy()
    counts = [np.array([pixels], dtype=np.int64) for pixels in sizes.prod(axis=1)]
    assert radiographs.masks is not None
    masks = radiographs.masks[radiographs.masks["label"] == label]
    twice = masks["sample_id"][masks["sample_id"].duplicated()]
    if len(twice):
        raise UserError(f"{radiographs.dataset}: {twice.iloc[0]} has two masks of {label}; join them to one")
    row_of = dict(zip(ids, range(len(ids)), strict=True))
    columns = (masks[name].tolist() for name in ("sample_id", "height", "width", "counts"))
    for name, height, width, text in zip(*columns, strict=True):
        row = row_of[name]
        if (height, width) != tuple(sizes[row]):
            raise UserError(
                f"{radiographs.dataset}: the mask of {name} has {height} x {width} pixels (height x width), its image "
                f"{sizes[row, 0]} x {sizes[row, 1]}; give the image that the mask was drawn on, or leave both away"
            )
        found = counts_from_text(text)
        if found.sum() != height * width:
            raise UserError(
                f"{radiographs.dataset}: the run lengths of {name} add up to {found.sum()}, not to {height} x {width}"
            )
        counts[row] = found if found[1::2].any() else counts[row]
    present = radiographs.samples[label].to_numpy() == 1
    bare = ids[present & np.array([len(each) < 2 for each in counts], dtype=bool)]
    if len(bare):
        raise UserError(
            f"{radiographs.dataset}: {len(bare)} samples have {label} and no mask ({', '.join(bare[:3])}); "
            "give their masks, or leave them away"
        )
    return TrueMasks(tuple(counts), sizes)


def _square(counts: np.ndarray, height: int, width: int, size: int) -> np.ndarray:
    """The mask as uint8 [size, size], each pixel the share of it that the mask covers."""
    values = (np.arange(len(counts)) % 2 * 255).astype(np.uint8)
    # Runs go down the columns: written row by row they are the mask with its axes swapped.
    mask = np.repeat(values, counts).reshape(width, height)
    least = (min(height, size), min(width, size))
    if least != (height, width):
        mask = cv2.resize(mask, least, interpolation=cv2.INTER_AREA)
    if least != (size, size):
        mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR)
    return mask.T
