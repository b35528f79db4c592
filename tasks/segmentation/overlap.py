"""How masks overlap, from their run lengths and without their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...foundation.errors import RefusedError


@dataclass(frozen=True)
class Overlap:
    """Pixels of N pairs of masks, int64 [N] each.

    Attributes:
        truth: set in the true mask.
        decision: set in the other.
        both: set in both.
    """

    truth: np.ndarray
    decision: np.ndarray
    both: np.ndarray

    def dice(self) -> np.ndarray:
        """Dice of each pair [N], see `dice`."""
        return dice(self.both, self.truth, self.decision)

    def iou(self) -> np.ndarray:
        """Intersection over union of each pair [N]; 1 where both are empty."""
        return _ratio(self.both, self.truth + self.decision - self.both)


def dice(both: np.ndarray, truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """2 |A and B| / (|A| + |B|) from numbers of pixels; 1 where both are empty, and so 0 where one is.

    That is the score of the SIIM-ACR challenge, whose mean over images is `dice` in our tables. Equal to
    segmentation_models_pytorch's `f1_score(reduction="micro-imagewise", zero_division=1.0)`.
    """
    return _ratio(2 * both, truth + decision)


def overlap_of(truth: Sequence[str], decision: Sequence[str]) -> Overlap:
    """Overlap of each of N true masks with its decision, both COCO's counts as text.

    Raises RefusedError for text that is no counts, and for two masks of different sizes.
    """
    a, b = _Line.of(truth), _Line.of(decision)
    if not np.array_equal(a.pixels, b.pixels):
        raise RefusedError(
            "a predicted mask has another number of pixels than the true one; remove the trial's folder and run it "
            "again"
        )
    # Pixels of a that lie before each end of b's runs: their differences are what the runs share with a.
    shared = a.before(b.ends) - a.before(b.starts)
    return Overlap(a.areas(a.ends - a.starts), b.areas(b.ends - b.starts), b.areas(shared))


@dataclass(frozen=True)
class _Line:
    """N masks one behind the other on one long line: where their runs begin and end on it, and whose they are."""

    starts: np.ndarray
    ends: np.ndarray
    owner: np.ndarray
    pixels: np.ndarray

    @staticmethod
    def of(texts: Sequence[str]) -> _Line:
        words = pc.call_function("utf8_split_whitespace", [pa.array(texts, pa.string())])
        lengths = pc.call_function("list_value_length", [words]).to_numpy(zero_copy_only=False).astype(np.int64)
        try:
            values = pc.call_function("list_flatten", [words]).cast(pa.int64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as error:
            raise RefusedError("a mask in the predictions is no run lengths; run the trial again") from error
        first = np.cumsum(lengths) - lengths
        owner = np.repeat(np.arange(len(texts)), lengths)
        ends = np.cumsum(values)
        is_run = (np.arange(len(values)) - first[owner]) % 2 == 1
        pixels = np.bincount(owner, weights=values, minlength=len(texts)).astype(np.int64)
        return _Line((ends - values)[is_run], ends[is_run], owner[is_run], pixels)

    def areas(self, of_runs: np.ndarray) -> np.ndarray:
        """Sum of pixels of runs over each mask [N]; whole numbers far below 2^53, so exact."""
        return np.bincount(self.owner, weights=of_runs, minlength=len(self.pixels)).astype(np.int64)

    def before(self, places: np.ndarray) -> np.ndarray:
        """How many set pixels lie before each place on the line."""
        if len(self.starts) == 0:
            return np.zeros(len(places), dtype=np.int64)
        lengths = self.ends - self.starts
        ahead = np.concatenate([[0], np.cumsum(lengths)])
        run = np.searchsorted(self.starts, places, side="right") - 1
        within = np.minimum(places - self.starts[run], lengths[run])
        return np.where(run < 0, 0, ahead[run] + within)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.ones(below.shape), where=below > 0)
