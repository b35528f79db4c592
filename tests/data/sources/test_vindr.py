from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from cxrbench.data.card import read_card
from cxrbench.data.conformance import check_dataset
from cxrbench.data.counts import count
from cxrbench.data.image_reading import read_image
from cxrbench.data.label_policy import READERS, apply_policy
from cxrbench.data.phantom.case import PhantomCase, PhantomRequest
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load
from cxrbench.data.sources._vindr_labels import KAGGLE
from cxrbench.data.sources._vindr_phantom import write_kaggle
from cxrbench.data.sources.vindr import VinDr
from cxrbench.foundation.errors import UserError

# The headers of the released tables.
LABELS = (
    "Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,Emphysema,"
    "Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,Pleural effusion,"
    "Pleural thickening,Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,COPD,Lung tumor,Pneumonia,"
    "Tuberculosis,Other diseases,No finding"
)
KAGGLE_HEADER = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"
A, B, C = "a" * 32, "b" * 32, "c" * 32


def seen(*labels: str) -> str:
    return ",".join(str(int(label in labels)) for label in LABELS.split(","))


def lines(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def make_physionet(root: Path, tables: str = "annotations") -> Path:
    for image in (f"train/{A}", f"train/{B}", f"test/{C}"):
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{image}.dicom").touch()
    none, mass = seen("No finding"), seen("Nodule/Mass", "Other diseases")
    lines(
        root / tables / "image_labels_train.csv",
        f"image_id,rad_id,{LABELS}",
        *(f"{A},R{reader},{row}" for reader, row in ((1, mass), (2, seen("Nodule/Mass")), (11, none))),
        *(f"{B},R{reader},{none}" for reader in (1, 2, 3)),
    )
    lines(
        root / tables / "image_labels_test.csv",
        f"image_id,{LABELS.replace('diseases', 'disease')}",
        f"{C},{seen('ILD', 'Other diseases')}",
    )
    lines(
        root / tables / "annotations_train.csv",
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max",
        f"{A},R1,Nodule/Mass,10,20.5,30,44.25",
        f"{A},R2,Nodule/Mass,11,20,31,44",
        f"{A},R11,No finding,,,,",
        f"{A},R1,Other diseases,,,,",
    )
    lines(
        root / tables / "annotations_test.csv", "image_id,class_name,x_min,y_min,x_max,y_max", f"{C},ILD,1,2,300,400.5"
    )
    return root


def make_kaggle(root: Path, suffix: str = ".dicom") -> Path:
    (root / "train").mkdir(parents=True)
    for image in (A, B):
        (root / "train" / f"{image}{suffix}").touch()
    lines(
        root / "train.csv",
        KAGGLE_HEADER,
        f"{A},Nodule/Mass,8,R8,10,20,30,44.25",
        f"{B},No finding,14,R10,0,0,1,1",
        f"{A},Nodule/Mass,8,R8,50,60,70,80",
        f"{A},Aortic enlargement,0,R9,691.0,1375.0,1653.0,1831.0",
        f"{B},No finding,14,R11,,,,",
        f"{A},Nodule/Mass,8,R9,10,20,30,44",
        f"{A},No finding,14,R10,,,,",
        f"{B},No finding,14,R9,,,,",
    )
    return root


def read(root: Path):
    reading = Reading()
    return VinDr().read(root, reading), reading.problems


def test_it_is_registered_and_has_the_released_columns() -> None:
    assert isinstance(datasets.get("vindr"), VinDr)
    assert VinDr.labels == tuple(LABELS.split(","))


@pytest.mark.parametrize("tables", ["annotations", "", "labels/csv"])
@pytest.mark.parametrize("above", ["", "physionet.org/vindr-cxr"])
def test_physionet_is_read_wherever_its_tables_lie(tmp_path: Path, tables: str, above: str) -> None:
    make_physionet(tmp_path / above, tables)
    found, problems = read(tmp_path)
    assert list(problems) == []
    samples = found.samples.set_index("sample_id")
    assert samples.index.tolist() == [A, B, C]
    assert samples["split"].tolist() == ["train", "train", "test"]
    assert samples["patient_id"].tolist() == [A, B, C]
    assert set(samples["view"]) == {"frontal"}
    assert all((found.root / path).is_file() for path in samples["path"])
    assert not found.patients_known
    assert found.layout == "PhysioNet"


def test_a_label_is_the_share_of_its_readers_and_in_the_test_the_consensus(tmp_path: Path) -> None:
    found, _ = read(make_physionet(tmp_path))
    samples = found.samples.set_index("sample_id")
    stated = samples[["Nodule/Mass", "Other diseases", "No finding", "ILD"]]
    assert stated.loc[[A, B]].to_numpy().tolist() == [[2 / 3, 1 / 3, 1 / 3, 0], [0, 0, 1, 0]]
    # The test table spells it `Other disease`.
    assert stated.loc[[C]].to_numpy().tolist() == [[0, 1, 0, 1]]
    for readers, expected in zip(READERS, (1, 0, 0), strict=True):
        targets = apply_policy(found.targets(), "zeros", found.labels, readers=readers)
        assert targets[0, found.labels.index("Other diseases")] == expected


def test_boxes_name_their_readers_and_rows_without_a_box_are_none(tmp_path: Path) -> None:
    found, problems = read(make_physionet(tmp_path))
    assert list(problems) == []
    assert found.boxes is not None
    assert found.boxes.to_numpy().tolist() == [
        [A, "Nodule/Mass", 10.0, 20.5, 30.0, 44.25, "R1"],
        [A, "Nodule/Mass", 11.0, 20.0, 31.0, 44.0, "R2"],
        [C, "ILD", 1.0, 2.0, 300.0, 400.5, ""],
    ]
    assert found.boxes.columns.tolist() == ["sample_id", "label", "x1", "y1", "x2", "y2", "reader"]


@pytest.mark.parametrize("suffix", [".dicom", ".dcm", ".png", ".JPG"])
def test_kaggle_is_read_with_shares_and_a_held_out_test_set(tmp_path: Path, suffix: str) -> None:
    found, problems = read(make_kaggle(tmp_path, suffix))
    assert list(problems) == []
    # class_id 0 to 14.
    assert found.labels == KAGGLE == tuple([*sorted(set(KAGGLE) - {"No finding"}), "No finding"])
    samples = found.samples.set_index("sample_id")
    assert samples.index.tolist() == [A, B]
    stated = samples[["Nodule/Mass", "Aortic enlargement", "No finding", "ILD"]].to_numpy().tolist()
    assert stated == [[2 / 3, 1 / 3, 1 / 3, 0], [0, 0, 1, 0]]
    assert samples["path"].tolist() == [f"train/{A}{suffix}", f"train/{B}{suffix}"]
    assert found.boxes is not None
    assert found.boxes["reader"].tolist() == ["R8", "R8", "R9", "R9"]
    assert "held out" in found.layout
    resized = any("pixels of the original DICOM" in note for note in found.notes)
    assert resized == (suffix not in (".dicom", ".dcm"))


def test_kaggles_side_of_an_image_depends_on_its_id_alone(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    ids = [f"{number:032x}" for number in range(2000)]
    lines(tmp_path / "train.csv", KAGGLE_HEADER, *(f"{image},No finding,14,R1,,,," for image in ids))
    found, _ = read(tmp_path)
    assert (found.samples["split"] == "test").mean() == pytest.approx(0.2, abs=0.03)
    lines(tmp_path / "train.csv", KAGGLE_HEADER, *(f"{image},No finding,14,R1,,,," for image in ids[1500:499:-1]))
    fewer, _ = read(tmp_path)
    side = found.samples.set_index("sample_id")["split"]
    assert (side[fewer.samples["sample_id"]].to_numpy() == fewer.samples["split"].to_numpy()).all()


def test_both_layouts_share_the_fourteen_findings() -> None:
    assert set(KAGGLE) < set(VinDr.labels)
    assert len(KAGGLE) == 15


def test_kaggles_images_count_as_the_official_training_images(tmp_path: Path) -> None:
    source = VinDr()
    for make, test in ((make_physionet, 1), (make_kaggle, 0)):
        found, _ = read(make(tmp_path / make.__name__))
        counts = count(found, source.parts(found))
        assert (counts["train/images"], counts.get("test/images", 0)) == (2, test)
    assert read_card("vindr").counts == {"train/images": 15000, "test/images": 3000}


def test_a_set_whose_images_were_not_downloaded_is_listed_without_paths(tmp_path: Path) -> None:
    shutil.rmtree(make_physionet(tmp_path) / "test")
    found, problems = read(tmp_path)
    assert list(problems) == []
    assert found.samples.set_index("sample_id")["path"].to_dict() == {
        A: f"train/{A}.dicom",
        B: f"train/{B}.dicom",
        C: "",
    }


def test_files_that_no_table_lists_are_noted_and_shadow_files_are_not(tmp_path: Path) -> None:
    make_physionet(tmp_path)
    (tmp_path / "train" / f"{'d' * 32}.dicom").touch()
    (tmp_path / "train" / f"._{A}.dicom").touch()
    found, _ = read(tmp_path)
    assert found.notes == ("1 images of train/ are in no table and left out",)


def test_a_listed_image_that_is_not_there_has_no_path(tmp_path: Path) -> None:
    make_physionet(tmp_path)
    (tmp_path / "train" / f"{B}.dicom").unlink()
    found, problems = read(tmp_path)
    assert list(problems) == []
    assert found.samples["path"][1] == ""
    with pytest.raises(UserError, match=f"no image {B}"):
        load("vindr", tmp_path)


def replace(name: str, old: str, new: str):
    def change(root: Path) -> None:
        text = (root / "annotations" / name).read_text()
        assert old in text
        (root / "annotations" / name).write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (replace("image_labels_train.csv", f"{A},R2", f"{A},R1"), "listed twice", "row 3: a+ is listed before by rea"),
        (replace("image_labels_test.csv", C, B), "in train and test", "row 2: b+ is a training image too"),
        (replace("image_labels_train.csv", ",0,0,1,0", ",0,0,2,0"), "unknown label", "row 2: column .*: value '2'"),
        (replace("image_labels_train.csv", f"{A},R11", f"{A},"), "blank id", "row 4: a+ rad_id is blank"),
        (replace("image_labels_train.csv", f"{A},R11", ",R11"), "blank id", "row 4: image_id is blank"),
        (replace("annotations_train.csv", "R2,Nodule/Mass", "R2,Nodul"), "unknown label", "row 3: column 'class_nam"),
        (replace("annotations_train.csv", "11,20,31,44", "11,20,9,44"), "box without extent", "row 3: a+ Nodule/Mass"),
        (replace("annotations_train.csv", "11,20,31,44", "11,20,31,20"), "box without extent", "11.0, 20.0, 31.0, 20"),
        (replace("annotations_train.csv", "11,20,31,44", "11,x,31,44"), "box that is not four numbers", "11.0, x, 31"),
        (replace("annotations_train.csv", "11,20,31,44", "11,,31,44"), "box that is not four numbers", "row 3"),
        (replace("annotations_train.csv", "11,20,31,44", "11,inf,31,44"), "box that is not four numbers", "row 3"),
        (replace("annotations_train.csv", "11,20,31,44", ",,,"), "box that is not four numbers", "row 3"),
        (replace("annotations_test.csv", C, A), "box of an image without labels", r"annotations_test.csv, row 2: a+ I"),
    ],
)
def test_a_wrong_row_is_one_problem_that_names_it(tmp_path: Path, change, kind: str, said: str) -> None:
    change(make_physionet(tmp_path))
    found, problems = read(tmp_path)
    wanted = [problem for problem in problems if problem.kind == kind]
    assert len(wanted) == 1
    assert pd.Series(str(wanted[0])).str.contains(said, regex=True).all(), str(wanted[0])
    assert found.boxes is not None
    assert found.boxes[["x1", "y1", "x2", "y2"]].notna().all().all()


def test_a_table_that_names_no_image_is_no_dataset_of_none(tmp_path: Path) -> None:
    root = make_kaggle(tmp_path)
    table = next(root.rglob("train.csv"))
    table.write_text(table.read_text().partition("\n")[0] + "\n,No finding,14,R1,,,,\n")
    with pytest.raises(UserError, match=r"train\.csv: no row has image_id and rad_id"):
        load("vindr", root, skip_unreadable=True)


def test_a_row_without_an_id_does_not_shift_the_numbers_of_the_next(tmp_path: Path) -> None:
    root = make_physionet(tmp_path)
    replace("annotations_train.csv", f"{A},R1,Nodule", ",R1,Nodule")(root)
    replace("annotations_train.csv", "11,20,31,44", "11,20,31,10")(root)
    _, problems = read(root)
    assert [problem.where.rpartition(", ")[2] for problem in problems] == ["row 2", "row 3"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: shutil.rmtree(root / "annotations"), "neither image_labels_train.csv .PhysioNet. nor train.csv"),
        (lambda root: (root / "annotations/image_labels_test.csv").unlink(), "no file image_labels_test.csv"),
        (lambda root: [shutil.rmtree(root / name) for name in ("train", "test")], "neither folder train nor test in"),
        (replace("image_labels_train.csv", "Lung cyst", "Lung_cist"), "lacks the column Lung cyst; 'Lung_cist' looks"),
        (lambda root: lines(root / "copy/image_labels_test.csv", ""), "image_labels_test.csv is there twice"),
    ],
)
def test_a_folder_that_cannot_be_read_is_one_error(tmp_path: Path, change, said: str) -> None:
    change(make_physionet(tmp_path))
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_tables_of_boxes_are_noted(tmp_path: Path) -> None:
    make_physionet(tmp_path)
    (tmp_path / "annotations/annotations_train.csv").unlink()
    found, _ = read(tmp_path)
    assert found.notes == ("no boxes of train images: no annotations_train.csv",)
    assert found.boxes is not None
    assert len(found.boxes) == 1
    (tmp_path / "annotations/annotations_test.csv").unlink()
    assert read(tmp_path)[0].boxes is None


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("vindr") / "phantom"
    write_phantom_dataset("vindr", root, n=120, size=64, seed=1, rib_free=False)
    return root


def test_a_phantom_keeps_to_the_contract_and_its_readers_disagree(phantom: Path) -> None:
    found = check_dataset("vindr", VinDr(), phantom)
    assert found.synthetic
    assert Counter(found.samples["split"]) == {"train": 90, "test": 30}
    train = found.targets()[(found.samples["split"] == "train").to_numpy()]
    assert set(np.round(np.unique(train) * 3, 9)) == {0, 1, 2, 3}
    test = found.samples[found.samples["split"] == "test"][list(found.labels)]
    assert set(np.unique(test)) == {0.0, 1.0}
    shown = [label for label in VinDr.labels if test[label].nunique() == 2]
    assert {"Cardiomegaly", "Pneumothorax", "Pneumonia", "Lung tumor", "No finding"} <= set(shown)
    # A label with a place is a label with a box, and the other way round.
    local = list(VinDr.labels[:22])
    assert found.boxes is not None
    boxed = set(map(tuple, found.boxes[["sample_id", "label"]].to_numpy()))
    stated = found.samples.melt("sample_id", local, "label", "share")
    assert boxed == set(map(tuple, stated.loc[stated["share"] > 0, ["sample_id", "label"]].to_numpy()))


def test_a_phantoms_files_are_of_the_kinds_of_the_real_set(phantom: Path) -> None:
    kinds = Counter()
    for path in sorted(phantom.glob("*/*.dicom"))[:60]:
        dataset = pydicom.dcmread(path)
        assert len(path.stem) == 32
        assert dataset.get("PatientID") == ""
        kinds[dataset.file_meta.TransferSyntaxUID.name, dataset.PhotometricInterpretation, dataset.BitsStored] += 1
    names = {name for name, _, _ in kinds}
    assert any("JPEG 2000" in name for name in names)
    assert any("Explicit" in name for name in names)
    assert {photometric for _, photometric, _ in kinds} == {"MONOCHROME1", "MONOCHROME2"}
    assert {bits for _, _, bits in kinds} == {10, 12, 14}


def test_each_kind_of_file_reads_back_as_it_was_drawn(tmp_path: Path) -> None:
    # Smooth, so that the lossy kind changes little.
    y, x = np.mgrid[:40, :41]
    cases = [PhantomCase(PhantomRequest(n + 1, 1, 1, "test"), (y * 4 + x * 2 + n).astype(np.uint8)) for n in range(14)]
    VinDr().write_phantom(iter(cases), tmp_path)
    names = pd.read_csv(tmp_path / "annotations/image_labels_test.csv")["image_id"]
    for case, name in zip(cases, names, strict=True):
        image = read_image(tmp_path / "test" / f"{name}.dicom").astype(np.float64)
        image = (image - image.min()) / np.ptp(image)
        expected = (case.pixels - case.pixels.min()) / np.ptp(case.pixels)
        lossy = case.request.patient % 7 == 5
        assert np.abs(image - expected).mean() < (0.05 if lossy else 1e-3)


def test_a_phantom_in_kaggles_layout_says_the_same(tmp_path: Path, phantom: Path) -> None:
    plan = VinDr().plan_phantom(120, seed=1)
    boxes = tuple((finding, 2.0, 2.0, 5.0, 6.0) for finding in ("opacity", "fracture"))
    cases = [
        PhantomCase(ask, np.eye(32, dtype=np.uint8), boxes=tuple(b for b in boxes if b[0] in ask.findings))
        for ask in plan
    ]
    write_kaggle(iter(cases), tmp_path / "k")
    VinDr().write_phantom(iter(cases), tmp_path / "p")
    kaggle, problems = read(tmp_path / "k")
    assert list(problems) == []
    physionet, _ = read(tmp_path / "p")
    one, other = kaggle.samples.set_index("sample_id"), physionet.samples.set_index("sample_id")
    assert one.index.tolist() == other.index[other["split"] == "train"].tolist()
    np.testing.assert_array_equal(one["Lung Opacity"], other.loc[one.index, "Lung Opacity"])
    # Kaggle has no rib fractures.
    np.testing.assert_array_equal(one["Other lesion"], other.loc[one.index, "Rib fracture"])
    assert one["Other lesion"].sum() > 0
