"""Who trains, validates and tests in a detection trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.foundation.errors import UserError
from cxrbench.tasks.detection.draw import boxed, draw, without_unboxed_siblings
from cxrbench.tasks.detection.settings import DrawSettings
from cxrbench.tasks.trial import Trial

PATIENTS, IMAGES = 60, 3
TRIAL = Trial("any", "made_up", "c4", "finetune", 100, 0)


def radiographs(boxed_patients: int = 30, val: bool = False) -> Radiographs:
    """Three images a patient, a fifth of the patients for the test; boxes on the first image of some patients."""
    numbers = np.arange(PATIENTS * IMAGES)
    samples = pd.DataFrame({"sample_id": [f"s{number:03}" for number in numbers]})
    samples["patient_id"] = [f"p{number:02}" for number in numbers // IMAGES]
    samples["study_id"], samples["path"] = samples["patient_id"], "x.png"
    samples["split"] = np.where(numbers // IMAGES % 5 == 0, "test", "train")
    if val:
        samples.loc[numbers // IMAGES % 5 == 1, "split"] = "val"
    chosen = samples["sample_id"][(numbers % IMAGES == 0) & (numbers // IMAGES < boxed_patients)]
    boxes = pd.DataFrame({"sample_id": chosen, "label": "opacity", "x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0})
    return Radiographs("made_up", Path("somewhere"), samples, ("opacity",), False, boxes=boxes)


def drawn(data: Radiographs, trial: Trial = TRIAL, **settings: object):
    return draw(data, trial, 1, DrawSettings(**settings), ("opacity",))  # type: ignore[arg-type]


def test_images_without_boxes_validate_and_test_and_do_not_train() -> None:
    data = radiographs()
    split = drawn(data)
    has = data.samples["sample_id"].isin(data.boxes["sample_id"]).to_numpy()  # type: ignore[index]
    assert has[split.train].all()
    for part in (split.validation, split.test):
        assert 0 < has[part].sum() < len(part)
    # Whole patients: three images each, in validation and test.
    assert len(split.test) == 12 * IMAGES
    patients = data.samples["patient_id"].to_numpy()
    # Of 24 patients with boxes and 24 without, a tenth of each validates.
    assert len(split.validation) == 4 * IMAGES
    assert len(split.train) == 22
    assert not set(patients[split.train]) & set(patients[split.validation])


def test_fractions_lie_inside_each_other_and_have_boxes() -> None:
    data = radiographs()
    whole = drawn(data)
    half = drawn(data, Trial("any", "made_up", "c4", "finetune", 50, 0))
    assert set(half.train) < set(whole.train)
    assert set(half.validation) < set(whole.validation)
    assert len(half.train) == 11
    assert np.array_equal(half.test, whole.test)


def test_neither_encoder_nor_variant_changes_the_draw_and_the_replicate_does() -> None:
    data = radiographs()
    same = drawn(data, Trial("another", "made_up", "dc5", "finetune", 100, 0))
    other = drawn(data, Trial("any", "made_up", "c4", "finetune", 100, 1))
    assert np.array_equal(same.train, drawn(data).train)
    assert not np.array_equal(other.train, drawn(data).train)


def test_own_validation_rows_are_taken_where_there_are_any() -> None:
    data = radiographs(val=True)
    split = drawn(data)
    assert (data.samples["split"][split.validation] == "val").all()
    assert len(split.validation) == 12 * IMAGES
    assert len(split.train) == 18
    assert (data.samples["split"][drawn(data, validation="drawn").validation] == "train").all()


@pytest.mark.parametrize(
    ("boxed_patients", "part", "way_out"),
    [(0, "train", "add images"), (1, "train", "add images"), (5, "validation", "validation_share to 0")],
)
def test_a_part_without_any_box_is_an_error_with_the_way_out(boxed_patients: int, part: str, way_out: str) -> None:
    with pytest.raises(UserError, match=f"of the {part} part of 100 % #0 has a box of opacity; .*{way_out}") as error:
        drawn(radiographs(boxed_patients))
    assert "\n" not in str(error.value)


def test_a_small_fraction_without_any_box_can_be_larger() -> None:
    with pytest.raises(UserError, match=r"of the validation part of 1 % #0 .*train on a larger fraction"):
        drawn(radiographs(), Trial("any", "made_up", "c4", "finetune", 1, 0))


def test_a_test_part_without_any_box_is_an_error() -> None:
    data = radiographs()
    assert data.boxes is not None
    tested = data.boxes["sample_id"].isin(data.samples["sample_id"][data.samples["split"] == "test"])
    with pytest.raises(UserError, match="of the test part"):
        drawn(replace(data, boxes=data.boxes[~tested]))


def test_without_a_share_nobody_validates() -> None:
    assert len(drawn(radiographs(5), validation_share=0).validation) == 0


def test_unboxed_siblings_are_dropped_everywhere_and_other_images_stay() -> None:
    data = radiographs()
    sibling = np.arange(len(data)) % IMAGES == 1
    marked = Radiographs(
        "made_up", data.root, data.samples.assign(unboxed_sibling=sibling), data.labels, False, boxes=data.boxes
    )
    kept = without_unboxed_siblings(marked)
    assert len(kept) == PATIENTS * 2
    assert kept.boxes is not None
    assert len(kept.boxes) == 30
    assert without_unboxed_siblings(data) is data


def test_boxed_keeps_the_rows_that_have_a_box() -> None:
    assert boxed(radiographs(), np.array([0, 1, 3, 4]), ("opacity",)).tolist() == [0, 3]
    data = radiographs()
    assert data.boxes is not None
    crowd = replace(data, boxes=data.boxes.assign(crowd=data.boxes["sample_id"] == "s003"))
    assert boxed(crowd, np.array([0, 1, 3, 4]), ("opacity",)).tolist() == [0]
    assert boxed(radiographs(), np.array([0, 1]), ("nodule",)).tolist() == []
