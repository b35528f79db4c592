from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from cxrbench.data.image_reading import read_image
from cxrbench.data.phantom.case import FINDINGS
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.phantom.dicom_file import write_dicom
from cxrbench.data.phantom.marker import MARKER, PhantomMark, write_marker
from cxrbench.data.problems import Problems
from cxrbench.data.reading import Reading
from cxrbench.data.run_lengths import counts_from_text, mask_of
from cxrbench.data.source import datasets, load
from cxrbench.data.sources.siim_acr import SiimAcr
from cxrbench.foundation.errors import UserError

SOP = "1.2.276.0.7230010.3.1.4.8323329.{}.1517875166.8504"
FIRST, SECOND, THIRD, FOURTH = (SOP.format(number) for number in (1034, 5577, 12062, 300))
# Images of 4 rows and 3 columns; the second has two masks that overlap, the third ends at its last pixel.
ROWS = f"""ImageId, EncodedPixels
{FIRST}, -1
{SECOND},1 3
{SECOND},2 4 3 1
{THIRD},10 2
{FOURTH},-1
"""


def mark_as_made_up(root: Path) -> None:
    """The real images have 1024 x 1024 pixels; a phantom's may have any size."""
    write_marker(root, PhantomMark("siim_acr", 4, 4, 0, 1))


def lay_out(root: Path, size: tuple[int, int] = (4, 3)) -> Path:
    mark_as_made_up(root)
    (root / "train-rle.csv").write_text(ROWS)
    for number, name in enumerate((FIRST, SECOND, THIRD, FOURTH)):
        path = root / "dicom-images-train" / f"1.2.{number}" / f"1.3.{number}" / f"{name}.dcm"
        write_dicom(path, np.arange(size[0] * size[1], dtype=np.uint8).reshape(size), sop_uid=f"1.2.3.{number}")
    return root


def lay_out_second_stage(root: Path) -> Path:
    mark_as_made_up(root)
    (root / "stage_2_train.csv").write_text("ImageId,EncodedPixels\nID_8aeab6dc4,-1\nID_2b9f2d1a7,0 12\n")
    (root / "stage_2_images").mkdir()
    for name in ("ID_8aeab6dc4", "ID_2b9f2d1a7", "ID_0011fe81e", "ID_003206608", "ID_ffffffff0"):
        write_dicom(root / "stage_2_images" / f"{name}.dcm", np.arange(12, dtype=np.uint8).reshape(4, 3))
    return root


def read(root: Path, problems: Problems | None = None):
    return SiimAcr().read(root, Reading(problems if problems is not None else Problems()))


def edit(old: str, new: str):
    def change(root: Path) -> None:
        text = (root / "train-rle.csv").read_text()
        assert old in text
        (root / "train-rle.csv").write_text(text.replace(old, new, 1))

    return change


def test_labels_masks_and_nested_files_of_the_first_stage_are_read(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path))
    assert found.samples["sample_id"].tolist() == [FIRST, SECOND, THIRD, FOURTH]
    assert found.samples["pneumothorax"].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert found.layout == "stage 1"
    assert not found.exclusive
    assert all((tmp_path / path).is_file() for path in found.samples["path"])
    assert found.masks is not None
    assert found.masks["sample_id"].tolist() == [SECOND, THIRD]
    assert found.masks[["label", "height", "width"]].to_numpy().tolist() == [["pneumothorax", 4, 3]] * 2
    # Pixels 1 to 3 or 2 to 5, and 9; pixels 10 and 11.
    assert found.masks["counts"].tolist() == ["1 5 3 1 2", "10 2"]
    first = mask_of(counts_from_text(found.masks["counts"][0]), 4, 3)
    assert first.astype(int).tolist() == [[0, 1, 0], [1, 1, 1], [1, 0, 0], [1, 0, 0]]


def test_no_patient_is_known_and_the_card_names_nih(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path))
    assert not found.patients_known
    assert "no patients are known" in found.notes[0]
    assert datasets.get("siim_acr").card.drawn_from == ("nih14",)


def test_a_mapping_file_names_the_patients(tmp_path: Path) -> None:
    lay_out(tmp_path)
    names = [(FIRST, "00000013_026"), (SECOND, "00000013_027"), (THIRD, "00030254_002"), (FOURTH, "00000001_000")]
    lines = [f"{name},{nih}.png" for name, nih in names]
    (tmp_path / "nih_mapping.csv").write_text("\n".join(["ImageId,Image Index", *lines, ""]))
    found = read(tmp_path)
    assert found.patients_known
    assert found.samples["patient_id"].tolist() == ["00000013", "00000013", "00030254", "00000001"]
    assert found.samples["nih14_id"].tolist() == [nih for _, nih in names]


def test_the_flat_second_stage_is_read_and_files_without_a_row_are_counted(tmp_path: Path) -> None:
    lay_out_second_stage(tmp_path)
    found = read(tmp_path)
    assert found.layout == "stage 2"
    assert found.samples["path"].tolist() == ["stage_2_images/ID_8aeab6dc4.dcm", "stage_2_images/ID_2b9f2d1a7.dcm"]
    assert found.masks is not None
    assert found.masks["counts"].tolist() == ["0 12"]
    assert found.notes[-1] == ("3 DICOM files have no row in stage_2_train.csv and are left away")
    (tmp_path / "stage_2_sample_submission.csv").write_text("ImageId,EncodedPixels\nID_0011fe81e,-1\nID_003206608,-1\n")
    assert read(tmp_path).notes[-2:] == (
        "2 test images of the challenge have no labels and are left away",
        "1 DICOM files have no row in stage_2_train.csv and are left away",
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda root: (root / "train-rle.csv").unlink(),
            r"no train-rle\.csv \(beside dicom-images-train/\) and no stage",
        ),
        (lay_out_second_stage, r"train-rle\.csv and stage_2_train\.csv; take one away"),
        (edit(" EncodedPixels", "Pixels"), "lacks the column EncodedPixels"),
        (lambda root: (root / "train-rle.csv").write_text("ImageId, EncodedPixels\n,-1\n"), "blank throughout"),
    ],
)
def test_what_makes_the_folder_unreadable_is_named_in_one_line(tmp_path: Path, change, said: str) -> None:
    change(lay_out(tmp_path))
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "kind", "said", "sample"),
    [
        (
            edit("10 2", "10 3"),
            "wrong mask",
            f"row 5: the mask of {THIRD}: its runs end at pixel 13 of an image of 12",
            THIRD,
        ),
        (edit("2 4 3 1", "2 4 3"), "wrong mask", f"row 4: the mask of {SECOND}: 3 numbers", SECOND),
        (edit("1 3", "1 x"), "wrong mask", "row 3: the mask of", SECOND),
        (edit("10 2", "10 0"), "wrong mask", "its runs hold no pixel", THIRD),
        (edit("10 2", "-1 2"), "wrong mask", "'-1 2' is not pairs of whole numbers", THIRD),
        (edit("10 2", ""), "unknown label", f"row 5: EncodedPixels of {THIRD} is blank", THIRD),
        (edit("1 3", "-1"), "contradiction", f"row 3: {SECOND} has -1 here and a mask in row 4", SECOND),
        (edit(f"{FOURTH},", ","), "no image named", "row 6: ImageId is blank", ""),
    ],
)
def test_a_wrong_row_is_a_problem_and_its_image_has_no_mask(
    tmp_path: Path, change, kind: str, said: str, sample: str
) -> None:
    change(lay_out(tmp_path))
    problems = Problems()
    found = read(tmp_path, problems)
    assert problems.counts() == {kind: 1}
    problem = next(iter(problems))
    assert said in str(problem)
    assert problem.sample_id == sample
    assert found.masks is not None
    assert sample not in found.masks["sample_id"].tolist()
    assert len(found.masks) == 2 - (sample != "")
    labels = found.samples.set_index("sample_id")["pneumothorax"]
    if kind != "wrong mask" and sample:
        assert np.isnan(labels[sample])


def test_a_mask_that_is_too_large_for_a_smaller_copy_is_a_problem(tmp_path: Path) -> None:
    lay_out(tmp_path, size=(2, 3))
    problems = Problems()
    found = read(tmp_path, problems)
    assert problems.counts() == {"wrong mask": 2}
    assert found.masks is not None
    assert len(found.masks) == 0


def test_a_mask_of_another_size_than_its_image_is_a_problem(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / MARKER).unlink()
    problems = Problems()
    found = read(tmp_path, problems)
    assert [str(problem) for problem in problems] == [
        f"{tmp_path}/train-rle.csv, row 3: {SECOND} has 3 x 4 pixels, its mask is drawn on 1024 x 1024",
        f"{tmp_path}/train-rle.csv, row 5: {THIRD} has 3 x 4 pixels, its mask is drawn on 1024 x 1024",
    ]
    assert found.masks is not None
    assert len(found.masks) == 0
    assert load("siim_acr", tmp_path, skip_unreadable=True).samples["sample_id"].tolist() == [FIRST, FOURTH]


def test_a_row_without_a_file_has_an_empty_path_and_the_released_size(tmp_path: Path) -> None:
    lay_out(tmp_path)
    for path in (tmp_path / "dicom-images-train").glob(f"*/*/{THIRD}.dcm"):
        path.unlink()
    found = read(tmp_path)
    assert found.samples["path"].tolist().index("") == 2
    assert found.masks is not None
    assert found.masks[["height", "width"]].to_numpy().tolist() == [[4, 3], [1024, 1024]]
    with pytest.raises(UserError, match=f"no image {THIRD}"):
        load("siim_acr", tmp_path)


def test_a_phantom_has_the_real_share_of_pneumothoraces() -> None:
    plan = SiimAcr().plan_phantom(2000, seed=2)
    assert plan == SiimAcr().plan_phantom(2000, seed=2)
    shown = sum("pneumothorax" in ask.findings for ask in plan)
    assert shown / 2000 == pytest.approx(2669 / 12_047, abs=0.001)
    assert {finding for ask in plan for finding in ask.findings} <= set(FINDINGS)


def test_a_phantom_reads_back_with_its_masks_and_the_real_files_oddities(tmp_path: Path) -> None:
    root = tmp_path / "phantom"
    write_phantom_dataset("siim_acr", root, 60, 64, rib_free=False)
    lines = (root / "train-rle.csv").read_text().split("\n")
    assert lines[0] == "ImageId, EncodedPixels"
    assert {line.split(",")[1] for line in lines if line.endswith("-1")} == {"-1", " -1"}
    found = load("siim_acr", root)
    assert len(found) == 60
    names = [line.split(",")[0] for line in lines[1:] if line]
    assert len(names) > len(set(names)) == 60
    # What the generator says it drew, joined.
    drawn = pd.read_csv(root / "phantom" / "masks.csv")
    drawn = drawn[drawn["finding"] == "pneumothorax"]
    wanted = [
        np.logical_or.reduce([mask_of(counts_from_text(text), 64, 64) for text in rows["counts"]])
        for _, rows in drawn.groupby(["patient", "study", "image"])
    ]
    assert found.masks is not None
    assert len(found.masks) == len(wanted) == found.samples["pneumothorax"].sum()
    for text, mask in zip(found.masks["counts"], wanted, strict=True):
        np.testing.assert_array_equal(mask_of(counts_from_text(text), 64, 64), mask)
    file = root / found.samples["path"][0]
    header = pydicom.dcmread(file)
    assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert "WindowCenter" not in header
    assert header.SOPInstanceUID == found.samples["sample_id"][0]
    assert read_image(file).shape == (64, 64)
