from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cxrbench.bench.pretraining_data import split_entries, training_data
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
        ("n" * 300, "no such file or folder"),
    ],
)
def test_what_cannot_be_read_is_one_line(data: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words) as error:
        read(data, tmp_path)
    assert "\n" not in str(error.value)


def test_against_needs_a_dataset_with_a_test_set(kermany: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--against mine: write DATASET=FOLDER"):
        read("phantom:n=20,size=32", tmp_path, "mine")


def test_test_images_are_found_from_above_from_inside_by_absolute_paths_and_through_links(
    kermany: Path, tmp_path: Path
) -> None:
    files = sorted(kermany.rglob("test/*/*.jpeg"))
    above = tmp_path / "all"
    (above / "one").mkdir(parents=True)
    shutil.copytree(kermany, above / "two" / "deeper" / "chest_xray")
    links = tmp_path / "links"
    links.mkdir()
    for number, path in enumerate(files):
        (links / f"scan{number}.jpeg").symlink_to(path)
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(f"{path.parent}/../{path.parent.name}//{path.name}" for path in files))
    inside = next(kermany.rglob("test"))
    alias = tmp_path / "alias"
    alias.symlink_to(inside)
    for place in (above, links, listed, inside, inside / "NORMAL", alias):
        with pytest.raises(RefusedError, match="are the test images of pediatric_pneumonia"):
            read(str(place), tmp_path)


def test_phantoms_in_a_list_of_absolute_paths_are_known_as_such(tmp_path: Path) -> None:
    write_phantom_dataset("chexpert", tmp_path / "a" / "b" / "c", 20, 32, 1, rib_free=False)
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(map(str, sorted((tmp_path / "a").rglob("train/**/*.jpg")))))
    (radiographs,) = read(str(listed), tmp_path).radiographs
    assert radiographs.synthetic


def test_a_copy_without_its_test_images_is_none_with_unreadable_ones(tmp_path: Path) -> None:
    root = tmp_path / "nih"
    write_phantom_dataset("nih14", root, 60, 32, 1, rib_free=False)
    samples = load("nih14", root).samples
    test = samples[samples["split"] == "test"]
    for path in test["path"]:
        (root / path).unlink()
    train = samples[samples["split"] == "train"]
    (root / train["path"].iloc[0]).unlink()
    (radiographs,) = read(f"nih14={root}", tmp_path).radiographs
    assert len(radiographs) == len(train) - 1
    assert radiographs.left_out is not None
    assert radiographs.left_out["sample_id"].tolist() == [train["sample_id"].iloc[0]]


def test_several_to_compare_with_may_be_phantoms() -> None:
    text = "chexpert=phantom:n=40,size=32,nih14=/data/nih"
    assert split_entries(text) == ["chexpert=phantom:n=40,size=32", "nih14=/data/nih"]
