"""Phantom patients of the RSNA pneumonia challenge, and its tables and files."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...foundation.files import new_file
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ..phantom.dicom_file import write_dicom
from ._nih14_phantom import image_name, labels_of
from ._phantoms import images_per_patient, sex, shares

# What makes an image a positive one; the boxes of these findings are the challenge's.
OPACITIES = ("opacity", "consolidation")
# What an image that is not normal shows instead.
_OTHERS = ("cardiomegaly", "nodule", "mass", "pneumothorax", "interstitial", "effusion")
_CLASS_NAMES = {"normal": "Normal", "not_normal": "No Lung Opacity / Not Normal", "lung_opacity": "Lung Opacity"}
# RSNA's UIDs begin so; the last number tells studies, series and images apart.
_UID = "1.2.276.0.7230010.3.1.{kind}.8323329.{number}"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "phantoms of rsna_pneumonia")


def plan(n: int, seed: int, weights: Sequence[int]) -> PhantomPlan:
    """`n` images, normal, not normal and with opacities as `weights` say, in patients of about two images."""
    generator = np.random.default_rng(seed)
    counts = shares(n, weights, "rsna_pneumonia")
    classes = generator.permutation(np.repeat(np.arange(3), counts))
    requests: PhantomPlan = []
    for patient, images in enumerate(images_per_patient(n, mean=2.3, generator=generator), start=1):
        person, age = sex(generator), int(np.clip(generator.normal(47, 17), 16, 92))
        for study in range(1, images + 1):
            findings = _draw_findings(int(classes[len(requests)]), generator)
            # Which patients are for the test is the reader's choice, by a hash of their names.
            requests.append(PhantomRequest(patient, study, 1, "train", findings=findings, age=age, sex=person))
    return requests


def write(cases: Iterable[PhantomCase], root: Path) -> None:
    """Write `stage_2_train_images/`, the table of boxes, the table of classes and the mapping to NIH images."""
    marks = ["patientId,x,y,width,height,Target"]
    classes: list[str] = []
    mapping = []
    for number, case in enumerate(cases, start=1):
        name = str(uuid.uuid5(_NAMESPACE, f"{case.request.patient}-{case.request.study}"))
        uids = {kind: _UID.format(kind=part, number=number) for kind, part in (("study", 2), ("series", 3), ("sop", 4))}
        write_dicom(
            root / "stage_2_train_images" / f"{name}.dcm",
            case.pixels,
            sop_uid=uids["sop"],
            study_uid=uids["study"],
            series_uid=uids["series"],
            # The released files name an image where DICOM wants a patient.
            patient_id=name,
            syntax="jpeg baseline",
            elements={"ViewPosition": "AP" if case.request.portable else "PA"},
        )
        boxes = [_mark(name, *box[1:]) for box in case.boxes if box[0] in OPACITIES] or [f"{name},,,,,0"]
        marks += boxes
        # The table of classes has a row a box, too.
        classes += [f"{name},{_CLASS_NAMES[class_of(case)]}"] * len(boxes)
        mapping.append(_origin(name, case.request, uids))
    _write(root / "stage_2_train_labels.csv", "\n".join([*marks, ""]))
    # The two tables list the images in different orders.
    _write(root / "stage_2_detailed_class_info.csv", "\n".join(["patientId,class", *sorted(classes), ""]))
    _write(root / "pneumonia-challenge-dataset-mappings_2018.json", json.dumps(mapping, indent=1))


def class_of(case: PhantomCase) -> str:
    """The label of a phantom: lung_opacity where an opacity has a box."""
    if any(box[0] in OPACITIES for box in case.boxes):
        return "lung_opacity"
    return "not_normal" if case.request.findings else "normal"


def _draw_findings(kind: int, generator: np.random.Generator) -> tuple[str, ...]:
    if kind == 0:
        return ()
    others = tuple(generator.choice(_OTHERS, size=int(generator.integers(1, 3)), replace=False).tolist())
    if kind == 1:
        return others
    # 9,555 boxes on 6,012 images.
    opacities = tuple(generator.choice(OPACITIES, size=1 + int(generator.random() < 0.55)).tolist())
    return opacities + (others[:1] if generator.random() < 0.3 else ())


def _mark(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f"{name},{x1:.1f},{y1:.1f},{x2 - x1:.1f},{y2 - y1:.1f},1"


def _origin(name: str, ask: PhantomRequest, uids: dict[str, str]) -> dict[str, object]:
    """An entry of the mapping file, with the keys of RSNA's."""
    return {
        "img_id": image_name(ask),
        "subset_img_id": name,
        "StudyInstanceUID": uids["study"],
        "SeriesInstanceUID": uids["series"],
        "SOPInstanceUID": uids["sop"],
        "orig_labels": labels_of(ask.findings),
    }


def _write(path: Path, text: str) -> None:
    with new_file(path) as beside:
        beside.write_text(text)
