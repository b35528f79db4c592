from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrbench.data.conformance import check_dataset
from cxrbench.data.held_out import held_out
from cxrbench.data.image_sizes import image_sizes
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load, without
from cxrbench.data.sources.coco_detection import CocoDetection
from cxrbench.data.validation import validate
from cxrbench.foundation.errors import UserError

Json = dict[str, Any]
CATEGORIES = [{"id": 7, "name": "nodule"}, {"id": 3, "name": "opacity", "supercategory": "finding"}]
HEIGHT, WIDTH = 40, 60


def content(split: str, patients: bool = True) -> Json:
    """Three images of two patients: two boxes, one box, none. Ids begin anew in each file."""
    images = [
        {
            "id": at,
            "file_name": f"{split}_{at}.png",
            "width": WIDTH,
            "height": HEIGHT,
            "patient_id": f"{split}{at // 2}",
        }
        for at in (1, 2, 3)
    ]
    if not patients:
        images = [{key: value for key, value in image.items() if key != "patient_id"} for image in images]
    annotations = [
        {"id": 10, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10.5, 20], "area": 210, "iscrowd": 0},
        {"id": 11, "image_id": 2, "category_id": 7, "bbox": [0, 0, WIDTH, HEIGHT], "iscrowd": 1},
        {"id": 12, "image_id": 1, "category_id": 7, "bbox": [-0.5, 30, 20, 10.75]},
    ]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


def lay_out(root: Path, files: dict[str, Json], below: str = "") -> Path:
    for name, each in files.items():
        path = root / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(each))
        for image in each["images"]:
            file = root / "images" / below.format(split=path.stem) / image["file_name"]
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.zeros((HEIGHT, WIDTH), np.uint8))
    return root


def three(**options: Any) -> dict[str, Json]:
    return {f"annotations/{split}": content(split, **options) for split in ("train", "val", "test")}


def in_one(*splits: str | None) -> Json:
    """All nine images in one file, with a field `split` where one is given."""
    whole: Json = {"images": [], "annotations": [], "categories": CATEGORIES}
    for number, (name, split) in enumerate(zip(("train", "val", "test"), splits, strict=True)):
        each = copy.deepcopy(content(name))
        for image in each["images"]:
            whole["images"].append({**image, "id": image["id"] + 100 * number, **({"split": split} if split else {})})
        for box in each["annotations"]:
            moved = {"id": box["id"] + 100 * number, "image_id": box["image_id"] + 100 * number}
            whole["annotations"].append({**box, **moved})
    return whole


def read(root: Path) -> Radiographs:
    return load("coco_detection", root)


def boxes_of(found: Radiographs) -> list[list[object]]:
    assert found.boxes is not None
    return found.boxes.to_numpy(dtype=object).tolist()


def test_it_is_registered() -> None:
    assert isinstance(datasets.get("coco_detection"), CocoDetection)


def test_three_files_are_three_splits(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, three()))
    assert found.labels == ("nodule", "opacity")
    assert found.layout == "annotations/train.json, annotations/val.json, annotations/test.json"
    assert found.patients_known
    assert found.notes == ()
    assert not found.exclusive
    first = found.samples.iloc[0].to_dict()
    assert first["sample_id"] == "train_1"
    assert (first["patient_id"], first["path"], first["split"]) == ("train0", "images/train_1.png", "train")
    assert found.samples["split"].tolist() == ["train"] * 3 + ["val"] * 3 + ["test"] * 3
    assert found.samples.groupby("patient_id")["split"].nunique().max() == 1
    # Both categories, a nodule, nothing.
    np.testing.assert_array_equal(found.targets(), [[1, 1], [1, 0], [0, 0]] * 3)


def test_boxes_become_corners_in_their_images_and_keep_what_is_a_crowd(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, three()))
    assert boxes_of(found)[:3] == [
        ["train_1", "opacity", 1.0, 2.0, 11.5, 22.0, False],
        ["train_2", "nodule", 0.0, 0.0, 60.0, 40.0, True],
        # Half a pixel over the edge, and three quarters over the other.
        ["train_1", "nodule", 0.0, 30.0, 19.5, 40.0, False],
    ]
    assert len(boxes_of(found)) == 9


def test_other_names_of_files_and_folders_of_a_split(tmp_path: Path) -> None:
    plain = read(lay_out(tmp_path / "a", three()))
    renamed = {name.replace("annotations/", "annotations/instances_"): each for name, each in three().items()}
    assert read(lay_out(tmp_path / "b", renamed)).samples.equals(plain.samples)
    deep = read(lay_out(tmp_path / "c", three(), below="{split}"))
    assert deep.samples["path"][0] == "images/train/train_1.png"
    assert deep.samples["sample_id"][0] == "train/train_1"
    assert [row[1:] for row in boxes_of(deep)] == [row[1:] for row in boxes_of(plain)]
    named = three()
    for name, each in named.items():
        for image in each["images"]:
            image["file_name"] = f"{name.removeprefix('annotations/')}/{image['file_name']}"
    assert read(lay_out(tmp_path / "d", named)).samples.equals(deep.samples)


def test_one_file_says_the_splits(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, {"annotations": in_one("train", "val", "test")}))
    assert found.layout == "annotations.json"
    wanted = read(lay_out(tmp_path / "three", three()))
    assert found.samples.equals(wanted.samples)
    assert boxes_of(found) == boxes_of(wanted)


def test_without_splits_patients_are_held_out_by_hash(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, {"annotations/annotations": in_one(None, None, None)}))
    assert found.samples["split"].tolist() == held_out("coco_detection", found.samples["patient_id"]).tolist()
    assert found.notes == ("test set: the images of a fifth of the patients, by a hash",)


def test_without_patients_each_image_is_its_own(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, three(patients=False)))
    assert not found.patients_known
    assert found.samples["patient_id"].tolist() == found.samples["sample_id"].tolist()
    assert "every image counts as a patient" in found.notes[0]


def test_numbers_are_patients_too_and_the_validation_file_may_be_absent(tmp_path: Path) -> None:
    files = three()
    del files["annotations/val"]
    for each in files.values():
        for image in each["images"]:
            image["patient_id"] = int(image["id"]) + (100 if each is files["annotations/test"] else 0)
    found = read(lay_out(tmp_path, files))
    assert found.samples["patient_id"].tolist() == ["1", "2", "3", "101", "102", "103"]
    assert set(found.samples["split"]) == {"train", "test"}


def test_sizes_that_are_not_stated_are_those_of_the_files(tmp_path: Path) -> None:
    files = three()
    for each in files.values():
        each["images"] = [{key: value for key, value in image.items() if key != "width"} for image in each["images"]]
    assert boxes_of(read(lay_out(tmp_path, files)))[1][4:6] == [60.0, 40.0]
    files["annotations/train"]["annotations"][0]["bbox"] = [50, 0, 20, 10]
    lay_out(tmp_path, files)
    with pytest.raises(UserError, match=r"bbox \[50, 0, 20, 10\] of train_1 leaves its image of 60 x 40 pixels"):
        read(tmp_path)


def at(where: str, value: object) -> Callable[[Json], None]:
    """Sets `where`, such as `images.0.file_name`, in a file's content."""

    def change(whole: Json) -> None:
        *path, last = [int(part) if part.isdigit() else part for part in where.split(".")]
        place: Any = whole
        for part in path:
            place = place[part]
        place[last] = value

    return change


FAULTS: dict[str, tuple[Callable[[Json], None], str]] = {
    "inverted": (at("annotations.0.bbox", [20, 2, -10, 4]), "entry 1: bbox [20, 2, -10, 4] of train_1 has a width or"),
    "unknown image": (at("annotations.0.image_id", 99), "annotations entry 1: image_id 99 is not among the images"),
    "out of the folder": (
        at("images.2.file_name", "../../etc/passwd"),
        "images entry 3: '../../etc/passwd' leads out of the dataset's folder",
    ),
    "absolute": (at("images.2.file_name", "/etc/passwd"), "images entry 3: '/etc/passwd' leads out of"),
    "another drive": (at("images.2.file_name", "C:\\a.png"), "images entry 3: 'C:/a.png' leads out of"),
    "listed twice": (at("images.2.file_name", "train_2.png"), "images entry 3: train_2 is listed before, in"),
    "blank patient": (
        at("images.2.patient_id", None),
        "images entry 3: train_3 has no patient_id, though other images",
    ),
    "resized": (
        at("images.2.width", 120),
        "images entry 3: train_3 states 120 x 40 pixels, its image has 60 x 40: its boxes are those of another size",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_entry_is_named_in_one_line_and_its_image_can_be_left_out(tmp_path: Path, fault: str) -> None:
    change, said = FAULTS[fault]
    files = three()
    lay_out(tmp_path, files)
    files["annotations/train"] = copy.deepcopy(files["annotations/train"])
    change(files["annotations/train"])
    path = tmp_path / "annotations" / "train.json"
    path.write_text(json.dumps(files["annotations/train"]))
    reading = Reading()
    found = CocoDetection().read(tmp_path, reading)
    text = str(reading.problems.refusal("coco_detection"))
    assert said in text
    assert text.startswith(f"coco_detection: {path}, ")
    assert "\n" not in text
    left = without(found, reading.problems.reasons())
    # Where an image is listed twice, its entry took the place of another.
    many = {"listed twice": 7, "unknown image": 9}
    assert len(left) == many.get(fault, 8)
    assert not np.isnan(left.targets()).any()


def test_an_image_that_is_not_on_disk_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path, three())
    (tmp_path / "images" / "val_2.png").unlink()
    with pytest.raises(
        UserError, match=r"no image val_2, though a table lists it; complete the copy, or go on without"
    ):
        read(tmp_path)
    assert len(load("coco_detection", tmp_path, skip_unreadable=True)) == 8


def drop(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def put(name: str, text: str) -> Callable[[Path], object]:
    def write(root: Path) -> None:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)

    return write


def edit(where: str, value: object) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "annotations/train.json"
        whole = json.loads(path.read_text())
        at(where, value)(whole)
        path.write_text(json.dumps(whole))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("annotations/train.json", '{"images": ['), r"train\.json: not JSON: EOF .* line 1 column 12"),
        (
            edit("categories.1.name", "mass"),
            r"categories and those of train\.json differ in mass, opacity; list the same",
        ),
        (drop("annotations/test.json"), r"and no annotations/test\.json; name the file so whose images are tested, or"),
        (
            drop("annotations/train.json"),
            r"and no annotations/train\.json; name the file so whose images are trained on",
        ),
        (put("annotations/instances_val.json", "{}"), r"val\.json and annotations/instances_val\.json; take one away"),
        (
            put("annotations.json", "{}"),
            r"has annotations\.json and annotations/train\.json, .*/test\.json; take one of the two away",
        ),
        (lambda root: (root / "images").rename(root / "image"), r"no folder .*images; lay images/ beside"),
    ],
)
def test_what_makes_the_folder_unreadable_is_named_in_one_line(tmp_path: Path, change, said: str) -> None:
    change(lay_out(tmp_path, three()))
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_files_of_other_names_are_named(tmp_path: Path) -> None:
    lay_out(tmp_path, {"annotations/instances_train2017": content("train")})
    with pytest.raises(UserError, match=r"annotations/ has instances_train2017\.json: rename") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_splits_of_one_file_are_all_or_none(tmp_path: Path) -> None:
    lay_out(tmp_path, {"annotations": in_one("train", "valid", None)})
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    text = str(caught.value)
    assert text.startswith("coco_detection: 6 problems (6 x unknown split):")
    assert "images entry 4: split 'valid' is not known; each image needs one of train, val, test" in text
    assert "images entry 9: has no split" in text


def test_an_image_in_two_files_is_listed_twice(tmp_path: Path) -> None:
    files = three()
    files["annotations/test"]["images"][0]["file_name"] = "train_1.png"
    lay_out(tmp_path, files)
    with pytest.raises(
        UserError, match=r"test\.json, images entry 1: train_1 is listed before, in .*train\.json, images"
    ):
        read(tmp_path)


def test_a_file_that_is_no_image_is_left_to_whoever_decodes_it(tmp_path: Path) -> None:
    lay_out(tmp_path, three())
    (tmp_path / "images" / "train_3.png").write_bytes(b"nothing")
    found = read(tmp_path)
    assert len(found) == 9
    with pytest.raises(UserError, match=r"train_3\.png: not an image"):
        image_sizes(found)
    report = validate("coco_detection", tmp_path)
    assert "unreadable image" in [problem.kind for problem in report.problems]


def test_a_phantom_reads_back_with_the_boxes_that_were_drawn(tmp_path: Path) -> None:
    root = tmp_path / "phantom"
    write_phantom_dataset("coco_detection", root, 40, 64, rib_free=False)
    found = check_dataset("coco_detection", CocoDetection(), root)
    assert found.synthetic
    assert found.samples["split"].value_counts().to_dict() == {"train": 23, "val": 7, "test": 10}
    assert found.samples["patient_id"].nunique() < 40
    assert found.boxes is not None
    drawn = pd.read_csv(root / "phantom" / "boxes.csv")
    corners = ["x1", "y1", "x2", "y2"]
    wanted = drawn.assign(sample_id=[f"P{row.patient:05d}_{row.study}" for row in drawn.itertuples()])
    wanted = wanted.rename(columns={"finding": "label"})[["sample_id", "label", *corners]]
    order = ["sample_id", "label", *corners]
    ours = found.boxes[order].sort_values(order).reset_index(drop=True)
    wanted = wanted.sort_values(order).reset_index(drop=True)
    assert ours[["sample_id", "label"]].to_numpy().tolist() == wanted[["sample_id", "label"]].to_numpy().tolist()
    np.testing.assert_allclose(ours[corners], wanted[corners], atol=1e-4)
    sizes = image_sizes(found)
    assert {tuple(size) for size in sizes.tolist()} == {(64, 64), (64, 80)}
    assert validate("coco_detection", root).problems == ()


def test_many_entries_are_read_in_seconds(tmp_path: Path) -> None:
    images = [{"id": at, "file_name": f"{at % 9}.png", "width": 9, "height": 9} for at in range(9)]
    boxes = [{"id": at, "image_id": at % 9, "category_id": 3, "bbox": [0, 0, 5, 5]} for at in range(20_000)]
    lay_out(tmp_path, {"annotations": {"images": [], "annotations": [], "categories": CATEGORIES}})
    (tmp_path / "images").mkdir(exist_ok=True)
    for at in range(9):
        cv2.imwrite(str(tmp_path / "images" / f"{at}.png"), np.zeros((9, 9), np.uint8))
    whole = {"images": images, "annotations": boxes, "categories": CATEGORIES}
    (tmp_path / "annotations.json").write_text(json.dumps(whole))
    found = CocoDetection().read(tmp_path, Reading())
    assert len(boxes_of(found)) == 20_000
