from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cxrbench.bench.pretraining_data import training_data
from cxrbench.data import load
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.foundation.progress import SilentProgress


@pytest.fixture(scope="module")
def kermany(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "chest_xray"
    write_phantom_dataset("pediatric_pneumonia", root, 60, 32, 1, rib_free=False)
    return root


def read(data: str, tmp_path: Path, *against: str, allow: bool = False):
    return training_data(data, against, allow_contamination=allow, cache=tmp_path / "cache", progress=SilentProgress())


def n_test(root: Path) -> int:
    return int((load("pediatric_pneumonia", root).samples["split"] == "test").sum())


def test_the_test_images_of_a_dataset_are_left_out(kermany: Path, tmp_path: Path) -> None:
    found = read(f"pediatric_pneumonia={kermany}", tmp_path)
    (radiographs,) = found.radiographs
    assert len(radiographs) == 60 - n_test(kermany)
    assert "test" not in set(radiographs.samples["split"])
    assert found.contamination == ()
    assert found.audit == (f"pediatric_pneumonia: {n_test(kermany)} of 60 images left out, because tasks test on them",)


def test_a_task_name_stands_for_its_dataset_and_phantoms_have_options_with_commas(tmp_path: Path) -> None:
    found = read("nih14=phantom:n=40,size=32,phantom:n=30,size=32,seed=2", tmp_path)
    assert [each.dataset for each in found.radiographs] == ["nih14", "chexpert"]
    assert all(each.synthetic for each in found.radiographs)


def test_a_folder_that_holds_a_test_set_is_refused_and_named(kermany: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=rf"{n_test(kermany)} of its 60 images are the test images of pediatric_pn"):
        read(str(kermany), tmp_path)
    found = read(str(kermany), tmp_path, allow=True)
    assert found.contamination == ("pediatric_pneumonia",)
    assert len(found.radiographs[0]) == 60


def test_the_train_part_of_a_folder_alone_is_clean(kermany: Path, tmp_path: Path) -> None:
    found = read(str(next(kermany.rglob("train"))), tmp_path)
    assert found.contamination == ()


def test_a_list_with_test_images_is_refused(kermany: Path, tmp_path: Path) -> None:
    listed = kermany.parent / "list.txt"
    names = sorted(path.relative_to(kermany.parent).as_posix() for path in kermany.rglob("test/*/*.jpeg"))
    listed.write_text("\n".join(names))
    with pytest.raises(RefusedError, match="test images of pediatric_pneumonia"):
        read(str(listed), tmp_path)


def test_copies_of_test_images_under_other_names_are_found_by_their_pixels(kermany: Path, tmp_path: Path) -> None:
    copies = tmp_path / "mine"
    copies.mkdir()
    for number, path in enumerate(sorted(kermany.rglob("*.jpeg"))):
        shutil.copy(path, copies / f"scan{number}.jpeg")
    with pytest.raises(RefusedError, match=f"{n_test(kermany)} by bit-equal pixels"):
        read(str(copies), tmp_path, f"pediatric_pneumonia={kermany}")


def test_datasets_that_share_nothing_are_said_to(kermany: Path, tmp_path: Path) -> None:
    found = read("chexpert=phantom:n=30,size=32", tmp_path, f"pediatric_pneumonia={kermany}")
    assert found.audit[1] == (
        f"chexpert: no test image and no test patient of pediatric_pneumonia among {len(found.radiographs[0])} images"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("chexprt=phantom", "unknown dataset or task 'chexprt'.*chexpert"),
        ("chexpert=", "write DATASET=FOLDER"),
        ("a,,b", "an entry is empty"),
        ("nowhere", "nowhere: no such file or folder"),
        ("chexpert=nowhere", "no folder nowhere"),
    ],
)
def test_what_cannot_be_read_is_one_line(data: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words) as error:
        read(data, tmp_path)
    assert "\n" not in str(error.value)


def test_against_needs_a_dataset_with_a_test_set(kermany: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--against mine: write DATASET=FOLDER"):
        read("phantom:n=20,size=32", tmp_path, "mine")
