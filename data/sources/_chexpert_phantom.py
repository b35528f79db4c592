"""Phantom patients of CheXpert: how often findings occur, and which of them a report states, doubts or leaves out."""

from __future__ import annotations

import numpy as np

from ..phantom.case import PhantomPlan, PhantomRequest
from ._phantoms import sex, shares

# Share of training images of which a report states the label present, absent, uncertain. For the five labels of the
# competition counted in train.csv; for the others approximate, as only phantoms depend on them.
_STATED = {
    "No Finding": (0.10, 0.0, 0.0),
    "Enlarged Cardiomediastinum": (0.048, 0.097, 0.056),
    "Cardiomegaly": (0.121, 0.050, 0.036),
    "Lung Opacity": (0.473, 0.030, 0.025),
    "Lung Lesion": (0.041, 0.006, 0.007),
    "Edema": (0.234, 0.093, 0.058),
    "Consolidation": (0.066, 0.126, 0.124),
    "Pneumonia": (0.027, 0.013, 0.084),
    "Atelectasis": (0.149, 0.006, 0.151),
    "Pneumothorax": (0.087, 0.252, 0.014),
    "Pleural Effusion": (0.386, 0.158, 0.052),
    "Pleural Other": (0.016, 0.001, 0.012),
    "Fracture": (0.040, 0.011, 0.003),
    "Support Devices": (0.519, 0.027, 0.005),
}

# The label that makes each finding as frequent as it is; half of the uncertain ones are taken for true.
_LABEL_OF_FINDING = {
    "cardiomegaly": "Cardiomegaly",
    "nodule": "Lung Lesion",
    "edema": "Edema",
    "consolidation": "Consolidation",
    "atelectasis": "Atelectasis",
    "pneumothorax": "Pneumothorax",
    "effusion": "Pleural Effusion",
    "fracture": "Fracture",
    "device": "Support Devices",
}

_DENSE = ("opacity", "nodule", "mass", "consolidation", "atelectasis", "interstitial", "edema")


def plan(n: int, seed: int) -> PhantomPlan:
    """`n` images: several studies a training patient, one study a patient elsewhere, 14 % lateral."""
    generator = np.random.default_rng(seed)
    requests: PhantomPlan = []
    patient = 0
    for split, count in zip(("train", "val", "test"), shares(n, (0.68, 0.04, 0.28), "chexpert"), strict=True):
        images: PhantomPlan = []
        while len(images) < count:
            patient += 1
            studies = min(int(generator.geometric(1 / 2.9)), 20) if split == "train" else 1
            images += _patient(patient, split, studies, generator)
        requests += images[:count]
    return requests


def mentioned(request: PhantomRequest, labels: tuple[str, ...]) -> list[float]:
    """What the tables say of each label: 1, 0, -1 or NaN; equal for all images of a study.

    Training labels come from a report, which doubts some findings and does not mention most absent ones. The labels
    of the other two sets are radiologists': 1 or 0. No phantom shows `Pleural Other`, so its AUC is undefined.
    """
    truth = _truth(request.findings)
    if request.split != "train":
        return [float(truth[label]) for label in labels]
    draws = np.random.default_rng([request.patient, request.study]).random(len(labels))
    return [_report(label, truth[label], float(draw)) for label, draw in zip(labels, draws, strict=True)]


def _patient(patient: int, split: str, studies: int, generator: np.random.Generator) -> PhantomPlan:
    person, age = sex(generator), int(np.clip(generator.normal(60, 18), 18, 90))
    images: PhantomPlan = []
    findings: tuple[str, ...] = ()
    for study in range(1, studies + 1):
        # Half of the follow-ups look like the study before, as patients do.
        if study == 1 or generator.random() < 0.5:
            findings = _draw_findings(generator)
        portable = bool(generator.random() < 0.84)
        images.append(
            PhantomRequest(patient, study, 1, split, findings=findings, age=age, sex=person, portable=portable)
        )
        if generator.random() < 0.165:
            images.append(PhantomRequest(patient, study, 2, split, "lateral", findings, age, person))
    return images


def _draw_findings(generator: np.random.Generator) -> tuple[str, ...]:
    frequency = {finding: _true_share(label) for finding, label in _LABEL_OF_FINDING.items()}
    draws = generator.random(len(frequency))
    found = [finding for (finding, share), draw in zip(frequency.items(), draws, strict=True) if draw < share]
    if "nodule" in found and generator.random() < 0.3:
        found[found.index("nodule")] = "mass"
    # A second opacity beside a consolidation is what the phantoms call pneumonia.
    if "consolidation" in found and generator.random() < 0.5:
        found.append("opacity")
    return tuple(found)


def _truth(findings: tuple[str, ...]) -> dict[str, bool]:
    truth = {label: finding in findings for finding, label in _LABEL_OF_FINDING.items()}
    truth["Lung Lesion"] = "nodule" in findings or "mass" in findings
    truth["Enlarged Cardiomediastinum"] = truth["Cardiomegaly"]
    truth["Lung Opacity"] = any(finding in findings for finding in _DENSE)
    truth["Pneumonia"] = "consolidation" in findings and "opacity" in findings
    truth["Pleural Other"] = False
    truth["No Finding"] = not set(findings) - {"device"}
    return truth


def _true_share(label: str) -> float:
    present, _, uncertain = _STATED[label]
    return present + uncertain / 2


def _report(label: str, present: bool, draw: float) -> float:
    """1, 0, -1 or NaN (not mentioned), in the training set's proportions; `draw` is uniform in [0, 1)."""
    if label == "No Finding":
        return 1.0 if present else np.nan
    _, stated_absent, uncertain = _STATED[label]
    share = _true_share(label)
    if present:
        return -1.0 if draw < uncertain / 2 / share else 1.0
    doubted = uncertain / 2 / (1 - share)
    if draw < doubted:
        return -1.0
    return 0.0 if draw < doubted + stated_absent / (1 - share) else np.nan
