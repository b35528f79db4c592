"""A short hash of the labels of each sample, so that a changed one is noticed."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from .radiographs import Radiographs

_DIGITS = 16


def label_digests(radiographs: Radiographs) -> np.ndarray:
    """SHA-256 (16 hexadecimal digits) over the names and values of each sample's labels, as stated: str [N].

    Boxes and masks do not enter: a copy without its table of boxes has the same labels.
    """
    targets = radiographs.targets()
    # One bit pattern for NaN and one for zero.
    canonical = np.ascontiguousarray(np.where(np.isnan(targets), np.nan, targets + 0.0).astype("<f8"))
    rows = np.array([row.tobytes() for row in canonical], dtype=object)
    which, distinct = pd.factorize(rows)
    names = "\x1f".join(radiographs.labels).encode()
    digests = [hashlib.sha256(names + b"\x1e" + row).hexdigest()[:_DIGITS] for row in distinct]
    return np.array(digests, dtype=str)[which]
