from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrbench.data import load, read_image
from cxrbench.data.counts import count
from cxrbench.data.held_out import held_out
from cxrbench.data.phantom.case import PhantomCase
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets
from cxrbench.data.sources.jsrt import JSRT
from cxrbench.foundation.errors import UserError

# As released: tabs, carriage returns without line feeds, an unknown age, a last field with blanks, blank rows at the
# end, and positions with brackets. Names, places and sizes are those of the first rows; the rest is made up.
ROWS = [
    "JPCLN001.IMG\t5\t15\t53\tmale\t1634\t692\tmalignant\tl.upper lobe\tlung cancer",
    "JPCLN002.IMG\t5\t30\t?\tfemale\t1614\t1090\tbenign\tl.upper lobe(S5)\tpulmonary hematoma",
    "JPCLN003.IMG\t5\t30\t63\tfemale\t1303\t447\tmalignant\tl.upper lobe(S1+2)\tlung cancer\t\t",
]
FILMS = ["JPCLN001", "JPCLN002", "JPCLN003", "JPCNN001", "JPCNN002"]


def lay_out(root: Path, films: list[str] = FILMS, folder: str = "All247images", suffix: str = ".IMG") -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for film in films:
        (root / folder / f"{film}{suffix}").touch()
    return root


def with_table(root: Path, rows: list[str] = ROWS, end: str = "\r") -> Path:
    path = root / "Clinical_Information" / "CLNDAT_EN.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(row + end for row in rows).encode() + end.encode())
    return root


def read(root: Path) -> tuple[Radiographs, Reading]:
    reading = Reading()
    return JSRT().read(root, reading), reading


def corners(found: Radiographs, row: int) -> list[float]:
    assert found.boxes is not None
    return found.boxes[["x1", "y1", "x2", "y2"]].to_numpy(float)[row].tolist()


def test_it_is_registered_and_its_counts_are_the_known_ones() -> None:
    assert isinstance(datasets.get("jsrt"), JSRT)
    counts = JSRT.card.counts
    assert counts["all/nodule"] + counts["all/nodule=0"] == counts["all/images"] == 247


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", ""])
def test_boxes_are_squares_of_the_nodules_size_around_its_centre(tmp_path: Path, end: str) -> None:
    found, reading = read(with_table(lay_out(tmp_path), end=end))
    assert len(reading.problems) == 0
    assert found.samples["sample_id"].tolist() == FILMS
    assert found.samples["nodule"].tolist() == [1, 1, 1, 0, 0]
    assert found.boxes is not None
    assert found.boxes["sample_id"].tolist() == FILMS[:3]
    # 15 mm are 15 / 0.175 = 85.714 pixels.
    half = 42.857142857
    expected = [1634 - half, 692 - half, 1634 + half, 692 + half]
    np.testing.assert_allclose(corners(found, 0), expected)
    assert (found.boxes["x2"] - found.boxes["x1"])[1] == pytest.approx(30 / 0.175)
    assert not found.patients_known
    assert found.layout == "raw .IMG"


def test_the_table_is_known_by_its_name_in_any_case_and_by_no_other(tmp_path: Path) -> None:
    table = with_table(lay_out(tmp_path)) / "Clinical_Information" / "CLNDAT_EN.txt"
    table = table.rename(table.with_name("clndat_en.TXT"))
    found, _ = read(tmp_path)
    assert found.boxes is not None
    assert len(found.boxes) == 3
    table.rename(table.with_name("old_CLNDAT_EN.txt"))
    assert read(tmp_path)[0].boxes is None


def test_a_table_whose_tabs_became_blanks_is_read_too(tmp_path: Path) -> None:
    found, reading = read(with_table(lay_out(tmp_path), [row.replace("\t", "  ") for row in ROWS]))
    assert len(reading.problems) == 0
    assert found.boxes is not None
    assert found.boxes["x1"].round().tolist() == [1591, 1528, 1217]


def test_a_fifth_is_held_out_by_the_films_name(tmp_path: Path) -> None:
    films = [f"JPCLN{number:03d}" for number in range(1, 155)] + [f"JPCNN{number:03d}" for number in range(1, 94)]
    found, _ = read(lay_out(tmp_path, films))
    assert found.notes == ("no boxes: neither CLNDAT_EN.txt nor jsrt_metadata.csv lies there",)
    assert found.boxes is None
    pd.testing.assert_series_equal(found.samples["split"], held_out("jsrt", found.samples["sample_id"]))
    counts = count(found, JSRT().parts(found))
    assert (counts["all/images"], counts["all/nodule"], counts["all/nodule=0"]) == (247, 154, 93)
    assert 35 < (found.samples["split"] == "test").sum() < 65


def test_the_two_folders_of_the_release_and_names_in_small_letters_are_found(tmp_path: Path) -> None:
    lay_out(tmp_path, FILMS[:3], "Nodule154images")
    lay_out(tmp_path, [film.lower() for film in FILMS[3:]], "NonNodule93images", ".img")
    found, _ = read(tmp_path)
    assert found.samples["sample_id"].tolist() == FILMS
    assert all((tmp_path / path).is_file() for path in found.samples["path"])


def test_of_several_copies_the_raw_one_is_read_and_pairs_without_bones_never(tmp_path: Path) -> None:
    lay_out(lay_out(tmp_path), folder="png", suffix=".png")
    lay_out(lay_out(tmp_path, folder="BSE_JSRT", suffix=".png"), folder="augmented/source", suffix=".png")
    lay_out(tmp_path, ["._JPCLN001"], "__MACOSX/All247images")
    found, _ = read(tmp_path)
    assert found.samples["path"].tolist() == [f"All247images/{film}.IMG" for film in FILMS]
    assert found.notes[0].startswith("5 further copies of the same films are left out")


def write_png(path: Path, height: int, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width), np.uint8))


def test_boxes_are_scaled_to_smaller_conversions_with_their_own_table(tmp_path: Path) -> None:
    for film in FILMS:
        write_png(tmp_path / "images" / "images" / f"{film}.png", 1024, 1024)
    rows = [
        "study_id,subtlety,size,age,gender,x,y,state,position,diagnosis",
        "JPCLN001.png,5,15,53,male,1634,692,malignant,l.upper lobe,lung cancer",
        'JPCLN002.png,5,30,,female,1614,1090,benign,"l.upper lobe, S5",pulmonary hematoma',
        "JPCLN003.png,5,30,63,female,1303,447,malignant,l.upper lobe,lung cancer",
        "JPCNN001.png,,,60,male,,,non-nodule,,normal",
    ]
    (tmp_path / "jsrt_metadata.csv").write_text("\n".join(rows))
    found = load("jsrt", tmp_path)
    assert found.boxes is not None
    expected = np.array([1634 - 300 / 7, 692 - 300 / 7, 1634 + 300 / 7, 692 + 300 / 7]) / 2
    np.testing.assert_allclose(corners(found, 0), expected)
    assert found.layout == "files .png"


def test_boxes_are_cut_at_the_edges(tmp_path: Path) -> None:
    found, _ = read(with_table(lay_out(tmp_path), ["JPCLN001.IMG\t5\t35\t5\tmale\t10\t2040\tbenign\t\t", *ROWS[1:]]))
    assert found.boxes is not None
    assert corners(found, 0) == [0, 1940, 110, 2048]


@pytest.mark.parametrize(
    ("rows", "kinds", "said"),
    [
        (ROWS[:2], {"nodule without a place": 1}, "no usable row for JPCLN003"),
        ([*ROWS, ROWS[0]], {"listed twice": 1}, "JPCLN001 is listed before"),
        (
            [*ROWS[:2], ROWS[2].replace("1303", "2303")],
            {"box outside its image": 1, "nodule without a place": 1},
            r"centre \(2303, 447\), size 30 mm",
        ),
        (
            [*ROWS[:2], ROWS[2].replace("\t30\t", "\t?\t")],
            {"box outside its image": 1, "nodule without a place": 1},
            "size nan mm",
        ),
        ([*ROWS[:2], "JPCLN003.IMG\t5"], {"box outside its image": 1, "nodule without a place": 1}, "JPCLN003"),
    ],
)
def test_wrong_rows_are_problems_and_the_others_are_kept(tmp_path: Path, rows, kinds, said: str) -> None:
    found, reading = read(with_table(lay_out(tmp_path), rows))
    assert reading.problems.counts() == kinds
    assert found.boxes is not None
    assert set(FILMS[:2]) <= set(found.boxes["sample_id"])
    with pytest.raises(UserError, match=said):
        load("jsrt", tmp_path)


def test_a_film_in_the_table_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with_table(lay_out(tmp_path, FILMS[1:]))
    with pytest.raises(UserError, match="no image JPCLN001"):
        load("jsrt", tmp_path)
    left = load("jsrt", tmp_path, skip_unreadable=True)
    assert left.samples["sample_id"].tolist() == FILMS[1:]


def test_a_folder_without_films_and_a_table_of_something_else_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no image JPCLN001\.IMG or such below"):
        load("jsrt", tmp_path)
    with_table(lay_out(tmp_path), ["<html>"])
    with pytest.raises(UserError, match=r"names no film JPCLN001\.IMG"):
        load("jsrt", tmp_path)


@pytest.mark.parametrize(("shape", "kind"), [((1024, 800), "unexpected size"), (None, "unreadable image")])
def test_a_conversion_whose_size_says_nothing_is_a_problem(tmp_path: Path, shape, kind: str) -> None:
    with_table(lay_out(tmp_path, FILMS[1:]))
    path = tmp_path / "JPCLN001.png"
    path.touch()
    if shape:
        write_png(path, *shape)
    found, reading = read(tmp_path)
    assert reading.problems.counts() == {kind: 1}
    assert found.boxes is not None
    assert "JPCLN001" not in set(found.boxes["sample_id"])


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[PhantomCase]]:
    from cxrbench.data.phantom.generate import generate

    root = tmp_path_factory.mktemp("phantom")
    cases = list(generate(JSRT().plan_phantom(8, seed=1), 128, seed=1))
    JSRT().write_phantom(cases, root)
    return root, cases


def test_a_phantom_reads_back_with_pixels_and_boxes(phantom) -> None:
    root, cases = phantom
    found = load("jsrt", root)
    assert found.samples["nodule"].sum() == 5
    image = read_image(root / found.samples["path"][0])
    assert image.shape == (2048, 2048)
    small = cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA).astype(float) * 255 / 4095
    # Enlarging blurs what is sharp; a picture that was not turned round again would be anticorrelated.
    assert np.corrcoef(small.ravel(), cases[0].pixels.ravel())[0, 1] > 0.95
    assert found.boxes is not None
    for row, case in enumerate(cases[:5]):
        _, x1, y1, x2, y2 = case.boxes[0]
        left, _, right, _ = corners(found, row)
        assert (left + right) / 2 == pytest.approx(8 * (x1 + x2), abs=1)
        assert right - left == pytest.approx(16 * max(x2 - x1, y2 - y1), abs=0.5 / 0.175)
    splits = dict(zip(found.samples["sample_id"], found.samples["split"], strict=True))
    assert [case.request.split for case in cases] == [splits[name] for name in sorted(splits)]


def test_a_phantom_is_no_larger_than_the_real_set(phantom) -> None:
    plan = JSRT().plan_phantom(247, seed=0)
    assert sum(bool(ask.findings) for ask in plan) == 154
    with pytest.raises(UserError, match="holds up to 247 films"):
        JSRT().plan_phantom(248, seed=0)


def test_a_dicom_conversion_counts_as_full_size(tmp_path: Path) -> None:
    with_table(lay_out(tmp_path, FILMS, "dicom", ".dcm"))
    found, _ = read(tmp_path)
    assert found.boxes is not None
    assert found.boxes["x2"].max() > 1600


def test_sizes_come_from_headers_alone(tmp_path: Path) -> None:
    with_table(lay_out(tmp_path, FILMS[1:]))
    path = tmp_path / "JPCLN001.png"
    write_png(path, 512, 512)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with Image.open(path) as image:
        assert image.size == (512, 512)
    found, reading = read(tmp_path)
    assert len(reading.problems) == 0
    assert corners(found, 0)[2] == pytest.approx((1634 + 300 / 7) / 4)
