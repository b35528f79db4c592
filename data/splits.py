"""Who trains, who validates, who tests: draws of patients, and checks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..foundation.errors import RefusedError, UserError
from .radiographs import Radiographs

ROLES = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Row numbers into `Radiographs.samples`, int64, in ascending order.

    Attributes:
        train: rows whose labels and images fit the weights.
        validation: rows that choose epochs, strengths and thresholds; may be empty.
        test: rows that are scored and choose nothing.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def digest(self, radiographs: Radiographs) -> str:
        """SHA-256 (16 hexadecimal digits) over role and sample_id, independent of the row order."""
        ids = radiographs.samples["sample_id"].to_numpy()
        lines = [f"{role}\t{name}" for role in ROLES for name in sorted(ids[getattr(self, role)])]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class DrawKey:
    """What a draw depends on: never the encoder, the file order or the other replicates."""

    task: str
    version: int
    replicate: int


def hash_order(names: np.ndarray, key: DrawKey) -> np.ndarray:
    """Positions that sort `names` [N] (unique strings) by SHA-256 of (task, version, replicate, name)."""
    prefix = f"{key.task}\x1f{key.version}\x1f{key.replicate}\x1f"
    digests = [hashlib.sha256(f"{prefix}{name}".encode()).digest() for name in names]
    return np.argsort(np.array(digests, dtype="S32"), kind="stable")


def draw_patients(
    patients: np.ndarray,
    key: DrawKey,
    fraction: float,
    validation_share: float,
    strata: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `fraction` per cent of `patients` and divide them into training and validation.

    Within a replicate the patients have one order and each has one role; a fraction is a prefix of
    both roles' lists, so that 1 % lies inside 10 % inside 50 %.

    Args:
        patients: unique names [P].
        key: what seeds the order.
        fraction: per cent of the patients, above 0 and at most 100.
        validation_share: share of the patients that validate, 0 to below 1.
        strata: class of each patient [P]; every stratum is drawn by itself and gives at least one
            training patient. None draws simply at random.

    Returns:
        Names of the training and of the validation patients.
    """
    order = hash_order(patients, key)
    groups = [order] if strata is None else [order[strata[order] == value] for value in np.unique(strata)]
    train: list[np.ndarray] = []
    validation: list[np.ndarray] = []
    for group in groups:
        position = np.arange(len(group))
        # Validators are spread evenly over the order, so that every prefix holds about the same share.
        validates = np.floor((position + 1) * validation_share) > np.floor(position * validation_share)
        train.append(_prefix(group[~validates], fraction, least=1))
        validation.append(_prefix(group[validates], fraction, least=0))
    return patients[np.concatenate(train)], patients[np.concatenate(validation)]


def draw_split(
    radiographs: Radiographs, key: DrawKey, fraction: float, validation_share: float, test: str = "test"
) -> Split:
    """Training and validation out of the dataset's train rows by patient; the test rows as they are.

    Single-label datasets are drawn class by class (a patient counts for the rarest class among its
    images), multi-label ones simply at random, as in the papers.
    """
    samples = radiographs.samples
    pool = np.flatnonzero(samples["split"].to_numpy() == "train")
    names, patient_of_row = np.unique(samples["patient_id"].to_numpy(dtype=str)[pool], return_inverse=True)
    strata = None
    if radiographs.exclusive:
        strata = _rarest_class(radiographs.targets()[pool].argmax(axis=1), patient_of_row, len(names))
    chosen_train, chosen_validation = draw_patients(names, key, fraction, validation_share, strata)
    split = Split(
        train=pool[np.isin(names, chosen_train)[patient_of_row]],
        validation=pool[np.isin(names, chosen_validation)[patient_of_row]],
        test=np.flatnonzero(samples["split"].to_numpy() == test),
    )
    check_split(radiographs, split)
    return split


def check_split(radiographs: Radiographs, split: Split) -> None:
    """Raise RefusedError where a patient or a sample is on two sides, UserError where a side is empty."""
    for role in ("train", "test"):
        if len(getattr(split, role)) == 0:
            raise UserError(
                f"{radiographs.dataset}: no {role} images below {radiographs.root}; check that the copy is complete"
            )
    column = "patient_id" if radiographs.patients_known else "sample_id"
    names = radiographs.samples[column].to_numpy()
    sides = {role: set(names[getattr(split, role)]) for role in ROLES}
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        shared = sorted(sides[one] & sides[other])
        if shared and sides[one] == sides[other]:
            raise RefusedError(
                f"{radiographs.dataset}: {one} and {other} are the same {_counted(shared, column)}, and the scores "
                "would be too good; give each its own"
            )
        if shared:
            shown = ", ".join(shared[:3])
            both = "is" if len(shared) == 1 else "are"
            raise RefusedError(
                f"{radiographs.dataset}: {len(shared)} of the {column}s {both} both in {one} and in {other} ({shown}); "
                "move each to one side, or the scores would be too good"
            )


def absent_labels(radiographs: Radiographs, targets: np.ndarray, rows: np.ndarray) -> list[str]:
    """Labels of which `rows` hold no positive, given `targets` [N, L]."""
    present = (targets[rows] == 1).any(axis=0)
    return [label for label, here in zip(radiographs.labels, present, strict=True) if not here]


def _counted(names: list[str], what: str) -> str:
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"


def _prefix(group: np.ndarray, fraction: float, least: int) -> np.ndarray:
    """The first `fraction` per cent of `group`, halves rounded up, no fewer than `least`."""
    return group[: max(int(np.floor(len(group) * fraction / 100 + 0.5)), least)]


def _rarest_class(classes: np.ndarray, patient_of_row: np.ndarray, n_patients: int) -> np.ndarray:
    """One class a patient: of the classes of its rows, the one with the fewest rows in all."""
    rank = np.argsort(np.argsort(np.bincount(classes), kind="stable"), kind="stable")
    lowest = np.full(n_patients, len(rank))
    np.minimum.at(lowest, patient_of_row, rank[classes])
    return lowest
