"""Phantoms of a detection dataset in COCO's form: opacities and nodules, patients, images of two shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...foundation.files import new_file
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ..radiographs import SPLITS
from ._phantoms import images_per_patient, sex, shares, write_image

CATEGORIES = ("opacity", "nodule")
# Of training, validation and test images.
_SHARES = (0.6, 0.15, 0.25)
_FINDINGS = (
    (),
    ("opacity",),
    ("nodule",),
    ("opacity", "opacity"),
    ("opacity", "nodule"),
    ("opacity", "opacity", "nodule"),
)
_WEIGHTS = (6, 4, 3, 3, 1, 1)


def plan(n: int, seed: int) -> PhantomPlan:
    """`n` images of patients of about one and a half images; a third of the images without any box."""
    generator = np.random.default_rng(seed)
    requests: PhantomPlan = []
    patient = 0
    for split, count in zip(SPLITS, shares(n, _SHARES, "coco_detection"), strict=True):
        numbers = generator.permutation(np.repeat(np.arange(len(_WEIGHTS)), _divided(count)))
        drawn = iter(numbers.tolist())
        for images in images_per_patient(count, mean=1.5, generator=generator):
            patient += 1
            person, age = sex(generator), int(np.clip(generator.normal(58, 16), 18, 95))
            requests += [
                PhantomRequest(patient, study, 1, split, findings=_FINDINGS[next(drawn)], age=age, sex=person)
                for study in range(1, images + 1)
            ]
    return requests


def write(cases: Iterable[PhantomCase], root: Path) -> None:
    """Write `images/` and `annotations/{train,val,test}.json`; every third image has a black margin at its right."""
    images: dict[str, list[dict]] = {split: [] for split in SPLITS}
    boxes: dict[str, list[dict]] = {split: [] for split in SPLITS}
    for number, case in enumerate(cases, start=1):
        ask = case.request
        name = f"P{ask.patient:05d}_{ask.study}.png"
        side = case.pixels.shape[0]
        pixels = case.pixels if number % 3 else np.pad(case.pixels, ((0, 0), (0, side // 4)))
        write_image(root / "images" / name, pixels)
        height, width = pixels.shape
        about = {"id": number, "file_name": name, "width": width, "height": height}
        images[ask.split].append({**about, "patient_id": f"P{ask.patient:05d}"})
        for finding, x1, y1, x2, y2 in case.boxes:
            entry = {"id": 1 + sum(map(len, boxes.values())), "image_id": number}
            entry |= {"category_id": 1 + CATEGORIES.index(finding), "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0}
            boxes[ask.split].append({**entry, "area": (x2 - x1) * (y2 - y1)})
    categories = [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, start=1)]
    for split in SPLITS:
        with new_file(root / "annotations" / f"{split}.json") as path:
            content = {"images": images[split], "annotations": boxes[split], "categories": categories}
            path.write_text(json.dumps(content, indent=1) + "\n")


def _divided(count: int) -> list[int]:
    """`count` images among the kinds of findings, by their weights, the first kinds first."""
    edges = np.rint(np.cumsum([0, *_WEIGHTS]) / sum(_WEIGHTS) * count).astype(int)
    return np.diff(edges).tolist()
