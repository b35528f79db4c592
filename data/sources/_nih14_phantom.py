"""Phantom patients of NIH ChestX-ray14, and its tables and folders as they were released in 2017."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...foundation.files import new_file, writing
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ._phantoms import images_per_patient, sex, shares, write_image

# The label that each of the phantoms' findings gets. Pneumonia is a consolidation with a second opacity. Emphysema,
# Pleural_Thickening and Hernia are never shown, so that their AUC is undefined.
_LABEL_OF_FINDING = {
    "atelectasis": "Atelectasis",
    "cardiomegaly": "Cardiomegaly",
    "effusion": "Effusion",
    "opacity": "Infiltration",
    "mass": "Mass",
    "nodule": "Nodule",
    "pneumothorax": "Pneumothorax",
    "consolidation": "Consolidation",
    "edema": "Edema",
    "interstitial": "Fibrosis",
}
# Share of the images with each label in Data_Entry_2017.csv; rarer ones are raised, for small phantoms to have some.
_SHARES = {
    "atelectasis": 0.103,
    "cardiomegaly": 0.025,
    "effusion": 0.119,
    "opacity": 0.177,
    "mass": 0.052,
    "nodule": 0.056,
    "pneumothorax": 0.047,
    "consolidation": 0.042,
    "edema": 0.021,
    "interstitial": 0.015,
}
_LEAST_SHARE = 0.04
_PNEUMONIA_OF_CONSOLIDATIONS = 0.4

# BBox_List_2017.csv has boxes of eight findings, one of them under a shorter name.
_BOX_LABELS = {
    "atelectasis": "Atelectasis",
    "cardiomegaly": "Cardiomegaly",
    "effusion": "Effusion",
    "opacity": "Infiltrate",
    "mass": "Mass",
    "nodule": "Nodule",
    "pneumothorax": "Pneumothorax",
}
_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
_BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
# The real table has such ages too.
_WRONG_AGE = 414
_IMAGES_A_FOLDER = 100
_LAST_FOLDER = 12
_IMAGES_AN_RGBA = 50


def plan(n: int, seed: int) -> PhantomPlan:
    """`n` images, 77 % of them for training; about three a patient, of which half look like the one before."""
    generator = np.random.default_rng(seed)
    requests: PhantomPlan = []
    patient = 0
    for split, count in zip(("train", "test"), shares(n, (86_524, 25_596), "nih14"), strict=True):
        # Real test patients have nine images each; a small phantom would have too few patients.
        for images in images_per_patient(count, mean=3.1, generator=generator):
            patient += 1
            person, age = sex(generator), int(np.clip(generator.normal(47, 17), 16, 95))
            findings: tuple[str, ...] = ()
            for study in range(1, images + 1):
                if study == 1 or generator.random() < 0.5:
                    findings = _draw_findings(generator)
                portable = bool(generator.random() < 0.4)
                requests.append(
                    PhantomRequest(patient, study, 1, split, findings=findings, age=age, sex=person, portable=portable)
                )
    return requests


def write(cases: Iterable[PhantomCase], root: Path) -> None:
    """Write images, `Data_Entry_2017.csv`, `BBox_List_2017.csv` and the two lists of names below `root`."""
    rows, boxes = [_HEADER], [_BOX_HEADER]
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for number, case in enumerate(cases):
        ask = case.request
        name = image_name(ask)
        folder = min(1 + number // _IMAGES_A_FOLDER, _LAST_FOLDER)
        rgba = number % _IMAGES_AN_RGBA == _IMAGES_AN_RGBA // 2
        _write_png(root / f"images_{folder:03d}" / "images" / name, case.pixels, rgba)
        age = ask.age if number else _WRONG_AGE
        side = case.pixels.shape[0]
        view = "AP" if ask.portable else "PA"
        described = f"{ask.study - 1},{ask.patient},{age},{ask.sex},{view},{side},{side},0.143,0.143,"
        rows.append(f"{name},{'|'.join(labels_of(ask.findings))},{described}")
        lists[ask.split].append(name)
        if ask.split == "test":
            boxes += _box_rows(name, case)
    _write_lines(root / "Data_Entry_2017.csv", [*rows, ""])
    if len(boxes) > 1:
        _write_lines(root / "BBox_List_2017.csv", [*boxes, ""])
    # The released lists end without a line feed.
    _write_lines(root / "train_val_list.txt", lists["train"])
    _write_lines(root / "test_list.txt", lists["test"])


def image_name(ask: PhantomRequest) -> str:
    """Patient and follow-up, as the released files are named; each study is one image."""
    return f"{ask.patient:08d}_{ask.study - 1:03d}.png"


def labels_of(findings: tuple[str, ...]) -> list[str]:
    """What the table says of an image that shows `findings`."""
    labels = {_LABEL_OF_FINDING[finding] for finding in findings}
    if {"consolidation", "opacity"} <= set(findings):
        labels.add("Pneumonia")
    return sorted(labels) or ["No Finding"]


def _draw_findings(generator: np.random.Generator) -> tuple[str, ...]:
    draws = generator.random(len(_SHARES))
    wanted = [max(share, _LEAST_SHARE) for share in _SHARES.values()]
    found = [finding for finding, share, draw in zip(_SHARES, wanted, draws, strict=True) if draw < share]
    if "consolidation" in found and "opacity" not in found and generator.random() < _PNEUMONIA_OF_CONSOLIDATIONS:
        found.append("opacity")
    return tuple(found)


def _box_rows(name: str, case: PhantomCase) -> list[str]:
    pneumonia = "Pneumonia" in labels_of(case.request.findings)
    rows = []
    for finding, x1, y1, x2, y2 in case.boxes:
        label = "Pneumonia" if pneumonia and finding == "opacity" else _BOX_LABELS.get(finding)
        if label:
            rows.append(f"{name},{label},{x1:g},{y1:g},{x2 - x1:g},{y2 - y1:g},,,")
    return rows


def _write_png(path: Path, pixels: np.ndarray, rgba: bool) -> None:
    if rgba:
        opaque = np.full_like(pixels, 255)
        pixels = np.stack([pixels, pixels, pixels, opaque], axis=2)
    write_image(path, pixels)


def _write_lines(path: Path, lines: list[str]) -> None:
    with writing(path), new_file(path) as beside:
        beside.write_text("\n".join(lines))
