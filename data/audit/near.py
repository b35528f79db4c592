"""Near-duplicates: one exposure stored twice, resized, re-encoded, windowed, stretched or slightly cropped."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ...foundation.progress import Progress, SilentProgress
from ..image_reading import read_with_padding
from ..parallel import cores, in_order
from .candidates import alike
from .descriptors import describe
from .pixels import THUMBNAIL, thumbnail
from .registration import Band, details, lay_over

# Candidates: descriptors at least so alike, and how many an image may have. Measured on 5,808 different paediatric
# radiographs: an image cropped by 3 % on every side has 0.71 or more with its original, and its original among
# its four most alike; two different children have 0.63 in the middle.
LEAST_LIKENESS = 0.68
MOST_CANDIDATES = 4
# Where images are so few, descriptors tell less of them apart, and all candidates can be looked at.
_FEW = 5000
_LEAST_LIKENESS_OF_FEW = 0.3

# Each stage sees only what the one before let through. Sides and widths in pixels.
_COARSE, _MIDDLE, _FINE = 32, THUMBNAIL, 96
_COARSE_BAND, _MIDDLE_BAND, _FINE_BAND = Band(0.7, 1.5, 1.5), Band(0.5, 2.0, 2.0), Band(1.0, 2.0, 4.0)
_COARSE_LEAST, _MIDDLE_LEAST = 0.86, 0.72
_COARSE_ROUNDS, _MIDDLE_ROUNDS, _FINE_ROUNDS = 3, 4, 4
_BATCH = 64

# Two exposures of one patient lie alike by chance up to 0.88 and never without a shift; what lies alike without any was
# stored twice, and then noise that a strong compression left or took may lower the correlation.
LEAST_SIMILARITY = 0.89
LEAST_SIMILARITY_UNMOVED = 0.78
_UNMOVED = 0.006


@dataclass(frozen=True)
class Pictures:
    """Different images of one side; only those that are looked at are in memory.

    Attributes:
        thumbnails: uint8 [F, 64, 64] of `pixels.thumbnail`, mapped into memory.
        rows: which of them, int64 [N].
        paths: the files of all F.
    """

    thumbnails: np.ndarray
    rows: np.ndarray
    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        return self.thumbnails[self.rows[which]]

    def path(self, number: int) -> Path:
        """The file of image `number`."""
        return self.paths[self.rows[number]]


def near_duplicates(one: Pictures, other: Pictures | None, progress: Progress | None = None) -> pd.DataFrame:
    """Pairs of images that show one exposure: `one`, `other` (row numbers) and `similarity`, 0.78 to 1.

    An index of descriptors proposes pairs; each is laid over one another at 32, 64 and, from the files, up to 96
    pixels a side, where small shifts and changes of scale are undone and fine details are correlated. What is anatomy
    does not count, because two images of one patient share it; what is one exposure does. Not found: mirrored,
    turned or inverted copies, and crops of more than about 5 % a side.

    Args:
        one: different images.
        other: those of the other side; None to compare `one` with itself.
    """
    progress = progress or SilentProgress()
    few = len(one) + (0 if other is None else len(other)) <= _FEW
    least = _LEAST_LIKENESS_OF_FEW if few else LEAST_LIKENESS
    if other is None:
        (described,) = describe(one)
        # Each image is its own nearest.
        left, right = alike(described, described, least, MOST_CANDIDATES + 1, progress)
        left, right = np.minimum(left, right), np.maximum(left, right)
        pairs = np.unique(np.stack([left, right])[:, left != right], axis=1)
        base = one
    else:
        # The larger side is sorted into cells.
        first, second = describe(one, other)
        if len(first) > len(second):
            right, left = alike(second, first, least, MOST_CANDIDATES, progress)
        else:
            left, right = alike(first, second, least, MOST_CANDIDATES, progress)
        pairs = np.stack([left, right])
        base = other
    pairs, starts = _overlaid(pairs, one, base, progress)
    pairs, similarity = _confirmed(pairs, starts, one, base, progress)
    return pd.DataFrame({"one": pairs[0], "other": pairs[1], "similarity": similarity})


def same_exposure(one: np.ndarray, other: np.ndarray) -> tuple[float, bool]:
    """Correlation of fine details of two grey images [H, W] laid over each other, and whether they are one exposure."""
    small = thumbnail(one)[None], thumbnail(other)[None]
    _, start = _middle_stage(*small, _coarse_stage(*small)[1])
    return _fine_stage(one, other, start[0])


def _overlaid(pairs: np.ndarray, one: Pictures, other: Pictures, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """The pairs [2, P] whose thumbnails fit, and how they were laid over each other [P, 4]."""

    def overlay(first: int) -> tuple[np.ndarray, np.ndarray]:
        batch = pairs[:, first : first + _BATCH]
        a, b = one[batch[0]], other[batch[1]]
        likeness, start = _coarse_stage(a, b)
        good = likeness >= _COARSE_LEAST
        batch, start = batch[:, good], start[good]
        if batch.shape[1]:
            likeness, start = _middle_stage(a[good], b[good], start)
            good = likeness >= _MIDDLE_LEAST
            batch, start = batch[:, good], start[good]
        return batch, start

    kept, starts = [pairs[:, :0]], [np.zeros((0, 4), np.float32)]
    with (
        progress.step("laying images over each other", pairs.shape[1]) as step,
        closing(in_order(overlay, range(0, pairs.shape[1], _BATCH), cores())) as batches,
    ):
        for number, (batch, start) in enumerate(batches):
            kept.append(batch)
            starts.append(start)
            step.advance(min(_BATCH, pairs.shape[1] - number * _BATCH))
    return np.concatenate(kept, axis=1), np.concatenate(starts)


def _confirmed(
    pairs: np.ndarray, starts: np.ndarray, one: Pictures, other: Pictures, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that are one exposure also in detail, from their files, and their similarity."""

    def confirm(row: int) -> tuple[float, bool]:
        try:
            images = [read_with_padding(path)[0] for path in (one.path(pairs[0, row]), other.path(pairs[1, row]))]
        except UserError:
            return -1.0, False
        return _fine_stage(images[0], images[1], starts[row])

    found = []
    with (
        progress.step("comparing near-duplicates in detail", pairs.shape[1]) as step,
        closing(in_order(confirm, range(pairs.shape[1]), cores())) as confirmed,
    ):
        for value in confirmed:
            found.append(value)
            step.advance()
    similarity = np.array([value for value, _ in found], dtype=np.float64)
    good = np.array([same for _, same in found], dtype=bool)
    return pairs[:, good], similarity[good]


def _coarse_stage(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    factor = THUMBNAIL // _COARSE
    halved = [each.reshape(len(each), _COARSE, factor, _COARSE, factor).mean(axis=(2, 4)) for each in (one, other)]
    return lay_over(details(halved[0], _COARSE_BAND), details(halved[1], _COARSE_BAND), _COARSE_ROUNDS)


def _middle_stage(one: np.ndarray, other: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return lay_over(details(one, _MIDDLE_BAND), details(other, _MIDDLE_BAND), _MIDDLE_ROUNDS, start)


def _fine_stage(one: np.ndarray, other: np.ndarray, start: np.ndarray) -> tuple[float, bool]:
    """Correlation of details, and whether the pair is one exposure."""
    # An image that was enlarged holds no details to compare.
    side = _FINE if min(*one.shape, *other.shape) >= _FINE else THUMBNAIL
    share = side / _FINE
    band = Band(_FINE_BAND.fine * share, _FINE_BAND.coarse * share, _FINE_BAND.local * share)
    a, b = (details(thumbnail(image, side)[None], band) for image in (one, other))
    likeness, where = lay_over(a, b, _FINE_ROUNDS, start[None])
    unmoved = np.abs(where[0]).max() <= _UNMOVED
    return float(likeness[0]), bool(likeness[0] >= (LEAST_SIMILARITY_UNMOVED if unmoved else LEAST_SIMILARITY))
