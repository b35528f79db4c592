"""Small stores with predictions whose truth and skill are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxrbench.foundation.files import sha256_of_json
from cxrbench.results.record import Record
from cxrbench.results.store import Store
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

HISTORY = pd.DataFrame({"epoch": [0], "loss": [0.5]})
LABELS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
CLASSES = ("normal", "bacterial", "viral")


def multi_label(skill: float, seed: int, n: int = 120, images_a_patient: int = 2) -> Predictions:
    """CheXpert's five labels: scores are `skill` times one fixed truth, plus noise of this seed."""
    truth = (np.random.default_rng(0).random((n, len(LABELS))) < 0.4).astype(np.float64)
    scores = skill * truth + np.random.default_rng(seed).standard_normal((n, len(LABELS)))
    return Predictions(_table(truth, scores, scores > skill / 2, images_a_patient), LABELS, exclusive=False)


def single_label(right: float, seed: int, n: int = 120, images_a_patient: int = 1) -> Predictions:
    """Three classes: a share `right` of the decisions is right; the truth is always the same."""
    truth = np.random.default_rng(0).integers(len(CLASSES), size=n)
    rng = np.random.default_rng(seed)
    decision = np.where(rng.random(n) < right, truth, (truth + rng.integers(1, len(CLASSES), size=n)) % len(CLASSES))
    scores = np.full((n, len(CLASSES)), 0.2) + 0.4 * np.eye(len(CLASSES))[decision]
    scores = scores + 0.01 * rng.random(scores.shape)
    table = _table(truth, scores / scores.sum(axis=1, keepdims=True), decision, images_a_patient)
    return Predictions(table, CLASSES, exclusive=True)


def _table(truth: np.ndarray, scores: np.ndarray, decision: np.ndarray, images_a_patient: int) -> pd.DataFrame:
    numbers = np.arange(len(truth))
    return pd.DataFrame(
        {
            "sample_id": [f"s{number:04d}" for number in numbers],
            "patient_id": [f"p{number // images_a_patient:04d}" for number in numbers],
            "study_id": [f"p{number // images_a_patient:04d}" for number in numbers],
            "truth": list(truth),
            "scores": list(scores),
            "decision": list(decision),
        }
    )


def record(**changes: object) -> Record:
    one = Record(
        fingerprint="0123456789abcdef",
        encoder="scratch",
        task="chexpert",
        variant="default",
        protocol="frozen",
        fraction=1.0,
        replicate=0,
        metrics={"auc": 0.7, "auc/Fracture": None},
        synthetic=True,
        task_version=1,
        weights={"sha256": "ab"},
        dataset={"name": "chexpert"},
        split={},
        settings={"image_size": 64},
        settings_hash="aaaaaaaa",
        seed=0,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def put(
    store: Path,
    predictions: Predictions,
    task: str = "chexpert",
    scored: Predictions | None = None,
    **changes: object,
) -> Record:
    """Save a trial whose metrics are those of the predictions, or of `scored`; gives its record."""
    metrics = tasks.get(task).score(scored or predictions)
    given = {"encoder": "scratch", "fraction": 100.0, "replicate": 0, "variant": "default", "protocol": "frozen"}
    given |= changes
    one = record(
        fingerprint=sha256_of_json([task, given])[:16],
        task=task,
        metrics=metrics,
        synthetic=False,
        weights={"sha256": f"weights of {given['encoder']}", "contamination": []},
        dataset={"name": task},
        split={"hash": "of the split"},
    )
    one = replace(one, **given)  # type: ignore[arg-type]
    Store(store).save(one, predictions, HISTORY)
    return one
