"""Who trains, validates and tests in a segmentation trial: shares of the patients, with equal numbers where asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.splits import ROLES, DrawKey, Split, check_split, draw_patients, hash_order
from ...foundation.errors import UserError

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from ..trial import Trial
    from .settings import DrawSettings

# The negatives of the test part are chosen once, for all replicates.
_TEST = -1


def draw(radiographs: Radiographs, trial: Trial, version: int, settings: DrawSettings, label: str) -> Split:
    """The split of `trial`: the same for every encoder and both protocols; that of a file where one was imported.

    Patients with a positive and patients without one are drawn each by themselves, by the order of their hashes. Where
    the parts are to be `equal`, negatives are then left away until there are as many as positives: those of the last
    patients in that order first, so that a small fraction lies inside a large one. Of the test part the last in the
    order of the samples' hashes go, whatever the replicate. A file order changes nothing.

    Raises:
        UserError: a part without a positive.
        RefusedError: a patient on two sides.
    """
    positive = radiographs.samples[label].to_numpy() == 1
    if radiographs.splits is not None:
        split = radiographs.splits.of(radiographs, trial.variant, trial.fraction, trial.replicate)
    else:
        split = _drawn(radiographs, trial, version, settings, positive)
        check_split(radiographs, split)
    for role in ROLES:
        if not positive[getattr(split, role)].any():
            raise UserError(
                f"{radiographs.dataset}: no image with {label} in the {role} part of {trial.fraction:g} % "
                f"#{trial.replicate}: Dice says nothing there; take a larger fraction, or more images with masks"
            )
    return split


def _drawn(radiographs: Radiographs, trial: Trial, version: int, settings: DrawSettings, positive: np.ndarray) -> Split:
    samples = radiographs.samples
    ids, part_of = samples["sample_id"].to_numpy(dtype=str), samples["split"].to_numpy()
    pool, test = np.flatnonzero(part_of == "train"), np.flatnonzero(part_of == "test")
    key = DrawKey(trial.task, version, trial.replicate)
    names, patient_of_row = np.unique(samples["patient_id"].to_numpy(dtype=str)[pool], return_inverse=True)
    has_positive = np.zeros(len(names), dtype=bool)
    has_positive[patient_of_row[positive[pool]]] = True
    chosen, place = _patients(names, has_positive, key, trial.fraction, settings.validation_share)
    train, validation = (pool[each[patient_of_row]] for each in chosen)
    if settings.balance == "equal":
        by_patient = np.lexsort((_ranks(ids[pool], key), place[patient_of_row]))
        rank = np.zeros(len(ids), dtype=np.int64)
        rank[pool[by_patient]] = np.arange(len(pool))
        train, validation = (_equal(rows, positive, rank) for rows in (train, validation))
    if settings.test_balance == "equal":
        test = _equal(test, positive, _ranks(ids, DrawKey(trial.task, version, _TEST)))
    return Split(train, validation, test)


def _patients(
    names: np.ndarray, has_positive: np.ndarray, key: DrawKey, fraction: float, validation_share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which patients train and which validate, bool [2, P], and where each stands in its list, 0 to 1 [P].

    A fraction is a prefix of the lists, so that the places of its patients lie below it. The first training patient of
    a list belongs to every fraction, however small, and so stands at 0.
    """
    chosen = np.zeros((2, len(names)), dtype=bool)
    place = np.zeros(len(names))
    for stratum in (True, False):
        own = names[has_positive == stratum]
        drawn, lists = (draw_patients(own, key, share, validation_share) for share in (fraction, 100))
        for role in range(2):
            chosen[role, np.searchsorted(names, drawn[role])] = True
            length = len(lists[role])
            place[np.searchsorted(names, lists[role])] = (np.arange(length) + 0.5) / max(length, 1)
        place[np.searchsorted(names, lists[0][:1])] = 0.0
    return chosen, place


def _equal(rows: np.ndarray, positive: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """`rows` with as many negatives as positives, those of the lowest `rank` [N]; all where there are fewer."""
    positives, negatives = rows[positive[rows]], rows[~positive[rows]]
    if len(positives) == 0:
        return rows
    kept = negatives[np.argsort(rank[negatives])][: len(positives)]
    return np.sort(np.concatenate([positives, kept]))


def _ranks(names: np.ndarray, key: DrawKey) -> np.ndarray:
    ranks = np.empty(len(names), dtype=np.int64)
    ranks[hash_order(names, key)] = np.arange(len(names))
    return ranks
