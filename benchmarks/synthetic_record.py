"""A multi-label record with every field that a real one fills: about 4 kB."""

from __future__ import annotations

import random

from cxrbench.results import Record

LABELS = tuple(f"Label {number}" for number in range(14))


def synthetic_record(random_numbers: random.Random) -> Record:
    """The record; benchmarks change its names and write it many times."""
    per_label = (f"{kind}/{label}" for kind in ("auc", "precision", "recall") for label in LABELS)
    return Record(
        fingerprint="0" * 16,
        encoder="encoder",
        task="chexpert",
        variant="default",
        protocol="frozen",
        fraction=1.0,
        replicate=0,
        metrics={name: random_numbers.random() for name in ("auc", "accuracy", "f1", *per_label)},
        synthetic=True,
        task_version=1,
        weights={"sha256": "0" * 64, "arch": "resnet50", "mean": [0.5] * 3, "std": [0.5] * 3, "contamination": []},
        dataset={"name": "chexpert", "fingerprint": "0" * 64, "images": 224316, "size": 224},
        split={part: {"images": 1000, "patients": 500} for part in ("train", "validation", "test")},
        settings={"image_size": 224, "probe": {"strengths": [0.1] * 9, "folds": 5}, "labels": {"policy": "ones"}},
        settings_hash="00000000",
        seed=0,
        resolved={"strengths": [0.1] * 14, "thresholds": {label: random_numbers.random() for label in LABELS}},
        notes=["labels without a training case in this draw: Label 3, Label 7"],
        provenance={"versions": {"torch": "2"}, "device": "cpu", "seconds": 1.5},
    )
