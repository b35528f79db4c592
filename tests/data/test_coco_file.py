"""Files of boxes: what is wrong with an entry is named by its list and place, and the others are read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.coco_file import box_table, image_table, read_coco
from cxrbench.data.problems import Problems
from cxrbench.foundation.errors import UserError

Json = dict[str, Any]
WHOLE: Json = {
    "images": [
        {"id": 1, "file_name": "train_1.png", "width": 60, "height": 40, "patient_id": "p"},
        {"id": "two", "file_name": "./images/sub\\train.2.png", "patient_id": 7, "split": "test"},
        {"id": 3, "file_name": "train_3.png", "height": 40},
    ],
    "annotations": [
        {"id": 10, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10.5, 20], "area": 210, "iscrowd": 0},
        {"id": 11, "image_id": "two", "category_id": 7, "bbox": [0, 0, 600, 400], "iscrowd": 1},
        {"image_id": 1, "category_id": 7, "bbox": [-0.5, 30, 20, 10.75]},
    ],
    "categories": [{"id": 7, "name": "nodule"}, {"id": 3, "name": " opacity "}],
}


def tables(path: Path, whole: Json, above: str = "") -> tuple[pd.DataFrame, pd.DataFrame, Problems]:
    path.write_text(json.dumps(whole))
    file, problems = read_coco(path), Problems()
    images = image_table(file, above, problems)
    return images, box_table(file, images, problems), problems


def at(where: str, value: object) -> Callable[[Json], None]:
    """Sets `where`, such as `images.0.file_name`, in a file's content."""

    def change(whole: Json) -> None:
        *path, last = [int(part) if part.isdigit() else part for part in where.split(".")]
        place: Any = whole
        for part in path:
            place = place[part]
        place[last] = value

    return change


def test_images_have_paths_ids_patients_and_sizes(tmp_path: Path) -> None:
    images, _, problems = tables(tmp_path / "train.json", WHOLE, above="train/")
    assert list(problems) == []
    assert images["path"].tolist() == ["train/train_1.png", "train/sub/train.2.png", "train/train_3.png"]
    assert images["sample_id"].tolist() == ["train/train_1", "train/sub/train.2", "train/train_3"]
    assert images["patient_id"].fillna("none").tolist() == ["p", "7", "none"]
    assert images["split"].fillna("none").tolist() == ["none", "test", "none"]
    np.testing.assert_array_equal(images[["width", "height"]], [[60, 40], [np.nan, np.nan], [np.nan, 40]])


def test_boxes_become_corners_cut_at_the_edges_that_are_known(tmp_path: Path) -> None:
    _, boxes, _ = tables(tmp_path / "train.json", WHOLE)
    assert boxes.to_numpy(dtype=object).tolist() == [
        ["train_1", "opacity", 1.0, 2.0, 11.5, 22.0, False],
        ["sub/train.2", "nodule", 0.0, 0.0, 600.0, 400.0, True],
        ["train_1", "nodule", 0.0, 30.0, 19.5, 40.0, False],
    ]


def test_a_file_without_boxes_has_a_table_of_none(tmp_path: Path) -> None:
    _, boxes, _ = tables(tmp_path / "train.json", {**WHOLE, "annotations": []})
    assert boxes.columns.tolist() == ["sample_id", "label", "x1", "y1", "x2", "y2", "crowd"]
    assert len(boxes) == 0
    assert boxes["x1"].dtype == np.float64


FAULTS: dict[str, tuple[Callable[[Json], None], str]] = {
    "not four numbers": (at("annotations.0.bbox", [1, 2, 3]), "annotations entry 1: bbox [1, 2, 3] of train_1 is not"),
    "text": (at("annotations.0.bbox", ["1", 2, 3, 4]), "is not four finite numbers"),
    "not finite": (at("annotations.0.bbox", [1, 2, float("inf"), 4]), "is not four finite numbers"),
    "not a number": (at("annotations.0.bbox", [1, float("nan"), 3, 4]), "is not four finite numbers"),
    "huge": (at("annotations.0.bbox", [1, 2, 10**400, 4]), "is not four finite numbers"),
    "true": (at("annotations.0.bbox", [True, 2, 3, 4]), "is not four finite numbers"),
    "no box": (at("annotations.0.bbox", None), "bbox None of train_1 is not four finite numbers"),
    "inverted": (at("annotations.0.bbox", [20, 2, -10, 4]), "entry 1: bbox [20, 2, -10, 4] of train_1 has a width or"),
    "flat": (at("annotations.0.bbox", [20, 2, 10, 0]), "has a width or height that is not above 0"),
    "outside": (
        at("annotations.2.bbox", [50, 2, 12, 5]),
        "entry 3: bbox [50, 2, 12, 5] of train_1 leaves its image of 60",
    ),
    "left of it": (at("annotations.0.bbox", [-2, 2, 12, 5]), "leaves its image of 60 x 40 pixels"),
    "beside it": (at("annotations.0.bbox", [60, 2, 0.5, 5]), "has nothing inside its image"),
    "unknown image": (at("annotations.0.image_id", 99), "annotations entry 1: image_id 99 is not among the images"),
    "no image": (at("annotations.0.image_id", [1]), "image_id [1] is not among the images"),
    "unknown category": (
        at("annotations.0.category_id", 4),
        "annotations entry 1: category_id 4 of train_1 is not among the categories; known: 7 (nodule), 3 (opacity)",
    ),
    "repeated box id": (at("annotations.1.id", 10), "annotations entry 2: id 10 is that of an annotation before"),
    "crowd of two": (at("annotations.1.iscrowd", 2), "iscrowd of sub/train.2 is 2; expected 0 or 1"),
    "no object": (at("annotations.1", 5), "annotations entry 2: not an object with image_id, category_id and bbox"),
    "no file name": (at("images.2.file_name", None), "images entry 3: file_name is None; expected the name of a file"),
    "name of two lines": (at("images.2.file_name", "a\nb.png"), "images entry 3: file_name is 'a\\nb.png'; expected"),
    "odd patient": (
        at("images.2.patient_id", 1.5),
        "images entry 3: patient_id is 1.5; expected a whole number or text",
    ),
    "odd width": (at("images.2.width", -60), "images entry 3: width is -60; expected a number of pixels"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_entry_is_one_problem_of_its_image_and_the_others_are_read(tmp_path: Path, fault: str) -> None:
    change, said = FAULTS[fault]
    whole = copy.deepcopy(WHOLE)
    change(whole)
    images, boxes, problems = tables(tmp_path / "train.json", whole)
    (problem,) = problems
    assert str(problem).startswith(f"{tmp_path}/train.json, ")
    assert said in str(problem)
    assert "\n" not in str(problem)
    nobodys = {"unknown image", "no image", "no object", "no file name", "name of two lines"}
    assert (problem.sample_id == "") == (fault in nobodys)
    assert len(images) == (2 if "name" in fault else 3)
    assert len(boxes) == (2 if ", annotations entry" in str(problem) else 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (at("annotations", {}), r": no list 'annotations'; COCO's form has images, annotations, categories$"),
        (at("images", []), r": its list 'images' is empty$"),
        (at("images.2.id", 1), r", images entry 3: id 1 is that of entry 1 too, .*; number them anew$"),
        (at("images.2.id", None), r", images entry 3: its id is None; expected a whole number or text$"),
        (at("categories", []), r": its list 'categories' is empty; it names what the boxes show$"),
        (at("categories.1.id", 7), r", categories entry 2: id 7 or name 'opacity' is that of a category before$"),
        (at("categories.1.name", "nodule"), r"categories entry 2: id 3 or name 'nodule' is that of a category before$"),
        (
            at("categories.1.name", ""),
            r", categories entry 2: id 3 and name ''; expected a number or text, and a name$",
        ),
        (at("categories.1.name", "split"), r"categories entry 2: a category cannot be called 'split', as a column"),
        (at("categories.1", 5), r", categories entry 2: id None and name None; expected"),
    ],
)
def test_a_file_that_cannot_be_told_apart_is_refused_in_one_line(tmp_path: Path, change, said: str) -> None:
    whole = copy.deepcopy(WHOLE)
    change(whole)
    with pytest.raises(UserError, match=said) as caught:
        tables(tmp_path / "train.json", whole)
    assert str(caught.value).startswith(str(tmp_path / "train.json"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"images": [', "not JSON: EOF while parsing a list at line 1 column 12"),
        (b"[" * 100_000, "not JSON: recursion limit"),
        (b"", "not JSON: EOF"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[1]", "not a JSON object with the lists images, annotations, categories"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "train.json").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_coco(tmp_path / "train.json")
    assert str(caught.value).startswith(f"{tmp_path}/train.json: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
