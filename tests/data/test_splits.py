"""Draws of patients, and leaks."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.data.splits import (
    DrawKey,
    Split,
    absent_labels,
    check_split,
    draw_patients,
    draw_split,
    hash_order,
)
from cxrbench.foundation.errors import RefusedError, UserError

KEY = DrawKey("chexpert", 1, 0)
PATIENTS = np.array([f"p{number:04d}" for number in range(1000)])


def radiographs(n_train: int = 300, n_test: int = 50, exclusive: bool = False) -> Radiographs:
    """Two images a training patient, one a test patient."""
    n = n_train + n_test
    is_train = np.arange(n) < n_train
    patient = np.where(is_train, np.arange(n) // 2, np.arange(n))
    classes = np.arange(n) % 3 if exclusive else np.zeros(n, dtype=int)
    labels = {name: (classes == index).astype(float) for index, name in enumerate("abc")}
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(n)],
            "patient_id": [f"p{number}" for number in patient],
            "study_id": [f"p{number}/1" for number in patient],
            "path": "x.png",
            "split": np.where(is_train, "train", "test"),
            "view": "frontal",
            **labels,
        }
    )
    return Radiographs("made_up", Path("nowhere"), samples, ("a", "b", "c"), exclusive)


def test_the_order_is_the_one_of_sha256_by_hand() -> None:
    names = np.array(["x", "y", "z"])
    digests = [hashlib.sha256(f"chexpert\x1f1\x1f0\x1f{name}".encode()).hexdigest() for name in names]
    assert list(hash_order(names, KEY)) == sorted(range(3), key=lambda place: digests[place])


def test_small_fractions_lie_inside_larger_ones_for_both_roles() -> None:
    draws = [draw_patients(PATIENTS, KEY, fraction, 0.1) for fraction in (1, 10, 50, 100)]
    for (small_train, small_validation), (large_train, large_validation) in pairwise(draws):
        assert set(small_train) < set(large_train)
        assert set(small_validation) < set(large_validation)
    assert [len(train) for train, _ in draws] == [9, 90, 450, 900]
    assert [len(validation) for _, validation in draws] == [1, 10, 50, 100]


def test_a_draw_does_not_depend_on_the_order_of_the_patients() -> None:
    there = draw_patients(PATIENTS, KEY, 10, 0.1)
    back = draw_patients(PATIENTS[::-1], KEY, 10, 0.1)
    assert set(there[0]) == set(back[0])
    assert set(there[1]) == set(back[1])


@pytest.mark.parametrize("key", [DrawKey("chexpert", 1, 1), DrawKey("chexpert", 2, 0), DrawKey("nih14", 1, 0)])
def test_replicate_version_and_task_each_change_the_draw(key: DrawKey) -> None:
    assert set(draw_patients(PATIENTS, KEY, 10, 0.1)[0]) != set(draw_patients(PATIENTS, key, 10, 0.1)[0])


def test_replicates_overlap_as_random_draws_do() -> None:
    drawn = [set(draw_patients(PATIENTS, DrawKey("t", 1, replicate), 50, 0.0)[0]) for replicate in range(10)]
    overlaps = [len(one & other) / 500 for one in drawn for other in drawn if one is not other]
    assert np.mean(overlaps) == pytest.approx(0.5, abs=0.02)


def test_strata_keep_their_shares_and_no_class_is_lost() -> None:
    strata = np.repeat([0, 1, 2], [900, 90, 10])
    train, _ = draw_patients(PATIENTS, KEY, 1, 0.1, strata)
    stratum_of = dict(zip(PATIENTS, strata, strict=True))
    counts = np.bincount([stratum_of[name] for name in train], minlength=3)
    assert list(counts) == [8, 1, 1]


def test_no_patient_is_on_two_sides_of_a_drawn_split() -> None:
    data = radiographs()
    split = draw_split(data, KEY, 50, 0.2)
    patients = data.samples["patient_id"].to_numpy()
    train, validation, test = (set(patients[rows]) for rows in (split.train, split.validation, split.test))
    assert not train & validation
    assert not train & test
    assert not validation & test
    # Both images of a patient go the same way.
    assert len(split.train) == 2 * len(train)


def test_a_patient_in_train_and_test_is_refused_and_named() -> None:
    data = radiographs()
    data.samples.loc[data.samples.index[-1], "patient_id"] = "p0"
    with pytest.raises(RefusedError, match=r"1 of the patient_ids .* both in train and in test \(p0\)"):
        draw_split(data, KEY, 100, 0.1)


def test_a_dataset_without_test_images_is_an_error_that_says_so() -> None:
    with pytest.raises(UserError, match="no test images"):
        draw_split(radiographs(n_test=0), KEY, 100, 0.1)


def test_the_digest_sees_roles_and_not_row_order() -> None:
    data = radiographs()
    split = draw_split(data, KEY, 50, 0.2)
    order = np.random.default_rng(0).permutation(len(data))
    shuffled = Radiographs("made_up", data.root, data.samples.iloc[order].reset_index(drop=True), data.labels, False)
    assert draw_split(shuffled, KEY, 50, 0.2).digest(shuffled) == split.digest(data)
    swapped = Split(split.validation, split.train, split.test)
    assert swapped.digest(data) != split.digest(data)


def test_absent_labels_are_named() -> None:
    data = radiographs()
    assert absent_labels(data, data.targets(), np.array([0, 1])) == ["b", "c"]


def test_two_sides_that_are_the_same_are_refused_as_such() -> None:
    data = radiographs()
    test = np.arange(300, 350)
    with pytest.raises(RefusedError, match="validation and test are the same 50 patient_ids"):
        check_split(data, Split(np.arange(300), test, test))


def test_unknown_patients_are_split_by_image() -> None:
    data = radiographs()
    by_image = Radiographs("made_up", data.root, data.samples, data.labels, False, patients_known=False)
    check_split(by_image, Split(np.array([0]), np.array([1]), np.array([2])))
