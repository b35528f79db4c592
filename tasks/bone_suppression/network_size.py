"""What sizes of images a U-Net takes."""

from __future__ import annotations

from collections.abc import Sequence


def stride_of(widths: Sequence[int]) -> int:
    """By what the side of an image must be divisible for a U-Net with levels of `widths`, each of half the size."""
    return 1 << (len(widths) - 1)
