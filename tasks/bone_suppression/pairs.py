"""Films and their rib-free partners: checked, prepared alike, and as batches of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ...data.fingerprint import TARGETS
from ...data.image_sizes import image_sizes
from ...data.images import prepare_images
from ...foundation.errors import UserError
from ..affine_pairs import AffineRanges, affine_pairs
from ..network_input import as_input

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ..task import Context

# Raised whenever the same draws would change a pair in another way.
AUGMENTATION_VERSION = 1
# Chests are not symmetric: nothing is mirrored.
RANGES = AffineRanges(flipped=0.0, shift=0.04, scale=0.05, degrees=4.0)
_SHOWN = 3
# Pairs that are looked at for their scale of grey, and the brightest pixel of one that uses its scale, of 255.
_LOOKED_AT = 32
_LEAST_BRIGHTEST = 64
# Correlation of the pixels of films and targets, below whose negative they are negatives.
_OPPOSITE = 0.5


@dataclass(frozen=True)
class Pairs:
    """Films and targets, row by row, with one scale of grey."""

    films: Images
    targets: Images

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Films and targets uint8 [B, S, S] of the given rows."""
        return self.films.batch(rows), self.targets.batch(rows)


@dataclass(frozen=True)
class TrainingPairs:
    """Makes training batches: films and targets, augmented alike."""

    pairs: Pairs
    rows: np.ndarray
    augmented: bool

    def prepare(self, places: np.ndarray, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The batch of `places` [B] into `rows`: films and targets, float32 [B, 1, S, S] in [0, 1]."""
        films, targets = self.pairs.batch(self.rows[places])
        if self.augmented:
            films, targets = affine_pairs(films, targets, generator, RANGES)
        return as_input(films), as_input(targets)


def require_targets(radiographs: Radiographs, task: str) -> None:
    """Raise UserError where `radiographs` are no pairs, or where one of them has no partner."""
    if TARGETS not in radiographs.samples:
        raise UserError(f"{task}: {radiographs.dataset} has no target images; take a dataset of pairs (bse_jsrt)")
    names = radiographs.samples[TARGETS]
    alone = radiographs.samples["sample_id"][(names.isna() | (names == "")).to_numpy()]
    if len(alone):
        raise UserError(
            f"{radiographs.dataset}: {len(alone)} of {len(names)} films have no partner "
            f"({', '.join(alone[:_SHOWN])}); complete the copy"
        )


def prepare_pairs(films: Images, context: Context) -> Pairs:
    """Films with their targets prepared as they were.

    Raises UserError where the two of a pair differ in size, where 16-bit files use a small part of their range, of
    which 8 bits would keep next to nothing, and where films and targets are negatives of each other.
    """
    radiographs = films.radiographs
    of_films, of_targets = (
        image_sizes(radiographs, context.cache, context.progress, column=column) for column in ("path", TARGETS)
    )
    differ = np.flatnonzero((of_films != of_targets).any(axis=1))
    if len(differ):
        row = differ[0]
        size, other = (f"{width} x {height}" for height, width in (of_films[row], of_targets[row]))
        sample = radiographs.samples.iloc[row]
        raise UserError(
            f"{radiographs.root / sample['path']}: {size} pixels, but {sample[TARGETS]} has {other} ({len(differ)} of "
            f"{len(films)} pairs differ); the two of a pair must fit pixel by pixel"
        )
    targets = prepare_images(
        radiographs, films.size, films.preset, cache=context.cache, progress=context.progress, column=TARGETS
    )
    pairs = Pairs(films, targets)
    _check_scale(pairs)
    return pairs


def _check_scale(pairs: Pairs) -> None:
    radiographs = pairs.films.radiographs
    rows = np.unique(np.linspace(0, len(radiographs) - 1, _LOOKED_AT).astype(np.int64))
    looked_at = {"films": pairs.films.batch(rows), "targets": pairs.targets.batch(rows)}
    for what, images in looked_at.items():
        brightest = float(np.median(images.max(axis=(1, 2))))
        if brightest < _LEAST_BRIGHTEST:
            raise UserError(
                f"{radiographs.dataset}: the {what} reach {brightest:.0f} of 255 grey levels; files of 16 bits that "
                "hold 12 or fewer must be spread over all 16, film and target by one factor, or written in 8"
            )
    films, targets = (images - images.mean(axis=(1, 2), keepdims=True) for images in looked_at.values())
    if (films * targets).sum() < -_OPPOSITE * np.sqrt(np.square(films).sum() * np.square(targets).sum()):
        raise UserError(
            f"{radiographs.dataset}: films and targets are negatives of each other; invert one of them, so that bright "
            "is dense in both"
        )
