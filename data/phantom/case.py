"""What a phantom image is asked to show, and what the generator gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

# The generator's own words for findings; each dataset's source maps them to its labels.
FINDINGS = (
    "opacity",
    "nodule",
    "mass",
    "consolidation",
    "atelectasis",
    "interstitial",
    "edema",
    "effusion",
    "pneumothorax",
    "cardiomegaly",
    "fracture",
    "device",
)


@dataclass(frozen=True)
class PhantomRequest:
    """One image that a dataset wants: who, which view, what is to be seen.

    Attributes:
        patient: number of the patient; equal numbers share one anatomy.
        study: number of the study within the patient; a study shares position and findings.
        image: number of the image within the study.
        split: train, val or test.
        view: frontal or lateral.
        findings: entries of FINDINGS, each drawn once or more; empty for a normal image.
        age: years, 0 to 95; children get another anatomy.
        sex: F or M.
        portable: True for an antero-posterior bedside image.
    """

    patient: int
    study: int
    image: int
    split: str
    view: Literal["frontal", "lateral"] = "frontal"
    findings: tuple[str, ...] = ()
    age: int = 55
    sex: Literal["F", "M"] = "F"
    portable: bool = False


PhantomPlan = list[PhantomRequest]


@dataclass(frozen=True)
class PhantomCase:
    """A drawn image with its truth.

    Attributes:
        request: what was asked for.
        pixels: uint8 [S, S], bright = dense.
        rib_free: uint8 [S, S], the same patient without ribs and clavicles and with noise drawn
            independently; None where twins were not asked for.
        boxes: (finding, x1, y1, x2, y2) in pixels.
        masks: (finding, bool [S, S]) in the order of `boxes`.
    """

    request: PhantomRequest
    pixels: np.ndarray
    rib_free: np.ndarray | None = None
    boxes: tuple[tuple[str, float, float, float, float], ...] = field(default=())
    masks: tuple[tuple[str, np.ndarray], ...] = field(default=())
