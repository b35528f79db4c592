"""Splits of others on one's own copy: used where all fits, refused where an id, a patient, a label or an image does
not, or where the split leaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.imported_splits import ImportedSplits, compare_splits, import_splits, in_words
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.split_files import DrawName, SplitsOf, read_splits, write_splits
from cxrbench.data.splits import DrawKey, Split, draw_split
from cxrbench.foundation.errors import RefusedError, UserError

OF = SplitsOf("nih14", 1, "nih14", "f" * 64)
LABELS = ("Mass", "Nodule")
FIRST = DrawName("default", 100, 0)


def nih(patients: int = 40, n_test: int = 10) -> Radiographs:
    """Three images a patient, named as those of NIH; the last `n_test` patients are the official test set."""
    patient = np.repeat(np.arange(1, patients + 1), 3)
    number = np.tile(np.arange(3), patients)
    names = [f"{one:08d}_{which:03d}" for one, which in zip(patient, number, strict=True)]
    samples = pd.DataFrame(
        {
            "sample_id": names,
            "patient_id": [name[:8] for name in names],
            "study_id": names,
            "path": [f"images/{name}.png" for name in names],
            "split": np.where(patient > patients - n_test, "test", "train"),
            "view": "frontal",
            "Mass": (patient % 2).astype(float),
            "Nodule": (number % 2).astype(float),
        }
    )
    return Radiographs("nih14", Path("nowhere"), samples, LABELS, False)


def hashes(data: Radiographs) -> np.ndarray:
    return np.array([f"hash of {name}" for name in data.samples["sample_id"]])


def draws(data: Radiographs) -> dict[DrawName, Split]:
    return {
        DrawName("default", fraction, replicate): draw_split(data, DrawKey("nih14", 1, replicate), fraction, 0.2)
        for fraction in (30.0, 100.0)
        for replicate in range(3)
    }


def exported(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame] | None = None) -> Path:
    """The draws of `nih()` as a file, changed by hand where `change` is given; each states the rows that it has."""
    data = nih()
    write_splits(path, data, draws(data), OF, hashes(data))
    if change is not None:
        table = change(pd.read_csv(path, dtype=str))
        rows = table.groupby(["variant", "fraction", "replicate"])["role"].transform("size")
        table.assign(rows=rows).to_csv(path, index=False)
    return path


def imported(path: Path, data: Radiographs | None = None, of: SplitsOf = OF) -> ImportedSplits:
    data = data or nih()
    return import_splits(path, data, of, hashes(data))


def only_first(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["fraction"] == "100") & (table["replicate"] == "0")]


def test_an_imported_split_is_the_drawn_one(tmp_path: Path) -> None:
    data = nih()
    splits = imported(exported(tmp_path / "splits.csv"))
    assert splits.notes == ()
    for name, split in draws(data).items():
        found = splits.of(data, *name)
        assert found.digest(data) == split.digest(data)
        for role in ("train", "validation", "test"):
            assert np.array_equal(getattr(found, role), getattr(split, role))
            assert getattr(found, role).dtype == np.int64


def test_neither_the_order_of_the_file_nor_that_of_the_copy_matters(tmp_path: Path) -> None:
    path = exported(tmp_path / "splits.csv", lambda table: table.sample(frac=1, random_state=0))
    data = nih()
    order = np.random.default_rng(0).permutation(len(data))
    turned = replace(data, samples=data.samples.iloc[order].reset_index(drop=True))
    splits = imported(path, turned)
    for name, split in draws(data).items():
        found = splits.of(turned, *name)
        assert found.digest(turned) == split.digest(data)
        assert (np.diff(found.train) > 0).all()


def test_a_draw_that_the_file_lacks_is_named_with_those_it_has(tmp_path: Path) -> None:
    splits = imported(exported(tmp_path / "splits.csv"))
    message = (
        r"splits.csv: no draws of variant default: 10 % x 1; it holds variant default: 30 % x 3, 100 % x 3. Choose"
    )
    with pytest.raises(UserError, match=message):
        splits.of(nih(), "default", 10, 0)
    some = [DrawName("a", 1, 2), DrawName("a", 1, 0), DrawName("b", 10, 0)]
    assert in_words(some) == "variant a: 1 % replicates 0, 2; variant b: 10 % x 1"


def test_a_larger_copy_is_a_note(tmp_path: Path) -> None:
    path = exported(tmp_path / "splits.csv", lambda table: table[table["role"] != "validation"])
    data = nih()
    found = compare_splits(read_splits(path), data, replace(OF, fingerprint="other", version=2), hashes(data))
    assert found.mismatches == ()
    assert found.notes == (
        "written by version 1 of nih14, this one is version 2",
        "the copies differ as a whole, but not in what the file lists",
    )
    assert len(imported(path).of(data, *FIRST).validation) == 0


def test_a_file_of_another_task_or_dataset_is_refused(tmp_path: Path) -> None:
    path = exported(tmp_path / "splits.csv")
    with pytest.raises(RefusedError, match="the file is of task 'nih14', not of 'chexpert'"):
        imported(path, of=replace(OF, task="chexpert"))
    with pytest.raises(RefusedError, match="the file is of dataset 'nih14', not of 'rsna_pneumonia'"):
        imported(path, of=replace(OF, dataset="rsna_pneumonia"))


def test_an_image_that_differs_is_named(tmp_path: Path) -> None:
    data = nih()
    changed = hashes(data)
    changed[4] = "re-encoded"
    with pytest.raises(RefusedError, match=r"splits.csv: 1 sample \(00000002_001\) with another image file here"):
        import_splits(exported(tmp_path / "splits.csv"), data, OF, changed)


def test_changed_labels_patients_and_missing_images_are_all_named_at_once(tmp_path: Path) -> None:
    data = nih()
    samples = data.samples.copy()
    samples.loc[0, "Mass"] = 0.0
    samples.loc[3, "patient_id"] = "00000099"
    copy = replace(data, samples=samples[samples["sample_id"] != "00000040_002"].reset_index(drop=True))
    with pytest.raises(RefusedError) as caught:
        imported(exported(tmp_path / "splits.csv"), copy)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path / 'splits.csv'}: does not fit this copy of nih14:"
    assert lines[1:] == [
        "  1 sample (00000040_002) that nih14 at nowhere has not",
        "  1 sample (00000002_000) with another patient here",
        "  1 sample (00000001_000) with other labels here",
    ]


def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[0, "patient_id"] = "00000077"
        return table

    with pytest.raises(RefusedError, match="the file contradicts itself on 1 sample"):
        imported(exported(tmp_path / "splits.csv", change))


def test_validation_that_is_the_test_set_is_refused(tmp_path: Path) -> None:
    # MLVICX's released NIH lists: early stopping saw the test set.
    def change(table: pd.DataFrame) -> pd.DataFrame:
        kept = only_first(table)
        kept = kept[kept["role"] != "validation"]
        return pd.concat([kept, kept[kept["role"] == "test"].assign(role="validation")])

    message = (
        r"splits.csv: default 100 % replicate 0: validation and test are the same 10 patient_ids, and the scores would "
        "be too good"
    )
    with pytest.raises(RefusedError, match=message):
        imported(exported(tmp_path / "splits.csv", change))


def test_test_images_among_the_training_images_are_refused(tmp_path: Path) -> None:
    # A pair of NIH lists in use shares 7,667 of 11,219 test images with its training list.
    def change(table: pd.DataFrame) -> pd.DataFrame:
        kept = only_first(table)
        shared = kept[kept["role"] == "test"].head(20)
        return pd.concat([kept, shared.assign(role="train")])

    message = r"replicate 0: 7 of the patient_ids are both in train and in test \(00000031, 00000032, 00000033\)"
    with pytest.raises(RefusedError, match=message):
        imported(exported(tmp_path / "splits.csv", change))


def test_another_image_of_a_patient_on_the_other_side_is_refused(tmp_path: Path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        kept = only_first(table).reset_index(drop=True)
        kept.loc[kept.index[kept["role"] == "train"][0], "role"] = "validation"
        return kept

    with pytest.raises(RefusedError, match=r"1 of the patient_ids is both in train and in validation"):
        imported(exported(tmp_path / "splits.csv", change))


def test_a_side_that_is_empty_is_refused(tmp_path: Path) -> None:
    path = exported(tmp_path / "splits.csv", lambda table: table.query("role != 'test'"))
    with pytest.raises(RefusedError, match="default 100 % replicate 2: no test images in the file; give"):
        imported(path)


def test_unusual_test_sets_are_notes(tmp_path: Path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        # Patient 40 of the official test set trains in one draw, in which it is not tested.
        chosen = (table["patient_id"] == "00000040") & (table["fraction"] == "100") & (table["replicate"] == "0")
        table.loc[chosen, "role"] = "train"
        return table

    assert imported(exported(tmp_path / "splits.csv", change)).notes == (
        "the draws have 2 different test sets; trials of different ones are not comparable",
        "3 images (00000040_000, 00000040_001, 00000040_002) of the dataset's own test set train or validate here",
    )


def test_a_task_that_draws_by_itself_is_told_apart(tmp_path: Path) -> None:
    data = nih()
    splits = imported(exported(tmp_path / "splits.csv"))
    splits.require(draws(data)[FIRST], data, "nih14", FIRST)
    with pytest.raises(UserError, match="task nearest makes its own splits and cannot take them from a file"):
        splits.require(draws(data)[DrawName("default", 100, 1)], data, "nearest", FIRST)
