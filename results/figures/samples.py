"""Which test images a figure shows: those that were asked for, or those that a hash picks."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence

import numpy as np

from ...foundation.errors import UserError


def named_samples(sample_ids: Sequence[str], wanted: Sequence[str], option: str = "--sample") -> np.ndarray:
    """Rows of `wanted` in `sample_ids`, in the order in which they were asked for.

    Raises UserError, with the nearest id, for one that is no test image.
    """
    rows = {each: row for row, each in enumerate(sample_ids)}
    for each in wanted:
        if each not in rows:
            near = difflib.get_close_matches(each, sample_ids, n=1, cutoff=0.5) or list(sample_ids[:1])
            hint = f"one of the {len(rows)} is {near[0]!r}" if near else "there are none"
            raise UserError(f"{option}: {each!r} is no test image of these records; {hint}")
    return np.array([rows[each] for each in wanted], dtype=np.intp)


def picked_samples(sample_ids: Sequence[str], positive: np.ndarray, count: int) -> tuple[np.ndarray, str]:
    """Up to `count` rows, and the rule in words: positives in the order of SHA-256 of their ids.

    Nobody picks, and no result does. Where nothing is positive the others are taken, in the same order.

    Args:
        sample_ids: [N] of the test images.
        positive: bool [N], whether there is something to be found.
        count: 1 or more.
    """
    order = np.argsort([hashlib.sha256(each.encode()).hexdigest() for each in sample_ids], kind="stable")
    candidates = order[positive[order]]
    kind = "positive" if len(candidates) else "negative (none is positive)"
    rows = candidates[:count] if len(candidates) else order[:count]
    images = "image" if len(rows) == 1 else "images"
    return rows, f"First {len(rows)} {kind} test {images} by SHA-256 of the id."
