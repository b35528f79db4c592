"""Reading by name, and phantoms that stay labelled wherever the reader finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.data import datasets, load
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.problems import MISSING_IMAGE, Problem
from cxrbench.data.reading import Reading
from cxrbench.data.source import Source, read, without
from cxrbench.foundation.errors import UserError


@pytest.mark.parametrize("dataset", ["chexpert", "pediatric_pneumonia", "six_class"])
def test_a_phantom_is_synthetic_from_its_folder_from_above_and_from_inside(dataset: str, tmp_path: Path) -> None:
    root = tmp_path / "above" / "phantom"
    write_phantom_dataset(dataset, root, 60, 32, rib_free=False)
    inside = [folder for folder in root.iterdir() if folder.is_dir() and folder.name != "phantom"]
    read = 0
    for folder in (root, root.parent, *inside):
        try:
            radiographs = load(dataset, folder)
        except UserError:
            continue
        read += 1
        assert radiographs.synthetic, folder
    assert read >= 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"chexpert: no folder .*nowhere; give the dataset's folder with --data"):
        load("chexpert", tmp_path / "nowhere")


def test_a_dataset_without_a_phantom_says_so() -> None:
    class Bare(Source):
        name = "bare"

        def read(self, root: Path, reading: Reading):
            raise NotImplementedError

    with pytest.raises(UserError, match="dataset bare has no phantom"):
        Bare().plan_phantom(3, 0)


def test_every_dataset_has_the_facts_that_ls_shows() -> None:
    for name in datasets.names():
        source = datasets.get(name)
        assert source.name == name
        assert source.card.licence


@pytest.fixture
def phantom(tmp_path: Path) -> Path:
    write_phantom_dataset("six_class", tmp_path / "p", 60, 32, rib_free=False)
    return tmp_path / "p"


def test_missing_images_are_one_error_and_can_be_left_out(phantom: Path) -> None:
    whole = load("six_class", phantom)
    gone = whole.samples["path"].iloc[:25]
    for path in gone:
        (phantom / path).unlink()
    with pytest.raises(UserError) as caught:
        load("six_class", phantom)
    lines = str(caught.value).split("\n")
    assert lines[0] == "six_class: 25 problems (25 x missing image):"
    assert len(lines) == 1 + 20 + 1 + 1
    assert lines[21] == "  ... and 5 more"
    assert lines[22] == "complete the copy, or go on without these images: --skip-unreadable"
    reading = Reading()
    left = load("six_class", phantom, reading=reading, skip_unreadable=True)
    assert len(left) == 35
    assert left.synthetic
    assert left.left_out is not None
    assert left.left_out["sample_id"].tolist() == whole.samples["sample_id"].iloc[:25].tolist()
    assert reading.problems.counts() == {MISSING_IMAGE: 25}


def test_reading_alone_refuses_nothing(phantom: Path) -> None:
    whole = load("six_class", phantom)
    (phantom / whole.samples["path"].iloc[3]).unlink()
    reading = Reading()
    found = read("six_class", phantom, reading)
    assert found.samples["path"].iloc[3] == ""
    assert (len(found), len(reading.problems)) == (60, 0)


def test_a_wrong_path_is_one_problem_not_two(phantom: Path) -> None:
    table = phantom / "labels.csv"
    first = table.read_text().split("\n")[1].split(",")[0]
    table.write_text(table.read_text().replace(first, f"../{first}"))
    with pytest.raises(UserError, match=r"labels\.csv, row 2: .* leads out of the dataset's folder; mend it, or go"):
        load("six_class", phantom)


def test_nothing_is_left_of_a_dataset_without_images(phantom: Path) -> None:
    for image in (phantom / "images").iterdir():
        image.unlink()
    with pytest.raises(UserError, match=r"six_class: not one of 60 images can be used; the first: .*no image P"):
        load("six_class", phantom, skip_unreadable=True)


def test_what_is_left_out_adds_up(phantom: Path) -> None:
    whole = load("six_class", phantom)
    names = whole.samples["sample_id"].tolist()
    left = without(without(whole, {names[0]: "blurred"}), {names[1]: "black"})
    assert left.samples["sample_id"].tolist() == names[2:]
    assert left.left_out is not None
    assert left.left_out.to_numpy().tolist() == [[names[0], "blurred"], [names[1], "black"]]


def test_what_a_reader_left_away_is_listed_with_what_is_left_out(phantom: Path) -> None:
    whole = load("six_class", phantom)
    assert without(whole, {}) is whole
    left = without(whole, {whole.samples["sample_id"].iloc[0]: "blurred", "film without its partner": "no partner"})
    assert left.left_out is not None
    assert (len(left), len(left.left_out)) == (len(whole) - 1, 2)


def test_an_unreadable_folder_is_one_line(phantom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(self: Source, root: Path, reading: Reading):
        raise PermissionError(13, "Permission denied", str(root / "images"))

    monkeypatch.setattr("cxrbench.data.sources.six_class.SixClass.read", deny)
    with pytest.raises(UserError, match=r"six_class: .*images cannot be read: Permission denied"):
        load("six_class", phantom)


def test_problems_of_no_single_image_are_noted_when_going_on(phantom: Path) -> None:
    reading = Reading()
    reading.problems.extend([Problem("incomplete copy", "x.csv", "no lateral views"), Problem("odd", "y.csv", "z", "")])
    left = load("six_class", phantom, reading=reading, skip_unreadable=True)
    assert len(left) == 60
    assert left.left_out is None
    note = "2 problems that concern no single image were passed over (1 x incomplete copy, 1 x odd)"
    assert left.notes == (note,)
