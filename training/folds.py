"""Folds for cross-validation that keep a patient's samples together and spread the rare class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def patient_folds(patients: Sequence[str], strata: np.ndarray, n_folds: int) -> np.ndarray:
    """The fold [n] of every sample, from 0 to at most `n_folds` - 1; all samples of a patient share one.

    Patients are dealt to the folds in turn: those with the highest stratum first, and by SHA-256 of their
    id within a stratum, so that neither the order of the rows nor a library's random numbers matter.

    Args:
        patients: patient of every sample [n].
        strata: whole number of every sample [n]; a patient has the highest of its samples.
        n_folds: at least 2.
    """
    highest: dict[str, int] = {}
    for patient, stratum in zip(patients, np.asarray(strata).tolist(), strict=True):
        highest[patient] = max(stratum, highest.get(patient, stratum))
    dealt = sorted(highest, key=lambda patient: (-highest[patient], _digest(patient)))
    fold = {patient: place % n_folds for place, patient in enumerate(dealt)}
    return np.array([fold[patient] for patient in patients], dtype=np.int64)


def _digest(patient: str) -> str:
    return hashlib.sha256(str(patient).encode()).hexdigest()
