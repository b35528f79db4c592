"""Reading by name, and phantoms that stay labelled wherever the reader finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.data import datasets, load
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.source import Source
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

        def read(self, root: Path):
            raise NotImplementedError

    with pytest.raises(UserError, match="dataset bare has no phantom"):
        Bare().plan_phantom(3, 0)


def test_every_dataset_has_the_facts_that_ls_shows() -> None:
    for name in datasets.names():
        source = datasets.get(name)
        assert source.name == name
        assert source.licence
