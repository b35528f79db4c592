"""Who is inverted and who calibrates, and which images are normal."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.normal_images import normals
from cxrbench.data.radiographs import Radiographs
from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.tasks.inversion.draw import draw
from cxrbench.tasks.inversion.settings import ImagesSettings
from cxrbench.tasks.trial import Trial

FEW = ImagesSettings(test=5, calibration=6)


def trial(fraction: float = 100, replicate: int = 0, encoder: str = "a", variant: str = "calibrated") -> Trial:
    return Trial(encoder, "gan_inversion", variant, "frozen", fraction, replicate)


def dataset(n: int = 60, labels: tuple[str, ...] = ("No finding",), order: np.ndarray | None = None) -> Radiographs:
    """Two images a patient, the last third of the patients in the test part, every label 1."""
    names = [f"s{number:03d}" for number in range(n)]
    patients = [f"p{number // 2:03d}" for number in range(n)]
    parts = ["test" if number >= 2 * n // 3 else "train" for number in range(n)]
    columns = {"sample_id": names, "patient_id": patients, "study_id": names, "path": "x.png", "split": parts}
    table = pd.DataFrame({**columns, "view": "frontal", **dict.fromkeys(labels, 1.0)})
    if order is not None:
        table = table.iloc[order].reset_index(drop=True)
    return Radiographs("vindr", Path("nowhere"), table, labels, False, synthetic=True)


def ids(data: Radiographs, rows: np.ndarray) -> set[str]:
    return set(data.samples["sample_id"].to_numpy()[rows])


def test_the_test_images_are_the_same_for_every_encoder_variant_replicate_and_fraction() -> None:
    data = dataset()
    first = draw(data, trial(), 1, FEW)
    assert len(first.test) == 5
    assert len(first.train) == 6
    assert len(first.validation) == 0
    for other in (trial(50), trial(replicate=3), trial(encoder="b"), trial(variant="raw")):
        assert np.array_equal(draw(data, other, 1, FEW).test, first.test)
    assert not np.array_equal(draw(data, trial(replicate=3), 1, FEW).train, first.train)
    assert np.array_equal(draw(data, trial(encoder="b", variant="raw"), 1, FEW).train, first.train)


def test_more_test_images_hold_fewer_and_a_file_order_changes_nothing() -> None:
    data = dataset()
    few, many = draw(data, trial(), 1, FEW), draw(data, trial(), 1, ImagesSettings(test=12, calibration=12))
    assert ids(data, few.test) < ids(data, many.test)
    assert ids(data, few.train) < ids(data, many.train)
    moved = dataset(order=np.random.default_rng(0).permutation(60))
    again = draw(moved, trial(), 1, FEW)
    assert (ids(moved, again.test), ids(moved, again.train)) == (ids(data, few.test), ids(data, few.train))


def test_a_fraction_is_a_prefix_of_the_calibration_patients() -> None:
    data = dataset()
    owners = []
    for fraction in (1, 34, 67, 100):
        rows = draw(data, trial(fraction), 1, FEW).train
        owners.append(set(data.samples["patient_id"].to_numpy()[rows]))
    assert [len(each) for each in owners] == [1, 1, 2, 3]
    assert all(small <= large for small, large in pairwise(owners))


def test_fewer_images_than_asked_for_are_all_taken_and_too_few_are_one_line() -> None:
    data = dataset(12)
    split = draw(data, trial(), 1, ImagesSettings())
    assert (len(split.train), len(split.test)) == (8, 4)
    with pytest.raises(UserError, match=r"vindr: 1 normal images in the test part; an inversion needs 2 or more"):
        draw(data.where(np.arange(12) < 9), trial(), 1, FEW)
    with pytest.raises(UserError, match="vindr: 0 normal images in the training part"):
        draw(data.where(np.arange(12) >= 8), trial(), 1, FEW)


def test_a_patient_on_two_sides_is_refused() -> None:
    data = dataset(12)
    leaking = replace(data, samples=data.samples.assign(patient_id="p000"))
    with pytest.raises(RefusedError, match="train and test are the same"):
        draw(leaking, trial(), 1, FEW)


def labelled(**columns: list[float]) -> Radiographs:
    n = len(next(iter(columns.values())))
    names = [f"s{number}" for number in range(n)]
    ours = {"sample_id": names, "patient_id": names, "study_id": names, "path": "x.png", "split": "train"}
    table = pd.DataFrame({**ours, "view": "frontal", **columns})
    return Radiographs("any", Path("nowhere"), table, tuple(columns), False)


def test_normal_is_what_all_readers_call_so_where_a_dataset_has_such_a_label() -> None:
    data = labelled(**{"Edema": [0, 0, 1, 0, np.nan], "No Finding": [1, 2 / 3, 0, -1, np.nan]})
    assert normals(data).tolist() == [True, False, False, False, False]
    assert normals(labelled(normal=[0, 1], viral=[1, 0])).tolist() == [False, True]


def test_without_such_a_label_all_must_be_0() -> None:
    assert normals(labelled(nodule=[0, 1, np.nan, -1])).tolist() == [True, False, False, False]


def test_lateral_images_are_left_away_and_a_label_can_be_named() -> None:
    data = labelled(negative=[1, 1, 0], other=[0, 0, 1])
    data = replace(data, samples=data.samples.assign(view=["frontal", "lateral", "unknown"]))
    assert normals(data, "negative").tolist() == [True, False, False]
    with pytest.raises(UserError, match="setting label: any: unknown label 'negatve'; did you mean 'negative'"):
        normals(data, "negatve")
    with pytest.raises(UserError, match="any: no normal frontal image"):
        normals(data)
