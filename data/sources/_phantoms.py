"""What planning and writing phantoms of any dataset needs: exact shares, people, image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ...foundation.errors import UserError
from ...foundation.files import writing


def shares(n: int, weights: Sequence[float], dataset: str) -> list[int]:
    """`n` images divided in the proportions of `weights`, at least one each, by largest remainders.

    Raises UserError where `n` is smaller than the number of parts.
    """
    if n < len(weights):
        raise UserError(f"a {dataset} phantom of {n} images is too small; ask for {len(weights)} or more")
    exact = (n - len(weights)) * np.asarray(weights, dtype=np.float64) / sum(weights)
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: n - len(weights) - counts.sum()]] += 1
    return [int(count) + 1 for count in counts]


def images_per_patient(n: int, mean: float, generator: np.random.Generator) -> list[int]:
    """`n` images cut into patients of 1 and more images, geometrically distributed with about the `mean` given."""
    sizes = generator.geometric(1 / mean, size=n)
    ends = np.minimum(np.cumsum(sizes), n)
    return [int(size) for size in np.diff(ends, prepend=0) if size]


def sex(generator: np.random.Generator) -> Literal["F", "M"]:
    """F or M, 45 to 55 as in most hospitals' chest radiographs."""
    return "F" if generator.random() < 0.45 else "M"


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 [S, S] as JPEG (quality 95) or PNG, by the suffix of `path`; its folder is made.

    Raises UserError where the disk is full or the folder cannot be written.
    """
    import cv2

    quality = {".png": [cv2.IMWRITE_PNG_COMPRESSION, 1]}.get(path.suffix, [cv2.IMWRITE_JPEG_QUALITY, 95])
    _, encoded = cv2.imencode(path.suffix, pixels, quality)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())
