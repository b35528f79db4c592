"""Phantom patients of the SIIM-ACR pneumothorax challenge, and its table and files as they were in stage 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...foundation.files import new_file
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ..phantom.dicom_file import write_dicom
from ..siim_run_lengths import EMPTY, encode
from ._phantoms import images_per_patient, sex, shares

# What may be seen beside a pneumothorax or without one.
_OTHERS = ("atelectasis", "effusion", "nodule", "cardiomegaly", "opacity")
_UID = "1.2.276.0.7230010.3.1.{kind}.8323329.{number}.1517875{seconds:03d}.{fraction}"
# 12,954 rows on 12,047 images: every so many masks fall into two rows that overlap.
_MASKS_A_DIVIDED = 4


def plan(n: int, seed: int, weights: Sequence[int]) -> PhantomPlan:
    """`n` images, without and with a pneumothorax as `weights` say, in patients of about one and a half images."""
    generator = np.random.default_rng(seed)
    present = generator.permutation(np.repeat([False, True], shares(n, weights, "siim_acr")))
    requests: PhantomPlan = []
    for patient, images in enumerate(images_per_patient(n, mean=1.5, generator=generator), start=1):
        person, age = sex(generator), int(np.clip(generator.normal(48, 17), 16, 92))
        for study in range(1, images + 1):
            found = ["pneumothorax"] if present[len(requests)] else []
            found += generator.choice(_OTHERS, size=1).tolist() if generator.random() < 0.35 else []
            # A drain lies in many of the real ones.
            found += ["device"] if present[len(requests)] and generator.random() < 0.4 else []
            requests.append(PhantomRequest(patient, study, 1, "train", findings=tuple(found), age=age, sex=person))
    return requests


def write(cases: Iterable[PhantomCase], root: Path) -> None:
    """Write `dicom-images-train/` and `train-rle.csv`, whose second column's name begins with a space."""
    lines = ["ImageId, EncodedPixels"]
    divided = 0
    for number, case in enumerate(cases, start=1):
        uids = {kind: _uid(part, number) for kind, part in (("study", 2), ("series", 3), ("sop", 4))}
        write_dicom(
            root / "dicom-images-train" / uids["study"] / uids["series"] / f"{uids['sop']}.dcm",
            case.pixels,
            sop_uid=uids["sop"],
            study_uid=uids["study"],
            series_uid=uids["series"],
            # As released: an id of its own for each image.
            patient_id=f"{number:08d}",
            syntax="jpeg baseline",
            elements={"ViewPosition": "AP" if case.request.portable else "PA"},
        )
        masks = [mask for finding, mask in case.masks if finding == "pneumothorax"]
        if masks and (divided := divided + 1) % _MASKS_A_DIVIDED == 0:
            masks = [part for mask in masks for part in _overlapping_parts(mask)]
        # Some of the rows without a mask have a space before the -1.
        empty = EMPTY if number % 2 else f" {EMPTY}"
        lines += [f"{uids['sop']},{encode(mask)}" for mask in masks] or [f"{uids['sop']},{empty}"]
    with new_file(root / "train-rle.csv") as path:
        path.write_text("\n".join([*lines, ""]))


def _uid(kind: int, number: int) -> str:
    return _UID.format(kind=kind, number=number, seconds=number % 1000, fraction=1 + number * 7919 % 999_999)


def _overlapping_parts(mask: np.ndarray) -> list[np.ndarray]:
    """Two masks with pixels in common whose union is `mask`; itself alone where it is too small."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) < 3:
        return [mask]
    middle = rows[len(rows) // 2]
    upper, lower = mask.copy(), mask.copy()
    upper[middle + 1 :] = False
    lower[:middle] = False
    return [upper, lower]
