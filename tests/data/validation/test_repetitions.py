"""Equal images, and patients on two sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxrbench.data.radiographs import Radiographs
from cxrbench.data.validation.repetitions import patients_on_two_sides, repeated_images


def dataset(rows: list[tuple[str, str, str]], patients_known: bool = True) -> Radiographs:
    samples = pd.DataFrame(rows, columns=["sample_id", "patient_id", "split"])
    samples["path"] = samples["sample_id"] + ".png"
    return Radiographs("tiny", Path("root"), samples, (), exclusive=False, patients_known=patients_known)


def test_equal_images_across_splits_are_a_problem_and_inside_one_a_note() -> None:
    found = dataset(
        [(name, f"p{name}", split) for name, split in zip("abcdef", ["train"] * 4 + ["test"] * 2, strict=True)]
    )
    problems, notes = repeated_images(found, np.array(["1", "2", "1", "3", "2", ""], dtype=object))
    (problem,) = problems
    assert str(problem) == "root/b.png: (train) is bit-equal to e.png (test)"
    assert (problem.kind, problem.sample_id) == ("same image in two splits", "")
    assert notes == [
        "1 group of bit-equal images inside a split, 2 images, such as a.png = c.png",
        "1 group of these stands under several patients, such as pa and pc",
    ]


def test_images_that_could_not_be_read_are_not_equal() -> None:
    found = dataset([("a", "p", "train"), ("b", "p", "test")])
    assert repeated_images(found, np.array(["", ""], dtype=object)) == ([], [])


def test_each_patient_on_two_sides_is_named_with_both() -> None:
    found = dataset(
        [("a", "p", "train"), ("b", "q", "train"), ("c", "p", "test"), ("d", "q", "train"), ("e", "p", "test")]
    )
    (problem,) = patients_on_two_sides(found)
    assert str(problem) == "patient p: has images in test (2, such as c) and train (1, such as a)"
    assert patients_on_two_sides(dataset([("a", "p", "train"), ("c", "p", "test")], patients_known=False)) == []
