"""Which images are inverted, and which set the weight of the perceptual loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.splits import DrawKey, Split, check_split, draw_patients, hash_order
from ...foundation.errors import UserError

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from ..trial import Trial
    from .settings import ImagesSettings

# The test images are chosen once, for all replicates.
_TEST = -1
# Of which a paired test can say something.
_LEAST_TEST = 2


def draw(radiographs: Radiographs, trial: Trial, version: int, settings: ImagesSettings) -> Split:
    """The split of `trial`: train holds the calibration images, test those that are inverted, validation is empty.

    Test images are the first `settings.test` of the dataset's test part in the order of the samples' hashes, for every
    replicate alike. Calibration images are the first `settings.calibration` of its training part in the order of the
    patients' hashes, another one for each replicate; a fraction is a prefix of their patients. Where a file says who
    trains and tests, its images are all taken.

    Args:
        radiographs: normal images only.
        trial: which one; its encoder and variant change nothing.
        version: of the task.
        settings: how many images.

    Raises:
        UserError: fewer than two test images, or no calibration image.
        RefusedError: a patient on two sides, or equal sides.
    """
    if radiographs.splits is not None:
        split = radiographs.splits.of(radiographs, trial.variant, trial.fraction, trial.replicate)
    else:
        split = _drawn(radiographs, trial, version, settings)
    _check_sizes(radiographs, split)
    check_split(radiographs, split)
    return split


def _drawn(radiographs: Radiographs, trial: Trial, version: int, settings: ImagesSettings) -> Split:
    samples = radiographs.samples
    ids, part = samples["sample_id"].to_numpy(dtype=str), samples["split"].to_numpy()
    test = np.flatnonzero(part == "test")
    test = test[hash_order(ids[test], DrawKey(trial.task, version, _TEST))][: settings.test]
    pool = np.flatnonzero(part == "train")
    key = DrawKey(trial.task, version, trial.replicate)
    names, patient_of_row = np.unique(samples["patient_id"].to_numpy(dtype=str)[pool], return_inverse=True)
    by_patient = np.lexsort((_ranks(ids[pool], key), _ranks(names, key)[patient_of_row]))[: settings.calibration]
    owners = np.unique(patient_of_row[by_patient])
    chosen, _ = draw_patients(names[owners], key, trial.fraction, validation_share=0.0)
    taken = by_patient[np.isin(names[patient_of_row[by_patient]], chosen)]
    return Split(np.sort(pool[taken]), np.empty(0, dtype=np.int64), np.sort(test))


def _check_sizes(radiographs: Radiographs, split: Split) -> None:
    for role, rows, least in (("training", split.train, 1), ("test", split.test, _LEAST_TEST)):
        if len(rows) < least:
            raise UserError(
                f"{radiographs.dataset}: {len(rows)} normal images in the {role} part; an inversion needs "
                f"{least} or more there, for calibration and for the test"
            )


def _ranks(names: np.ndarray, key: DrawKey) -> np.ndarray:
    ranks = np.empty(len(names), dtype=np.int64)
    ranks[hash_order(names, key)] = np.arange(len(names))
    return ranks
