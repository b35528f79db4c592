"""Masks as run lengths, in the way of COCO."""

from __future__ import annotations

import numpy as np


def counts_of(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed counts of a bool [H, W]: runs of 0, 1, 0, ... down the columns; the first may be 0."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()


def mask_of(counts: np.ndarray, height: int, width: int) -> np.ndarray:
    """The bool [H, W] of COCO's uncompressed counts. Raises ValueError where they do not add up to H * W."""
    counts = np.asarray(counts, dtype=np.int64)
    if (counts < 0).any() or counts.sum() != height * width:
        raise ValueError(f"counts add up to {int(counts.sum())}, not to {height} x {width}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((height, width), order="F")


def counts_to_text(counts: list[int]) -> str:
    """Counts as they stand in tables: numbers with spaces between."""
    return " ".join(map(str, counts))


def counts_from_text(text: str) -> np.ndarray:
    """The counts in a table's cell, int64. Raises ValueError where something is not a whole number."""
    try:
        return np.array([int(part) for part in text.split()], dtype=np.int64)
    except OverflowError as error:
        raise ValueError(f"a count is too large: {text[:40]}") from error
