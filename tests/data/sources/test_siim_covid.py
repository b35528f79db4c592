from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from cxrbench.data.card import read_card
from cxrbench.data.conformance import check_dataset
from cxrbench.data.counts import count
from cxrbench.data.held_out import held_out
from cxrbench.data.image_reading import read_image
from cxrbench.data.phantom.case import PhantomCase, PhantomRequest
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.phantom.dicom_file import write_dicom
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load
from cxrbench.data.sources._siim_covid_phantom import patient_name
from cxrbench.data.sources.siim_covid import SiimCovid
from cxrbench.foundation.errors import UserError

# Of 500 x 500 pixels, for the boxes below.
PIXELS = np.arange(250_000, dtype=np.uint16).reshape(500, 500)
STUDY_HEADER = "id,Negative for Pneumonia,Typical Appearance,Indeterminate Appearance,Atypical Appearance"
IMAGE_HEADER = "id,boxes,label,StudyInstanceUID"
# One image with boxes and its siblings without, a negative study, and an atypical one without boxes.
BOXED, SIBLING, OTHER_SIBLING, NEGATIVE, UNBOXED = (f"{digit * 12}" for digit in "abcde")
TYPICAL_STUDY, NEGATIVE_STUDY, ATYPICAL_STUDY = (f"{digit * 12}" for digit in "123")
LITERAL = "\"[{'x': -20.83789, 'y': 12, 'width': 120.5, 'height': 50.25}, {'x': 7, 'y': 8, 'width': 9, 'height': 10}]\""
LABEL = "opacity 1 -20.83789 12 99.66211 62.25 opacity 1 7 8 16 18"
IMAGES = [
    f"{BOXED}_image,{LITERAL},{LABEL},{TYPICAL_STUDY}",
    f"{SIBLING}_image,,none 1 0 0 1 1,{TYPICAL_STUDY}",
    f"{OTHER_SIBLING}_image,,none 1 0 0 1 1,{TYPICAL_STUDY}",
    f"{NEGATIVE}_image,,none 1 0 0 1 1,{NEGATIVE_STUDY}",
    f"{UNBOXED}_image,,none 1 0 0 1 1,{ATYPICAL_STUDY}",
]
STUDIES = [f"{TYPICAL_STUDY}_study,0,1,0,0", f"{NEGATIVE_STUDY}_study,1,0,0,0", f"{ATYPICAL_STUDY}_study,0,0,0,1"]
PATIENTS = {BOXED: "p1", SIBLING: "p1", OTHER_SIBLING: "p1", NEGATIVE: "p2", UNBOXED: "p1"}


def lines(path: Path, *rows: str) -> None:
    path.write_text("\n".join(rows) + "\n")


def make(tree: Path, images: list[str] = IMAGES, studies: list[str] = STUDIES) -> Path:
    for row in IMAGES:
        image, study = row[:12], row[-12:]
        path = tree / "train" / study / image[::-1] / f"{image}.dcm"
        write_dicom(path, PIXELS, patient_id=PATIENTS[image])
    lines(tree / "train_image_level.csv", IMAGE_HEADER, *images)
    lines(tree / "train_study_level.csv", STUDY_HEADER, *studies)
    return tree


def read(root: Path, **options):
    reading = Reading(**options)
    return SiimCovid().read(root, reading), reading.problems


def test_it_is_registered() -> None:
    assert isinstance(datasets.get("siim_covid"), SiimCovid)
    assert SiimCovid.labels == ("negative", "typical", "indeterminate", "atypical")


@pytest.mark.parametrize("above", ["", "siim-covid19-detection", "a/b"])
def test_samples_are_read_with_the_patients_of_their_files(tmp_path: Path, above: str) -> None:
    make(tmp_path / above)
    found, problems = read(tmp_path)
    assert list(problems) == []
    samples = found.samples
    assert samples["sample_id"].tolist() == [BOXED, SIBLING, OTHER_SIBLING, NEGATIVE, UNBOXED]
    assert samples["study_id"].tolist() == [*[TYPICAL_STUDY] * 3, NEGATIVE_STUDY, ATYPICAL_STUDY]
    assert samples["patient_id"].tolist() == ["p1", "p1", "p1", "p2", "p1"]
    assert all((found.root / path).is_file() for path in samples["path"])
    assert found.targets().argmax(axis=1).tolist() == [1, 1, 1, 0, 3]
    assert samples["split"].tolist() == held_out("siim_covid", samples["patient_id"]).tolist()
    assert found.patients_known
    assert found.exclusive


def test_boxes_are_python_literals_cut_off_at_the_images_left_edge(tmp_path: Path) -> None:
    boxes = read(make(tmp_path))[0].boxes
    assert boxes is not None
    assert boxes[["sample_id", "label"]].to_numpy().tolist() == [[BOXED, "opacity"]] * 2
    np.testing.assert_allclose(boxes[["x1", "y1", "x2", "y2"]], [[0, 12, 99.66211, 62.25], [7, 8, 16, 18]])


def test_siblings_without_boxes_are_told_from_images_that_have_none(tmp_path: Path) -> None:
    found, _ = read(make(tmp_path))
    assert found.samples["unboxed_sibling"].tolist() == [False, True, True, False, False]
    assert found.samples["unboxed_sibling"].dtype == bool


def test_the_card_counts_what_is_counted(tmp_path: Path) -> None:
    found, _ = read(make(tmp_path))
    counts = count(found, SiimCovid().parts(found))
    assert set(read_card("siim_covid").counts) <= set(counts)
    wanted = ("all/images", "all/studies", "all/patients", "all/boxes", "all/boxed images")
    assert [counts[name] for name in wanted] == [5, 3, 2, 2, 1]


def test_a_missing_image_has_no_path_and_the_patient_of_its_study(tmp_path: Path) -> None:
    make(tmp_path)
    next(tmp_path.glob(f"train/*/*/{SIBLING}.dcm")).unlink()
    next(tmp_path.glob(f"train/*/*/{NEGATIVE}.dcm")).unlink()
    found, problems = read(tmp_path)
    assert list(problems) == []
    assert (found.samples["path"] == "").tolist() == [False, True, False, True, False]
    assert found.samples["patient_id"].tolist() == ["p1", "p1", "p1", NEGATIVE_STUDY, "p1"]
    with pytest.raises(UserError, match="2 problems \\(2 x missing image\\)"):
        load("siim_covid", tmp_path)
    rest = load("siim_covid", tmp_path, skip_unreadable=True)
    assert rest.samples["sample_id"].tolist() == [BOXED, OTHER_SIBLING, UNBOXED]


def box_row(literal: str, label: str) -> list[str]:
    return [f'{BOXED}_image,"{literal}",{label},{TYPICAL_STUDY}', *IMAGES[1:]]


GOOD = "[{'x': 1, 'y': 2, 'width': 3, 'height': 4}]"
GOOD_LABEL = "opacity 1 1 2 4 6"


@pytest.mark.parametrize(
    ("images", "studies", "kind", "said", "concerned"),
    [
        (IMAGES, STUDIES[:2], "image without study", f"row 6: {UNBOXED}: its study 3+ is not in train_s", [UNBOXED]),
        ([*IMAGES[:4], IMAGES[4][:-12]], STUDIES, "image without study", r"row 6: e+: its study \(blank\)", [UNBOXED]),
        ([*IMAGES, IMAGES[3]], STUDIES, "listed twice", "row 7: d+ is listed before", [NEGATIVE]),
        (
            IMAGES,
            [*STUDIES, STUDIES[0]],
            "listed twice",
            "study_level.csv, row 5: 1+ is listed before",
            [BOXED, SIBLING, OTHER_SIBLING],
        ),
        (
            IMAGES,
            [f"{TYPICAL_STUDY}_study,0,1,0,1", *STUDIES[1:]],
            "study without one label",
            "row 2: study 1+ has not exactly one",
            [BOXED, SIBLING, OTHER_SIBLING],
        ),
        (
            IMAGES,
            [*STUDIES[:2], f"{ATYPICAL_STUDY}_study,0,0,,0"],
            "study without one label",
            "row 4: study 3+",
            [UNBOXED],
        ),
        (
            IMAGES,
            [*STUDIES[:2], f"{ATYPICAL_STUDY}_study,0,0,0,yes"],
            "unknown label",
            "row 4: column 'Atypical Appearance': value 'yes'",
            [UNBOXED],
        ),
        (["../x_image,,none 1 0 0 1 1,s", *IMAGES], STUDIES, "wrong id", "row 2: id '../x_image'", ["../x_image"]),
        (box_row("__import__('os').getcwd()", GOOD_LABEL), STUDIES, "wrong box", "'boxes' is no list", [BOXED]),
        (box_row("[{'x': 1, 'y': 2,", GOOD_LABEL), STUDIES, "wrong box", "'boxes' is no Python literal", [BOXED]),
        (box_row(GOOD, "opacity 1 1 2 4"), STUDIES, "wrong box", "'label' has 5 tokens", [BOXED]),
        (box_row(GOOD, "mass 1 1 2 4 6"), STUDIES, "wrong box", "'label' names 'mass'", [BOXED]),
        (box_row(GOOD, "opacity 1 1 2 4 six"), STUDIES, "wrong box", "'label' has 'six' where a", [BOXED]),
        (box_row(GOOD, "none 1 0 0 1 1"), STUDIES, "wrong box", r"'boxes' \(1\) and 'label' \(0\) state", [BOXED]),
        (box_row(GOOD, "opacity 1 1 2 4 6.5"), STUDIES, "wrong box", "state different boxes", [BOXED]),
        (box_row("", "opacity 1 1 2 4 6"), STUDIES, "wrong box", r"'boxes' \(0\)", [BOXED]),
        (
            box_row("[{'x': 5, 'y': 2, 'width': -3, 'height': 4}]", "opacity 1 5 2 2 6"),
            STUDIES,
            "box without extent",
            r"row 2: a+: a box from \(5, 2\) to \(2, 6\) has no extent",
            [BOXED],
        ),
        (
            box_row("[{'x': 490, 'y': 2, 'width': 36, 'height': 4}]", "opacity 1 490 2 526 6"),
            STUDIES,
            "box outside its image",
            r"row 2: a+: a box from \(490, 2\) to \(526, 6\) lies outside its image of 500 x 500 pixels",
            [BOXED],
        ),
        (
            box_row("[{'x': 2, 'y': 501, 'width': 3, 'height': 4}]", "opacity 1 2 501 5 505"),
            STUDIES,
            "box outside its image",
            r"row 2: a+: a box from \(2, 501\) to \(5, 505\) lies outside its image",
            [BOXED],
        ),
        (
            box_row("[{'x': -40, 'y': 5, 'width': 100, 'height': 4}]", "opacity 1 -40 5 60 9"),
            STUDIES,
            "box outside its image",
            r"row 2: a+: a box from \(-40, 5\) to \(60, 9\) lies outside its image",
            [BOXED],
        ),
    ],
)
def test_a_wrong_row_is_a_problem_that_names_it(
    tmp_path: Path, images: list[str], studies: list[str], kind: str, said: str, concerned: list[str]
) -> None:
    found, problems = read(make(tmp_path, images, studies))
    wanted = [problem for problem in problems if problem.kind == kind]
    assert [problem.sample_id for problem in wanted] == concerned
    assert len(wanted) == len(problems)
    assert re.search(said, str(wanted[0])), str(wanted[0])
    # The rest goes on without it.
    left = load("siim_covid", tmp_path, skip_unreadable=True)
    assert set(found.samples["sample_id"]) - set(left.samples["sample_id"]) == set(concerned) & set(PATIENTS)
    assert (left.targets().sum(axis=1) == 1).all()


def test_boxes_drawn_a_little_beyond_an_edge_are_cut_there(tmp_path: Path) -> None:
    literal = "[{'x': -20, 'y': 490, 'width': 545, 'height': 30}]"
    found, problems = read(make(tmp_path, box_row(literal, "opacity 1 -20 490 525 520")))
    assert list(problems) == []
    assert found.boxes is not None
    assert found.boxes[["x1", "y1", "x2", "y2"]].to_numpy().tolist() == [[0, 490, 500, 500]]


def test_a_table_that_names_no_image_is_no_dataset_of_none(tmp_path: Path) -> None:
    make(tmp_path, [f",,none 1 0 0 1 1,{NEGATIVE_STUDY}"])
    with pytest.raises(UserError, match=r"train_image_level\.csv: the column id names no image"):
        load("siim_covid", tmp_path, skip_unreadable=True)


def test_a_file_that_names_no_patient_is_a_problem(tmp_path: Path) -> None:
    make(tmp_path)
    paths = [next(tmp_path.glob(f"train/*/*/{image}.dcm")) for image in (SIBLING, NEGATIVE, UNBOXED)]
    write_dicom(paths[0], PIXELS, patient_id="")
    paths[1].write_bytes(b"not a DICOM file")
    write_dicom(paths[2], PIXELS, elements={"PatientID": None})
    found, problems = read(tmp_path)
    assert problems.counts() == {"no patient": 3}
    said = [str(problem) for problem in problems]
    assert all(str(path) in line for path, line in zip(paths, said, strict=True))
    assert "states no PatientID" in said[0]
    assert "not a DICOM file" in said[1]
    assert found.samples["patient_id"].notna().all()
    assert not any("p1" in line.replace(str(tmp_path), "") for line in said)


def test_headers_are_remembered(tmp_path: Path) -> None:
    make(tmp_path / "data")
    first, _ = read(tmp_path / "data", cache=tmp_path / "cache")
    again, _ = read(tmp_path / "data", cache=tmp_path / "cache")
    pd.testing.assert_frame_equal(first.samples, again.samples)
    assert list((tmp_path / "cache").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train_image_level.csv", "no file .*train_image_level.csv"),
        ("train_study_level.csv", "no file .*train_study_level.csv"),
        ("train", "no folder .*train; give the folder with the images"),
    ],
)
def test_what_the_folder_lacks_is_named(tmp_path: Path, name: str, said: str) -> None:
    make(tmp_path / "copy")
    (tmp_path / "copy" / name).rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=said):
        read(tmp_path)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no train_image_level\.csv in .* or in a folder below"):
        read(tmp_path)


def test_a_test_folder_beside_train_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path)
    write_dicom(tmp_path / "test/9/8/777777777777.dcm", PIXELS, patient_id="p9")
    assert len(read(tmp_path)[0]) == 5


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("siim_covid") / "phantom"
    write_phantom_dataset("siim_covid", root, n=120, size=64, seed=1, rib_free=False)
    return root


def test_a_phantom_keeps_to_the_contract_with_the_real_files_oddities(phantom: Path) -> None:
    found = check_dataset("siim_covid", SiimCovid(), phantom)
    assert found.synthetic
    assert len(found) == 120
    assert found.samples.groupby("patient_id")["split"].nunique().max() == 1
    assert (found.samples["split"] == "test").mean() == pytest.approx(0.2, abs=0.05)
    assert (found.samples.groupby("split")[list(found.labels)].sum() > 0).all().all()
    assert found.samples["patient_id"].nunique() < found.samples["study_id"].nunique() < 120
    assert found.samples["unboxed_sibling"].sum() >= 3
    images = pd.read_csv(phantom / "train_image_level.csv")
    assert images["boxes"].str.contains("'x': -").sum() == 1
    assert images["boxes"].str.contains(r"'x': \d+,").any()
    assert images["boxes"].str.contains(r"'x': \d+\.\d").any()
    assert (images["label"] == "none 1 0 0 1 1").sum() == images["boxes"].isna().sum() > 0
    assert found.boxes is not None
    # The negative x is cut off; none of the others reaches beyond its image.
    assert found.boxes[["x1", "y1"]].to_numpy().min() == 0
    assert found.boxes[["x2", "y2"]].to_numpy().max() <= 64
    assert not found.samples.loc[found.samples["negative"] == 1, "sample_id"].isin(found.boxes["sample_id"]).any()


def test_a_phantoms_files_are_of_the_kinds_of_the_real_set(phantom: Path) -> None:
    kinds, excess = Counter(), 0
    for path in sorted(phantom.glob("train/*/*/*.dcm"))[:40]:
        dataset = pydicom.dcmread(path)
        syntax = dataset.file_meta.TransferSyntaxUID
        kinds[syntax.name, dataset.PhotometricInterpretation] += 1
        expected = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
        excess += not syntax.is_encapsulated and len(dataset.PixelData) > expected
    assert {photometric for _, photometric in kinds} == {"MONOCHROME1", "MONOCHROME2"}
    assert len({name for name, _ in kinds}) >= 4
    assert excess > 0


def test_each_kind_of_file_reads_back_as_it_was_drawn(tmp_path: Path) -> None:
    # Smooth, so that JPEG changes little.
    y, x = np.mgrid[:40, :41]
    cases = [
        PhantomCase(PhantomRequest(n + 1, 1, 1, "train"), ((y * 3 + x * 2 + 5 * n) % 201).astype(np.uint8) // 50 * 50)
        for n in range(12)
    ]
    SiimCovid().write_phantom(iter(cases), tmp_path)
    found, problems = read(tmp_path)
    assert list(problems) == []
    paths = found.samples.set_index("patient_id")["path"]
    for case in cases:
        image = read_image(tmp_path / paths[patient_name(case.request.patient)]).astype(np.float64)
        image = (image - image.min()) / np.ptp(image)
        expected = (case.pixels - case.pixels.min()) / np.ptp(case.pixels)
        assert np.abs(image - expected).mean() < 0.03


def test_a_phantom_too_small_for_its_classes_is_refused() -> None:
    with pytest.raises(UserError, match="siim_covid phantom of 7 images is too small; ask for 8"):
        SiimCovid().plan_phantom(7, seed=0)
    plan = SiimCovid().plan_phantom(8, seed=0)
    assert Counter(ask.split for ask in plan) == {"train": 4, "test": 4}
