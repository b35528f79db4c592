from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data import load, read_image
from cxrbench.data.counts import count
from cxrbench.data.held_out import held_out
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.phantom.generate import generate
from cxrbench.data.source import datasets
from cxrbench.data.sources.node21 import NODE21
from cxrbench.foundation.errors import UserError

HEADER = ",img_name,label,x,y,width,height"
ROWS = [
    "0,n0001.mha,1,100,200,40,50",
    "1,n0001.mha,1,300,310.5,32,30",
    "2,n0002.mha,1,15,20,60,61",
    "3,c0003.mha,0,0,0,0,0",
    "4,c0004.mha,0,,,,",
]
IMAGES = ["n0001", "n0002", "c0003", "c0004"]


def lay_out(root: Path, rows: list[str] = ROWS, images: list[str] = IMAGES, place: str = "images") -> Path:
    (root / place).mkdir(parents=True)
    for image in images:
        (root / place / f"{image}.mha").touch()
    (root / "metadata.csv").write_text("\n".join([HEADER, *rows]))
    return root


def test_it_is_registered_with_the_known_counts() -> None:
    assert isinstance(datasets.get("node21"), NODE21)
    counts = NODE21.card.counts
    assert counts["all/nodule"] + counts["all/nodule=0"] == counts["all/images"] == 4882
    assert counts["all/boxes"] == 1476


@pytest.mark.parametrize("above", ["", "cxr_images/proccessed_data"])
@pytest.mark.parametrize("place", ["images", "data/images"])
def test_an_image_has_as_many_boxes_as_rows(tmp_path: Path, above: str, place: str) -> None:
    lay_out(tmp_path / above, place=place)
    found = load("node21", tmp_path)
    samples = found.samples
    assert samples["sample_id"].tolist() == IMAGES
    assert samples["nodule"].tolist() == [1, 1, 0, 0]
    assert all((found.root / path).is_file() for path in samples["path"])
    assert samples["split"].tolist() == held_out("node21", samples["sample_id"]).tolist()
    assert not found.patients_known
    assert found.boxes is not None
    assert found.boxes["sample_id"].tolist() == ["n0001", "n0001", "n0002"]
    np.testing.assert_array_equal(
        found.boxes[["x1", "y1", "x2", "y2"]], [[100, 200, 140, 250], [300, 310.5, 332, 340.5], [15, 20, 75, 81]]
    )
    counts = count(found, NODE21().parts(found))
    assert (counts["all/images"], counts["all/boxes"], counts["all/boxed images"]) == (4, 3, 2)


def test_rows_of_one_image_need_not_stand_together(tmp_path: Path) -> None:
    rows = [ROWS[index] for index in (0, 3, 2, 1, 4)]
    found = load("node21", lay_out(tmp_path, rows))
    assert found.samples["sample_id"].tolist() == ["n0001", "c0003", "n0002", "c0004"]
    assert found.samples["path"].tolist() == [f"images/{name}.mha" for name in found.samples["sample_id"]]
    assert found.boxes is not None
    assert len(found.boxes) == 3


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        (
            "15,20,60,61",
            "15,20,0,61",
            "box without an area",
            r"metadata\.csv, row 4: .* 0\.0, 61\.0 of n0002 are no box",
        ),
        ("15,20,60,61", "15,20,-3,61", "box without an area", r"-3\.0, 61"),
        ("15,20,60,61", "15,,60,61", "box without an area", r"15\.0, blank, 60"),
        ("15,20,60,61", "15,high,60,61", "box without an area", r"15\.0, high, 60"),
        ("n0001.mha,1,300", "n0001.mha,0,300", "contradiction", "n0001 has rows with label 0 and with label 1"),
        ("c0003.mha,0", "c0003.mha,2", "unknown label", r"row 5: column 'label': value '2' is not one of 0, 1"),
        ("c0003.mha", "../c0003.mha", "path outside the dataset", r"row 5: .*leads out of the dataset's folder"),
        ("c0003.mha", "", "no image named", "row 5: img_name is blank"),
    ],
)
def test_a_wrong_row_is_a_problem_with_its_number(tmp_path: Path, old: str, new: str, kind: str, said: str) -> None:
    from cxrbench.data.reading import Reading

    rows = "\n".join(ROWS).replace(old, new, 1).split("\n")
    reading = Reading()
    with pytest.raises(UserError, match=said):
        load("node21", lay_out(tmp_path, rows), reading=reading)
    assert kind in reading.problems.counts()


def test_a_dropped_box_leaves_the_label(tmp_path: Path) -> None:
    rows = "\n".join(ROWS).replace("15,20,60,61", "15,20,0,0").split("\n")
    from cxrbench.data.reading import Reading

    found = NODE21().read(lay_out(tmp_path, rows), Reading())
    assert found.samples["nodule"].tolist() == [1, 1, 0, 0]
    assert found.boxes is not None
    assert found.boxes["sample_id"].tolist() == ["n0001", "n0001"]


def test_a_listed_image_that_is_not_there_is_missing(tmp_path: Path) -> None:
    lay_out(tmp_path, images=IMAGES[1:])
    with pytest.raises(UserError, match="no image n0001"):
        load("node21", tmp_path)
    left = load("node21", tmp_path, skip_unreadable=True)
    assert left.samples["sample_id"].tolist() == IMAGES[1:]
    assert left.boxes is not None
    assert left.boxes["sample_id"].tolist() == ["n0002"]


def test_what_makes_the_folder_unreadable_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no metadata\.csv in .* or up to three folders below it"):
        load("node21", tmp_path)
    lay_out(tmp_path / "a")
    (tmp_path / "a" / "images").rename(tmp_path / "a" / "pictures")
    with pytest.raises(UserError, match=r"no folder images/ beside .*a/metadata\.csv"):
        load("node21", tmp_path)
    lay_out(tmp_path / "b")
    lay_out(tmp_path / "c")
    with pytest.raises(UserError, match=r"more than one copy, .*/b/metadata\.csv and .*/c/metadata\.csv"):
        load("node21", tmp_path)
    (tmp_path / "b" / "metadata.csv").write_text("img_name,label,x,y,w,h\n")
    with pytest.raises(UserError, match="lacks the columns width, height"):
        load("node21", tmp_path / "b")
    (tmp_path / "b" / "metadata.csv").write_text(f"{HEADER}\n0,,1,1,2,3,4\n1,,0,,,,\n")
    with pytest.raises(UserError, match="img_name is blank throughout"):
        load("node21", tmp_path / "b", skip_unreadable=True)


def test_lists_of_other_things_are_not_taken_for_the_table(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "non_nodule_metadata.csv").write_text("a,b\n")
    assert len(load("node21", tmp_path)) == 4


def test_a_phantom_reads_back_with_pixels_labels_and_boxes(tmp_path: Path) -> None:
    root = tmp_path / "phantom"
    write_phantom_dataset("node21", root, 20, 64, seed=4, rib_free=False)
    found = load("node21", root)
    cases = list(generate(NODE21().plan_phantom(20, seed=4), 64, seed=4))
    assert found.synthetic
    assert found.samples["nodule"].tolist() == [float(bool(case.boxes)) for case in cases]
    assert found.samples["nodule"].sum() == 5
    assert found.samples["split"].tolist() == [case.request.split for case in cases]
    for case, path in zip(cases, found.samples["path"], strict=True):
        np.testing.assert_array_equal(read_image(root / path), case.pixels.astype(np.uint16) * 16)
    assert found.boxes is not None
    expected = [corners for case in cases for _, *corners in case.boxes]
    np.testing.assert_array_equal(found.boxes[["x1", "y1", "x2", "y2"]].to_numpy(float), expected)


def test_a_phantom_has_nodules_as_often_as_the_real_set() -> None:
    plan = pd.Series([len(ask.findings) for ask in NODE21().plan_phantom(4882, seed=0)])
    assert (plan > 0).sum() == pytest.approx(1134, abs=2)
    assert plan.sum() == pytest.approx(1476, rel=0.03)
    assert plan.max() == 3
