"""Phantoms of SIIM-COVID: studies of patients in DICOM files, boxes as Python literals and as tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ...foundation.files import new_file
from ..held_out import held_out
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ._dicom_phantoms import DicomLook, write_phantom_dicom
from ._phantoms import images_per_patient, sex, shares
from ._siim_covid_boxes import NONE, OPACITY

COLUMN_OF_LABEL = {
    "negative": "Negative for Pneumonia",
    "typical": "Typical Appearance",
    "indeterminate": "Indeterminate Appearance",
    "atypical": "Atypical Appearance",
}
# Studies of the real training set.
_WEIGHTS = {"negative": 1676, "typical": 2855, "indeterminate": 1049, "atypical": 474}
_TEST_SHARE = 0.2
_STUDIES_PER_PATIENT = 6054 / 3261
# More images a study than the 1.05 of the real set, so that a small phantom has siblings too.
_IMAGES_PER_STUDY = 1.12

# Typical is opacities on both sides; an effusion is atypical and gets no box, as some atypical studies have none.
_FINDINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "negative": ((),),
    "typical": (("opacity", "opacity"), ("opacity", "opacity", "opacity")),
    "indeterminate": (("opacity",),),
    "atypical": (("mass",), ("effusion",)),
}
_LABEL_OF_FINDINGS = {findings: label for label, choices in _FINDINGS.items() for findings in choices}
_BOXED = ("opacity", "mass")

_LOOKS = (
    DicomLook(bits=12, inverted=True),
    DicomLook(bits=8, syntax="jpeg baseline"),
    DicomLook(bits=12, syntax="jpeg lossless"),
    DicomLook(bits=12, excess=126),
    DicomLook(bits=14, syntax="implicit little endian"),
    DicomLook(bits=8, syntax="jpeg baseline", inverted=True),
)


def plan(n: int, seed: int) -> PhantomPlan:
    """`n` images in studies of patients; patients are taken from those that the test set is held out of, or not."""
    generator = np.random.default_rng(seed)
    total = sum(_WEIGHTS.values())
    sides = {"train": 1 - _TEST_SHARE, "test": _TEST_SHARE}
    weights = [side * weight / total for side in sides.values() for weight in _WEIGHTS.values()]
    counts = iter(shares(n, weights, "siim_covid"))
    numbers = _patient_numbers(n)
    requests: PhantomPlan = []
    for split in sides:
        studies = [
            (label, images)
            for label in _WEIGHTS
            for images in images_per_patient(next(counts), _IMAGES_PER_STUDY, generator)
        ]
        order = generator.permutation(len(studies))
        begin = 0
        sizes = images_per_patient(len(studies), _STUDIES_PER_PATIENT, generator)
        for patient, size in zip(numbers[split], sizes, strict=False):
            age, person = int(np.clip(generator.normal(58, 17), 18, 95)), sex(generator)
            for study, place in enumerate(order[begin : begin + size], start=1):
                label, images = studies[place]
                findings = _FINDINGS[label][int(generator.integers(len(_FINDINGS[label])))]
                requests += [
                    PhantomRequest(patient, study, image, split, findings=findings, age=age, sex=person, portable=True)
                    for image in range(1, images + 1)
                ]
            begin += size
    return requests


def patient_name(number: int) -> str:
    """The 12 hexadecimal digits that stand for a patient."""
    return _digits("patient", number)


def write(cases: Iterable[PhantomCase], root: Path) -> None:
    """train/<study>/<series>/<image>.dcm and both tables, whose rows are in the order of their ids."""
    studies: dict[str, list[str | int]] = {}
    images: list[list[str]] = []
    widened = False
    for place, case in enumerate(cases):
        ask = case.request
        study = _digits("study", ask.patient, ask.study)
        image = _digits("image", ask.patient, ask.study, ask.image)
        path = root / "train" / study / _digits("series", ask.patient, ask.study, ask.image) / f"{image}.dcm"
        uid = f"2.25.{int(study, 16)}"
        write_phantom_dicom(path, case.pixels, _LOOKS[place % len(_LOOKS)], patient_name(ask.patient), uid)
        label = _LABEL_OF_FINDINGS[ask.findings]
        studies[study] = [f"{study}_study", *(int(label == name) for name in COLUMN_OF_LABEL)]
        # Only one image of a study has boxes.
        boxes = [list(corners) for finding, *corners in case.boxes if finding in _BOXED and ask.image == 1]
        if boxes and not widened:
            # The real table has a box that begins left of the image.
            boxes[0][0], widened = -1.83764, True
        images.append([f"{image}_image", _literal(boxes, place), _tokens(boxes), study])
    _write_table(root / "train_study_level.csv", ["id", *COLUMN_OF_LABEL.values()], list(studies.values()))
    _write_table(root / "train_image_level.csv", ["id", "boxes", "label", "StudyInstanceUID"], images)


def _patient_numbers(n: int) -> dict[str, list[int]]:
    """Numbers of patients on each side of the held-out test set, enough for `n` images each."""
    numbers = pd.Series(range(1, 8 * n + 200))
    side = held_out("siim_covid", numbers.map(patient_name))
    return {split: numbers[side == split].tolist() for split in ("train", "test")}


def _digits(kind: str, *numbers: int) -> str:
    return hashlib.sha256(f"siim_covid phantom {kind} {numbers}".encode()).hexdigest()[:12]


def _literal(boxes: list[list[float]], place: int) -> str:
    """Boxes as Python writes a list of dictionaries, in some rows with whole numbers; blank where there are none."""
    values = [{"x": x1, "y": y1, "width": round(x2 - x1, 5), "height": round(y2 - y1, 5)} for x1, y1, x2, y2 in boxes]
    if place % 2:
        values = [{key: int(v) if v == int(v) else v for key, v in box.items()} for box in values]
    return repr(values) if values else ""


def _tokens(boxes: list[list[float]]) -> str:
    return " ".join(f"{OPACITY} 1 {x1:.10g} {y1:.10g} {x2:.10g} {y2:.10g}" for x1, y1, x2, y2 in boxes) or NONE


def _write_table(path: Path, columns: list[str], rows: list) -> None:
    with new_file(path) as file:
        pd.DataFrame(rows, columns=columns).sort_values("id").to_csv(file, index=False)
