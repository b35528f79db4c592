"""Which patients of a dataset without an official test set are held out for the test."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

# Share of the patients of every dataset that has no official test set.
SHARE = 0.2


def held_out(dataset: str, patients: pd.Series, share: float = SHARE) -> pd.Series:
    """`test` for the rows of about `share` of the patients, `train` for the others: text [N].

    A patient is held out where SHA-256 of (dataset, patient), as a fraction of its range, lies below `share`. So the
    side of a patient depends on nobody else: it is the same in a partial copy, in any row order and on any machine.
    """
    codes, names = pd.factorize(patients)
    prefix = f"{dataset}\x1fheld out\x1f"
    digests = [hashlib.sha256(f"{prefix}{name}".encode()).digest()[:8] for name in names]
    position = np.array([int.from_bytes(digest) for digest in digests], dtype=np.float64) / 2.0**64
    return pd.Series(np.where(position < share, "test", "train")[codes], index=patients.index, name="split")
