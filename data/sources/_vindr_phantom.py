"""Phantoms of VinDr-CXR: readers who do not always agree, in the layouts of PhysioNet and Kaggle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...foundation.files import new_file
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ._dicom_phantoms import DicomLook, write_phantom_dicom
from ._phantoms import sex, shares
from ._vindr_labels import KAGGLE, LABELS, NO_FINDING

_LABEL_OF_FINDING = {
    "opacity": "Lung Opacity",
    "nodule": "Nodule/Mass",
    "mass": "Nodule/Mass",
    "consolidation": "Consolidation",
    "atelectasis": "Atelectasis",
    "interstitial": "ILD",
    "edema": "Edema",
    "effusion": "Pleural effusion",
    "pneumothorax": "Pneumothorax",
    "cardiomegaly": "Cardiomegaly",
    "fracture": "Rib fracture",
}
# Diagnoses follow from findings; no phantom shows the others.
_DIAGNOSES = {
    "Lung tumor": {"mass"},
    "Pneumonia": {"consolidation", "opacity"},
    "Other diseases": {"cardiomegaly", "edema"},
}
_READERS = 17
_SEEN = 0.85
_FALSE_ALARM = 0.04

_LOOKS = (
    DicomLook(windowed=True),
    DicomLook(syntax="jpeg 2000 lossless"),
    DicomLook(syntax="jpeg 2000 lossless", inverted=True),
    DicomLook(bits=14, syntax="jpeg lossless"),
    DicomLook(excess=62),
    DicomLook(syntax="jpeg 2000"),
    DicomLook(bits=10, inverted=True, windowed=True),
)

_Box = tuple[str, float, float, float, float]


@dataclass(frozen=True)
class _Opinion:
    """What one reader, or the consensus, says of an image."""

    reader: str
    labels: frozenset[str]
    boxes: tuple[_Box, ...]


def plan(n: int, seed: int) -> PhantomPlan:
    """`n` images, one a patient: 75 % train, 25 % test, half of them normal, the other half with findings in turn.

    Findings are more frequent than in the real images, so that a small phantom has each in train and test.
    """
    generator = np.random.default_rng(seed)
    requests: PhantomPlan = []
    for split, count in zip(("train", "test"), shares(n, (0.75, 0.25), "vindr"), strict=True):
        turn = 0
        for place in range(count):
            findings: tuple[str, ...] = ()
            if place % 2:
                findings = _findings(turn, generator)
                turn += 1
            age = int(np.clip(generator.normal(50, 17), 18, 90))
            patient = len(requests) + 1
            requests.append(PhantomRequest(patient, 1, 1, split, findings=findings, age=age, sex=sex(generator)))
    return requests


def image_name(patient: int) -> str:
    """The 32 hexadecimal digits that stand for an image."""
    return hashlib.sha256(f"vindr phantom {patient}".encode()).hexdigest()[:32]


def write_physionet(cases: Iterable[PhantomCase], root: Path) -> None:
    """Images as DICOM files in train/ and test/, and the four tables in annotations/."""
    labels: dict[str, list[list[str | int]]] = {"train": [], "test": []}
    boxes: dict[str, list[list[str | float | None]]] = {"train": [], "test": []}
    for case in cases:
        split = case.request.split
        image = _write_case(case, root / split, ".dicom")
        for opinion in _opinions(case, LABELS):
            who = [opinion.reader] if split == "train" else []
            labels[split].append([image, *who, *(int(label in opinion.labels) for label in LABELS)])
            boxes[split] += [[image, *who, *row] for row in _rows(opinion)]
    for split in ("train", "test"):
        who = ["rad_id"] if split == "train" else []
        # The test table spells one column its own way.
        names = [label if split == "train" else label.replace("diseases", "disease") for label in LABELS]
        _write_table(root / "annotations" / f"image_labels_{split}.csv", ["image_id", *who, *names], labels[split])
        columns = ["image_id", *who, "class_name", "x_min", "y_min", "x_max", "y_max"]
        _write_table(root / "annotations" / f"annotations_{split}.csv", columns, boxes[split])


def write_kaggle(cases: Iterable[PhantomCase], root: Path) -> None:
    """Images as DICOM files in train/ and test/, and train.csv with one row a box or a reader who found nothing."""
    rows: list[list[str | float | None]] = []
    for case in cases:
        image = _write_case(case, root / case.request.split, ".dicom")
        if case.request.split != "train":
            continue
        for opinion in _opinions(case, KAGGLE):
            rows += [
                [image, label, KAGGLE.index(str(label)), opinion.reader, *corners] for label, *corners in _rows(opinion)
            ]
    columns = ["image_id", "class_name", "class_id", "rad_id", "x_min", "y_min", "x_max", "y_max"]
    _write_table(root / "train.csv", columns, rows)


def _write_case(case: PhantomCase, folder: Path, suffix: str) -> str:
    image = image_name(case.request.patient)
    look = _LOOKS[case.request.patient % len(_LOOKS)]
    write_phantom_dicom(folder / f"{image}{suffix}", case.pixels, look)
    return image


def _write_table(path: Path, columns: list[str], rows: list) -> None:
    with new_file(path) as file:
        pd.DataFrame(rows, columns=columns).to_csv(file, index=False)


def _findings(turn: int, generator: np.random.Generator) -> tuple[str, ...]:
    """One finding after the other, a third of the time with a second one."""
    names = list(_LABEL_OF_FINDING)
    first = names[turn % len(names)]
    if first == "consolidation" and turn // len(names) % 2 == 0:
        return first, "opacity"
    if generator.random() < 1 / 3:
        second = names[int(generator.integers(len(names)))]
        return (first, second) if second != first else (first,)
    return (first,)


def _opinions(case: PhantomCase, known: tuple[str, ...]) -> Iterator[_Opinion]:
    """Three readers of a training image; of a test image the truth. Findings that `known` lacks are other lesions."""
    ask = case.request
    if ask.split != "train":
        yield _opinion("", set(ask.findings), case, known)
        return
    generator = np.random.default_rng([ask.patient, 3])
    for reader in sorted(int(number) for number in generator.choice(_READERS, 3, replace=False)):
        draws = generator.random(len(ask.findings))
        seen = {finding for finding, draw in zip(ask.findings, draws, strict=True) if draw < _SEEN}
        yield _opinion(f"R{reader + 1}", seen, case, known, generator)


def _opinion(
    reader: str,
    seen: set[str],
    case: PhantomCase,
    known: tuple[str, ...],
    generator: np.random.Generator | None = None,
) -> _Opinion:
    height, width = case.pixels.shape
    boxes = []
    for finding, *corners in case.boxes:
        if finding in seen:
            # Two readers never draw the same box.
            moved = np.array(corners) + (0.0 if generator is None else generator.normal(0, 0.01 * width, 4))
            label = _LABEL_OF_FINDING[finding]
            boxes.append((label if label in known else "Other lesion", *_within(moved, width, height)))
    if generator is not None and generator.random() < _FALSE_ALARM:
        x, y = generator.uniform(0.1, 0.8, 2) * (width, height)
        boxes.append(("Nodule/Mass", *_within(np.array([x, y, x + 0.06 * width, y + 0.06 * height]), width, height)))
    # What lies outside the film has no box, and no reader sees it.
    labels = {label for label, *_ in boxes}
    drawn = {finding for finding, *_ in case.boxes} & seen
    labels |= {label for label, findings in _DIAGNOSES.items() if findings <= drawn and label in known}
    return _Opinion(reader, frozenset(labels or {NO_FINDING}), tuple(boxes))


def _within(corners: np.ndarray, width: int, height: int) -> tuple[float, float, float, float]:
    """The box inside the image, at least two pixels wide and high."""
    x1, x2 = sorted(np.clip(corners[[0, 2]], 0, width))
    y1, y2 = sorted(np.clip(corners[[1, 3]], 0, height))
    x1, y1 = min(x1, width - 2), min(y1, height - 2)
    x2, y2 = max(x2, x1 + 2), max(y2, y1 + 2)
    return round(float(x1), 5), round(float(y1), 5), round(float(x2), 5), round(float(y2), 5)


def _rows(opinion: _Opinion) -> list[list[str | float | None]]:
    """Class and corners of each box; where there is none and nothing was found, one row that says so."""
    if NO_FINDING in opinion.labels:
        return [[NO_FINDING, None, None, None, None]]
    return [list(box) for box in opinion.boxes]
