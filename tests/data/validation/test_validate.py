"""Whole folders: right, partial, too full and wrong ones."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrbench.data.card import DatasetCard
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.reading import Reading
from cxrbench.data.source import Source, datasets
from cxrbench.data.validation import Report, State, validate
from cxrbench.foundation.errors import UserError


class Pairs(Source):
    """PNG pairs in two folders, with a box and a mask on each image; a full copy has four."""

    name = "pairs_validation_test"
    card = DatasetCard(title="Pairs", licence="none", citation="none", counts={"all/images": 4, "all/mass": 4})
    labels = ("mass",)
    exclusive = True

    def read(self, root: Path, reading: Reading) -> Radiographs:
        names = sorted(path.stem for path in (root / "images").glob("*.png"))
        samples = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "split": "train"})
        samples["path"], samples["target_path"] = (
            "images/" + samples["sample_id"] + ".png",
            "soft/" + samples["sample_id"],
        )
        samples["target_path"] += ".png"
        samples["view"], samples["mass"] = "frontal", 1.0
        boxes = pd.DataFrame({"sample_id": names, "label": "mass", "x1": 2, "y1": 2, "x2": 30, "y2": 20})
        masks = pd.DataFrame({"sample_id": names, "label": "mass", "height": 20, "width": 30, "counts": "100 20 480"})
        return Radiographs(self.name, root, samples, self.labels, True, boxes=boxes, masks=masks, layout="two folders")


@pytest.fixture
def pairs(tmp_path: Path) -> Iterator[Path]:
    datasets.register(Pairs.name, Pairs())
    rng = np.random.default_rng(0)
    for folder in ("images", "soft"):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (20, 30), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "pairs" / folder / f"{number}.png"), pixels)
    yield tmp_path / "pairs"
    datasets._registered.pop(Pairs.name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "p"
    write_phantom_dataset("six_class", root, 60, 32, rib_free=False)
    return root


@pytest.fixture
def phantom(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "p"))


def check(root: Path, name: str = "six_class", quick: bool = False) -> Report:
    return validate(name, root, quick=quick, reading=Reading(cache=root.parent / "cache"), workers=1)


def kinds(report: Report) -> dict[str, int]:
    return {kind: len(found) for kind, found in report.by_kind().items()}


def test_a_full_copy_is_complete_and_right(pairs: Path) -> None:
    report = check(pairs, Pairs.name)
    assert report.ok
    assert (report.state, report.layout) == (State.COMPLETE, "two folders")
    assert (report.listed, report.found, report.decoded) == (4, 4, 4)
    counted = {line.name: (line.known, line.found) for line in report.counts}
    assert counted["all/images"] == counted["all/mass"] == (4, 4)
    assert counted["train/boxes"] == (None, 4)


def test_a_part_of_a_copy_is_partial_and_right(pairs: Path) -> None:
    for folder in ("images", "soft"):
        (pairs / folder / "2.png").unlink()
    report = check(pairs, Pairs.name)
    assert (report.state, report.ok) == (State.PARTIAL, True)


def test_more_than_a_full_copy_is_a_problem(pairs: Path) -> None:
    for folder in ("images", "soft"):
        shutil.copy(pairs / folder / "2.png", pairs / folder / "9.png")
    report = check(pairs, Pairs.name)
    assert (report.state, report.ok) == (State.MORE, False)
    assert kinds(report) == {"more than a full copy": 1, "counts differ from the card": 1}
    assert (
        report.notes[0] == "1 group of bit-equal images inside a split, 2 images, such as images/2.png = images/9.png"
    )


def test_what_is_wrong_with_files_boxes_masks_and_pairs_is_found(pairs: Path) -> None:
    cv2.imwrite(str(pairs / "images" / "0.png"), np.zeros((19, 28), np.uint8))
    (pairs / "images" / "1.png").write_bytes((pairs / "images" / "1.png").read_bytes()[:100])
    (pairs / "soft" / "2.png").unlink()
    report = check(pairs, Pairs.name)
    assert kinds(report) == {
        "unreadable image": 2,
        "pair of unequal sizes": 1,
    }
    # Boxes and masks of an image that something else is wrong with are not named again.
    assert report.by_kind()["pair of unequal sizes"][0].what == (
        "it and soft/0.png differ in size: 28 x 19 and 30 x 20 pixels"
    )
    cv2.imwrite(str(pairs / "soft" / "0.png"), np.zeros((19, 28), np.uint8))
    found = {kind: problems[0].what for kind, problems in check(pairs, Pairs.name).by_kind().items()}
    assert found["box outside its image"].endswith("= (2, 2, 30, 20) in an image of 28 x 19 pixels")
    assert found["mask of another size"] == "mask of mass of 30 x 20 in an image of 28 x 19 pixels"


def test_a_phantom_is_not_compared_with_real_counts(whole: Path, tmp_path: Path) -> None:
    report = check(whole)
    assert (report.state, report.synthetic, report.ok) == (State.NOT_COMPARED, True, True)
    root = tmp_path / "kermany"
    write_phantom_dataset("pediatric_pneumonia", root, 20, 32, rib_free=False)
    report = check(root, "pediatric_pneumonia")
    assert (report.state, report.ok) == (State.NOT_COMPARED, True)
    assert all(line.known is None for line in report.counts)


def test_listed_images_that_are_not_on_disk_make_a_copy_partial(phantom: Path) -> None:
    names = sorted(os.listdir(phantom / "images"))[:25]  # noqa: PTH208
    for name in names:
        (phantom / "images" / name).unlink()
    report = check(phantom)
    assert (report.state, report.ok) == (State.PARTIAL, True)
    assert (report.listed, report.found, report.decoded) == (60, 35, 35)
    assert sorted(report.missing) == [name.removesuffix(".png") for name in names]


def test_tables_without_any_image_are_wrong(phantom: Path) -> None:
    shutil.rmtree(phantom / "images")
    report = check(phantom)
    assert kinds(report) == {"no images": 1}
    assert "not one of the 60 images" in report.problems[0].what


def test_everything_is_reported_at_once_and_stands_in_the_json(phantom: Path) -> None:
    table = pd.read_csv(phantom / "labels.csv", dtype="str")
    images = [phantom / "images" / name for name in table["image"]]
    images[0].write_bytes(b"")
    train = table.index[table["split"] == "train"][20]
    test = table.index[table["split"] == "test"][0]
    shutil.copy(images[test], images[train])
    table.loc[train, "patient_id"] = table.loc[test, "patient_id"]
    table.loc[1, "label"] = "noduel"
    table.loc[2, "image"] = "../../etc/passwd"
    table.loc[3, "split"] = "tset"
    table = pd.concat([table, table[4:5]])
    table.to_csv(phantom / "labels.csv", index=False)
    report = check(phantom)
    assert kinds(report) == {
        "listed twice": 1,
        "unknown label": 1,
        "unknown split": 1,
        "path outside the dataset": 1,
        "patient on two sides": 1,
        "unreadable image": 1,
        "same image in two splits": 1,
    }
    assert not report.ok
    document = json.loads(report.to_json())
    assert document["ok"] is False
    assert document["problem_counts"] == kinds(report)
    assert document["problems"]["unreadable image"] == [
        {"where": str(images[0]), "what": "empty file", "sample_id": images[0].stem}
    ]
    assert document["images"] == {"listed": 60, "found": 59, "tried": 59, "decoded": 58}


def test_a_quick_look_decodes_a_few(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["cxrbench.data.validation.validate"]
    assert module.FEW == 200
    monkeypatch.setattr(module, "FEW", 20)
    report = check(whole, quick=True)
    assert (report.found, report.decoded, report.quick, report.ok) == (60, 20, True, True)
    assert any("--quick" in note for note in report.notes)


def test_a_table_that_cannot_be_read_is_a_report_and_a_wrong_name_an_error(phantom: Path) -> None:
    (phantom / "labels.csv").write_text("image;label;patient_id;split\n")
    report = check(phantom)
    assert (report.state, report.ok) == (State.NOT_READ, False)
    assert "has semicolons between its columns" in report.problems[0].what
    with pytest.raises(UserError, match="did you mean 'six_class'"):
        check(phantom, "six_clas")
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        check(phantom / "nowhere")


def test_a_row_that_the_reader_refuses_hides_no_other_wrong_box_of_its_image(
    pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithABadRow(Pairs):
        def read(self, root: Path, reading: Reading) -> Radiographs:
            reading.problems.add("wrong box", "boxes.csv, row 2", "is no box", "1")
            found = super().read(root, reading)
            assert found.boxes is not None
            found.boxes.loc[found.boxes["sample_id"] == "1", "x2"] = 300
            return found

    monkeypatch.setitem(datasets._registered, Pairs.name, WithABadRow())
    assert kinds(check(pairs, Pairs.name)) == {"wrong box": 1, "box outside its image": 1}


@pytest.mark.parametrize("name", ["rsna_pneumonia", "siim_acr", "node21", "jsrt", "bse_jsrt", "siim_covid"])
def test_splits_of_our_own_choice_are_counted_and_not_compared(name: str, tmp_path: Path) -> None:
    write_phantom_dataset(name, tmp_path / "p", 40, 32, rib_free=name == "bse_jsrt")
    report = check(tmp_path / "p", name)
    assert (report.ok, report.state) == (True, State.NOT_COMPARED)
    counted = {line.name: line for line in report.counts}
    assert all(line.known is None for line in report.counts)
    assert counted["train/images"].found + counted["test/images"].found == counted["all/images"].found == 40
    assert not {"train/images", "test/images"} & set(datasets.get(name).card.counts)


def test_nothing_is_remembered_without_a_cache(whole: Path) -> None:
    assert validate("six_class", whole, workers=1).ok


def link(source: Path, target: Path) -> None:
    """The tree `source` at `target`, its files as links."""
    for folder, _, names in os.walk(source):
        below = target / Path(folder).relative_to(source)
        below.mkdir(parents=True, exist_ok=True)
        for name in names:
            (below / name).symlink_to(Path(folder) / name)


def test_real_children_are_complete_with_a_nested_copy_and_shadow_files(realdata: Path, tmp_path: Path) -> None:
    tree = tmp_path / "chest_xray"
    link(realdata / "kermany" / "chest_xray", tree)
    link(realdata / "kermany" / "chest_xray", tree / "chest_xray")
    for folder in (
        tmp_path / "__MACOSX" / "chest_xray" / "test" / "NORMAL",
        tree / "__MACOSX",
        tree / "test" / "NORMAL",
    ):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "._IM-0001-0001.jpeg").write_bytes(b"shadow")
    report = validate("pediatric_pneumonia", tmp_path, reading=Reading(cache=tmp_path / "cache"))
    assert report.ok
    assert (report.state, report.listed, report.decoded) == (State.COMPLETE, 5840, 5840)
    # 30 groups, one of them under two ids: counted on the files themselves.
    assert any(note.startswith("30 groups of bit-equal images inside a split") for note in report.notes)
    assert any(note.startswith("1 group of these stands under several patients") for note in report.notes)


def test_real_nih_files_are_a_partial_copy(realdata: Path, tmp_path: Path) -> None:
    report = validate("nih14", realdata / "nih", reading=Reading(cache=tmp_path), workers=1)
    assert report.ok
    assert report.state is State.PARTIAL
    counted = {line.name: (line.known, line.found) for line in report.counts}
    assert counted["all/images"] == (112_120, 133)
    assert counted["all/boxes"] == (984, 19)
