from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrbench.data.counts import count
from cxrbench.data.image_reading import read_image
from cxrbench.data.phantom.case import FINDINGS, PhantomCase, PhantomRequest
from cxrbench.data.phantom.dataset import phantom_folder, write_phantom_dataset
from cxrbench.data.problems import Problems
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load
from cxrbench.data.sources._nih14_phantom import labels_of
from cxrbench.data.sources.nih14 import Nih14
from cxrbench.foundation.errors import UserError

# The headers of the two releases, and of the box list.
HEADER_2017 = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
HEADER_2020 = HEADER_2017.removesuffix(",")
HEADER_SAMPLE = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImageWidth,OriginalImageHeight,OriginalImagePixelSpacing_x,OriginalImagePixelSpacing_y"
)
BOXES = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
ROWS = [
    ("00000001_000.png", "Cardiomegaly"),
    ("00000001_001.png", "Cardiomegaly|Emphysema"),
    ("00000002_000.png", "No Finding"),
    ("00000003_000.png", "Infiltration|Hernia|Pleural_Thickening"),
]
TRAIN, TEST = [ROWS[0][0], ROWS[1][0]], [ROWS[2][0], ROWS[3][0]]
BOX = "00000003_000.png,Infiltrate,225.084745762712,547.019216763771,86.7796610169492,79.1864406779661"


def table_text(rows: list[tuple[str, str]], header: str = HEADER_2017, age: str = "414") -> str:
    end = "," if header.endswith(",") else ""
    return "\n".join([header, *(f"{a},{b},0,{int(a[:8])},{age},M,PA,2682,2749,0.143,0.143{end}" for a, b in rows), ""])


def lay_out(root: Path, folders: list[str] | None = None) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "Data_Entry_2017.csv").write_text(table_text(ROWS))
    (root / "train_val_list.txt").write_text("\n".join(TRAIN))
    (root / "test_list.txt").write_text("\n".join(TEST))
    (root / "BBox_List_2017.csv").write_text(f"{BOXES}\n{BOX},,,\n")
    for number, (name, _) in enumerate(ROWS):
        folder = root / (folders or ["images"])[number % len(folders or ["images"])]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return root


def read(root: Path, problems: Problems | None = None):
    reading = Reading(problems if problems is not None else Problems())
    return Nih14().read(root, reading)


def edit(name: str, old: str, new: str):
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return change


def test_it_is_registered_with_fourteen_findings_and_none() -> None:
    source = datasets.get("nih14")
    assert isinstance(source, Nih14)
    assert len(source.labels) == 15
    assert source.labels[14] == "No Finding"
    # Fourteen findings and none, each counted on the card.
    assert {f"all/{label}" for label in source.labels} <= set(source.card.counts)


def test_patients_splits_labels_and_boxes_are_read(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path))
    samples = found.samples
    assert samples["sample_id"].tolist() == ["00000001_000", "00000001_001", "00000002_000", "00000003_000"]
    assert samples["patient_id"].tolist() == ["00000001", "00000001", "00000002", "00000003"]
    assert samples["split"].tolist() == ["train", "train", "test", "test"]
    assert set(samples["view"]) == {"frontal"}
    stated = [{label for label in found.labels if row[label] == 1} for _, row in samples.iterrows()]
    assert stated == [
        {"Cardiomegaly"},
        {"Cardiomegaly", "Emphysema"},
        {"No Finding"},
        {"Infiltration", "Hernia", "Pleural_Thickening"},
    ]
    assert set(np.unique(found.targets())) == {0.0, 1.0}
    assert found.boxes is not None
    assert found.boxes["label"].tolist() == ["Infiltration"]
    np.testing.assert_allclose(
        found.boxes[["x1", "y1", "x2", "y2"]].to_numpy(), [[225.0847458, 547.0192168, 311.8644068, 626.2056574]]
    )
    assert found.notes == ()
    assert found.patients_known


@pytest.mark.parametrize(
    "folders",
    [["images"], ["images_001/images", "images_002/images", "images_012/images"], ["images_001"], ["images/images"]],
)
def test_images_are_found_flat_or_in_numbered_folders(tmp_path: Path, folders: list[str]) -> None:
    found = read(lay_out(tmp_path, folders))
    assert all((tmp_path / path).is_file() for path in found.samples["path"])
    assert folders[0] in found.layout


@pytest.mark.parametrize(
    ("name", "header", "age"),
    [
        ("Data_Entry_2017.csv", HEADER_2017, "058Y"),
        ("Data_Entry_2017_v2020.csv", HEADER_2020, "58"),
        ("sample_labels.csv", HEADER_SAMPLE, "040Y"),
    ],
)
def test_each_release_of_the_table_is_read(tmp_path: Path, name: str, header: str, age: str) -> None:
    lay_out(tmp_path)
    (tmp_path / "Data_Entry_2017.csv").unlink()
    (tmp_path / name).write_text(table_text(ROWS, header, age))
    found = read(tmp_path)
    assert len(found) == 4
    assert name in found.layout


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n\n"])
def test_lists_are_read_with_any_line_ends_paths_and_repetitions(tmp_path: Path, end: str, last: str) -> None:
    lay_out(tmp_path)
    lines = [f"images/{TRAIN[0]}", TRAIN[1], TRAIN[1]]
    (tmp_path / "train_val_list.txt").write_bytes(b"\xef\xbb\xbf" + (end.join(lines) + last).encode())
    assert read(tmp_path).samples["split"].tolist() == ["train", "train", "test", "test"]


def test_images_in_neither_list_are_left_away_and_noted(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "train_val_list.txt").write_text(TRAIN[0] + "\n00000009_000.png\n")
    found = read(tmp_path)
    assert found.samples["sample_id"].tolist() == ["00000001_000", "00000002_000", "00000003_000"]
    assert found.notes == (
        "1 of 4 images are in neither list and left away: 00000001_001.png",
        "1 of the 4 images of the two lists are not in Data_Entry_2017.csv",
        "1 images on disk are not used: Data_Entry_2017.csv or the lists do not name them",
    )


def test_a_copy_without_boxes_says_so(tmp_path: Path) -> None:
    (lay_out(tmp_path) / "BBox_List_2017.csv").unlink()
    found = read(tmp_path)
    assert found.boxes is None
    assert found.notes == ("no BBox_List_2017.csv: no boxes",)


def test_boxes_of_images_that_are_not_in_the_copy_are_noted(tmp_path: Path) -> None:
    path = lay_out(tmp_path) / "BBox_List_2017.csv"
    # Six values a row, as some copies have them.
    path.write_text(f"{BOXES}\n{BOX}\n{BOX.replace('00000003', '00029999')}\n")
    found = read(tmp_path)
    assert found.boxes is not None
    assert len(found.boxes) == 1
    assert found.notes == ("1 of 2 boxes are on images that are not in this copy",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "Data_Entry_2017.csv").unlink(), r"no Data_Entry_2017\.csv and no Data_Entry_2017_v2020"),
        (lambda root: (root / "test_list.txt").unlink(), r"no file .*test_list\.txt; it says which images are for"),
        (
            lambda root: shutil.copy(root / "test_list.txt", root / "train_val_list.txt"),
            "are the same list of 2 images; nothing tested on may be trained on",
        ),
        (
            edit("train_val_list.txt", TRAIN[1], TEST[1]),
            "share 1 of the 2 test images: 00000003_000.png; nothing tested on",
        ),
        (
            edit("test_list.txt", TEST[1], "3.png"),
            r"test_list\.txt, row 2: '3\.png' is not named like 00000001_000\.png",
        ),
        (lambda root: (root / "test_list.txt").write_text("\n"), r"test_list\.txt is empty"),
        (lambda root: (root / "test_list.txt").write_bytes(b"\xff\xfe0\x00"), r"test_list\.txt is not a text file"),
        (edit("Data_Entry_2017.csv", "Finding Labels", "Labels"), r"lacks the column Finding Labels"),
        (
            lambda root: (root / "Data_Entry_2017.csv").write_text(table_text(ROWS).replace("000", "x")),
            r"column 'Image Index': no name like 00000001_000\.png, the first is 'xx01_x\.png'",
        ),
        (
            lambda root: (root / "Data_Entry_2017.csv").write_text(table_text([("00000007_000.png", "Mass")])),
            "have no image in common",
        ),
        (
            lambda root: (root / "BBox_List_2017.csv").write_text("Image Index,Finding Label,x\na,Mass,3\n"),
            r"BBox_List_2017\.csv has no four columns with x, y, w, h",
        ),
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
            edit("Data_Entry_2017.csv", "|Emphysema", "|Emphysma"),
            "unknown label",
            "Data_Entry_2017.csv, row 3: column 'Finding Labels': 'Emphysma' is no finding",
            "00000001_001",
        ),
        (edit("Data_Entry_2017.csv", "No Finding", ""), "unknown label", "row 4: column 'Fi", "00000002_000"),
        (
            edit("Data_Entry_2017.csv", "No Finding", "No Finding|Mass"),
            "unknown label",
            "'No Finding|Mass' states findings and none",
            "00000002_000",
        ),
        (
            edit("Data_Entry_2017.csv", "00000002_000", "00000001_001"),
            "listed twice",
            "row 4: 00000001_001.png is listed before",
            "00000001_001.png",
        ),
        (
            edit("Data_Entry_2017.csv", "00000002_000.png", "../../00000002_000.png"),
            "unknown name",
            "row 4: column 'Image Index': '../../00000002_000.png' is not named",
            "../../00000002_000.png",
        ),
        (
            edit("BBox_List_2017.csv", "Infiltrate", "Infiltate"),
            "unknown label",
            "List_2017.csv, row 2",
            "00000003_000",
        ),
        (edit("BBox_List_2017.csv", "86.77", "-86.77"), "box without an area", "List_2017.csv, row 2", "00000003_000"),
        (edit("BBox_List_2017.csv", "225.08", "x225.08"), "box without an area", "x225.08", "00000003_000"),
    ],
)
def test_a_wrong_row_is_a_problem_and_the_rest_is_read(
    tmp_path: Path, change, kind: str, said: str, sample: str
) -> None:
    change(lay_out(tmp_path))
    problems = Problems()
    found = read(tmp_path, problems)
    assert problems.counts() == {kind: 1}
    problem = next(iter(problems))
    assert said in str(problem)
    assert problem.sample_id == sample
    assert len(found) >= 3
    if kind == "unknown label" and "Data" in said:
        assert np.isnan(found.targets()[found.samples["sample_id"] == sample]).all()


def test_an_image_that_is_not_on_disk_has_an_empty_path(tmp_path: Path) -> None:
    (lay_out(tmp_path) / "images" / TEST[0]).unlink()
    assert read(tmp_path).samples["path"].tolist().count("") == 1
    with pytest.raises(UserError, match="no image 00000002_000"):
        load("nih14", tmp_path)
    assert len(load("nih14", tmp_path, skip_unreadable=True)) == 3


def test_a_phantom_shows_its_labels_and_boxes_its_test_images(tmp_path: Path) -> None:
    source = Nih14()
    plan = source.plan_phantom(3000, seed=1)
    assert plan == source.plan_phantom(3000, seed=1)
    assert sum(ask.split == "test" for ask in plan) / 3000 == pytest.approx(25_596 / 112_120, abs=0.005)
    sides = {(ask.patient, ask.split) for ask in plan}
    assert len(sides) == len({patient for patient, _ in sides})
    shares = pd.Series([label for ask in plan for label in labels_of(ask.findings)]).value_counts() / 3000
    assert shares["No Finding"] == pytest.approx(60_361 / 112_120, abs=0.12)
    assert set(source.labels) - set(shares.index) == {"Emphysema", "Pleural_Thickening", "Hernia"}
    assert shares.min() > 0.02
    assert {finding for ask in plan for finding in ask.findings} <= set(FINDINGS)


def test_a_phantom_has_the_oddities_of_the_real_files(tmp_path: Path) -> None:
    write_phantom_dataset("nih14", tmp_path / "phantom", 120, 64, rib_free=False)
    root = tmp_path / "phantom"
    lines = (root / "Data_Entry_2017.csv").read_text().split("\n")
    assert lines[0] == HEADER_2017
    assert lines[1].split(",")[4] == "414"
    assert all(line.endswith(",") for line in lines[:-1])
    assert (root / "BBox_List_2017.csv").read_text().split("\n")[0] == BOXES
    assert not (root / "train_val_list.txt").read_text().endswith("\n")
    found = load("nih14", root)
    # The colour type is byte 25 of a PNG file: 6 is RGBA.
    assert [(root / path).read_bytes()[25] for path in found.samples["path"]].count(6) == 2
    assert {read_image(root / path).shape for path in found.samples["path"]} == {(64, 64)}
    assert found.boxes is not None
    test = set(found.samples["sample_id"][found.samples["split"] == "test"])
    assert set(found.boxes["sample_id"]) <= test
    assert (found.boxes[["x2", "y2"]] <= 64).all().all()
    # A box of a finding stands on an image with that label.
    stated = {
        (row["sample_id"], name) for _, row in found.samples.iterrows() for name in found.labels if row[name] == 1
    }
    assert set(zip(found.boxes["sample_id"], found.boxes["label"], strict=True)) <= stated


def test_boxes_of_a_phantom_are_where_the_findings_are(tmp_path: Path) -> None:
    ask = PhantomRequest(7, 2, 1, "test", findings=("consolidation", "opacity"))
    train = PhantomRequest(8, 1, 1, "train", findings=("mass",))
    black = np.zeros((64, 64), np.uint8)
    boxes = (("consolidation", 1.0, 2.0, 9.0, 10.0), ("opacity", 3.0, 4.0, 9.0, 20.0))
    cases = [PhantomCase(ask, black, boxes=boxes), PhantomCase(train, black, boxes=(("mass", 1.0, 1.0, 5.0, 5.0),))]
    Nih14().write_phantom(cases, tmp_path)
    found = read(tmp_path)
    assert found.boxes is not None
    assert found.boxes.to_numpy().tolist() == [["00000007_001", "Pneumonia", 3.0, 4.0, 9.0, 20.0]]
    assert found.samples[["Pneumonia", "Infiltration", "Mass"]].to_numpy().tolist() == [[1, 1, 0], [0, 0, 1]]


def test_the_phantom_of_a_cache_is_marked_synthetic(tmp_path: Path) -> None:
    assert load("nih14", phantom_folder("nih14", tmp_path, n=10, size=32)).synthetic


def test_a_partial_copy_of_the_real_files_is_read_whole(realdata: Path) -> None:
    found = load("nih14", realdata / "nih")
    assert len(found) == 133
    # grep -c on the files themselves.
    lines = [line for line in (realdata / "nih" / "Data_Entry_2017_v2020.csv").read_text().split("\n")[1:] if line]
    counts = count(found, Nih14().parts(found))
    for label in found.labels:
        assert counts[f"all/{label}"] == sum(label in line.split(",")[1].split("|") for line in lines)
    listed = {
        split: (realdata / "nih" / name).read_text().split()
        for split, name in (("train", "train_val_list.txt"), ("test", "test_list.txt"))
    }
    assert {split: counts[f"{split}/images"] for split in listed} == {s: len(names) for s, names in listed.items()}
    assert counts["all/boxed images"] == 19
    assert counts["test/boxes"] == 19
    assert found.boxes is not None
    box = found.boxes[found.boxes["sample_id"] == "00001369_000"]
    assert box["label"].tolist() == ["Cardiomegaly"]
    corners = box[["x1", "y1", "x2", "y2"]].to_numpy(dtype=np.float64)
    np.testing.assert_allclose(corners, [[336.999, 276.317, 890.717, 663.162]], atol=1e-3)


def test_real_images_are_read_grey_also_where_they_are_rgba(realdata: Path) -> None:
    found = load("nih14", realdata / "nih")
    folder = realdata / "nih"
    # The colour type is byte 25 of a PNG file: 6 is RGBA.
    rgba = [path for path in found.samples["path"] if (folder / path).read_bytes()[25] == 6]
    assert len(rgba) == 4
    for path in [*rgba, *found.samples["path"].iloc[:3]]:
        image = read_image(folder / path)
        assert image.shape == (1024, 1024)
        assert image.dtype == np.uint8
    colour = cv2.imread(str(folder / rgba[0]), cv2.IMREAD_UNCHANGED)
    assert colour is not None
    np.testing.assert_array_equal(read_image(folder / rgba[0]), colour[:, :, 0])
