"""Amounts a class, the three variants of the six classes, and empty classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.foundation.errors import UserError
from cxrbench.tasks.classification.draw import draw
from cxrbench.tasks.classification.settings import DrawSettings
from cxrbench.tasks.trial import Trial

LABELS = ("normal", "nodule", "effusion")
SIZES = {"train": (60, 20, 40), "val": (5, 5, 5), "test": (7, 7, 7)}


def imbalanced() -> Radiographs:
    rows = []
    for split, sizes in SIZES.items():
        for index, size in enumerate(sizes):
            for number in range(size):
                name = f"{split}-{LABELS[index]}-{number}"
                patient = f"{split}-{LABELS[index]}-{number // 2}"
                rows.append((name, patient, patient, f"{name}.png", split, "frontal", *np.eye(3)[index]))
    columns = ["sample_id", "patient_id", "study_id", "path", "split", "view", *LABELS]
    return Radiographs("six_class", Path("nowhere"), pd.DataFrame(rows, columns=columns), LABELS, exclusive=True)


def counts(variant: str, fraction: float = 100, **settings: object) -> list[int]:
    data = imbalanced()
    chosen = DrawSettings.model_validate({"validation": "val", "smallest": ["undersampled"], **settings})
    split = draw(data, Trial("any", "six_class", variant, "frozen", fraction, 0), 1, chosen)
    assert list(data.targets()[split.validation].sum(axis=0)) == [5, 5, 5]
    assert list(data.targets()[split.test].sum(axis=0)) == [7, 7, 7]
    return data.targets()[split.train].sum(axis=0).astype(int).tolist()


def test_the_full_variant_keeps_every_image() -> None:
    assert counts("full") == [60, 20, 40]


def test_the_undersampled_variant_cuts_every_class_to_the_smallest() -> None:
    assert counts("undersampled") == [20, 20, 20]


def test_amounts_are_images_or_shares() -> None:
    assert counts("modified", amounts={"modified": {"normal": 30, "effusion": 0.25}}) == [30, 20, 10]


def test_amounts_beyond_the_class_keep_what_there_is() -> None:
    assert counts("modified", amounts={"modified": {"nodule": 500}}) == [60, 20, 40]


def test_a_fraction_is_drawn_class_by_class() -> None:
    assert counts("full", fraction=10) == [6, 2, 4]


def test_an_unknown_class_in_the_amounts_is_named() -> None:
    with pytest.raises(UserError, match=r"draw\.amounts\.modified: unknown class 'nodul'; did you mean 'nodule'"):
        counts("modified", amounts={"modified": {"nodul": 3}})


def test_an_empty_class_is_an_error_before_training() -> None:
    data = imbalanced()
    no_nodules = data.where(~((data.samples["split"] == "train") & (data.samples["nodule"] == 1)).to_numpy())
    with pytest.raises(UserError, match="no training image of class nodule"):
        draw(no_nodules, Trial("any", "six_class", "full", "frozen", 100, 0), 1, DrawSettings(validation="val"))
