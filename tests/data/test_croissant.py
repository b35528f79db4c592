"""Croissant documents of every dataset: mlcroissant, the format's own library, is the judge and reads the records."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pandas as pd
import pytest

from cxrbench.data import Radiographs, datasets, load
from cxrbench.data.card import DatasetCard
from cxrbench.data.croissant import describe, write_croissant
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.foundation.errors import UserError

NAMES = datasets.names()
# The fewest images that every dataset can be drawn with.
IMAGES = 18


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("absl").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phantoms")


def phantom(name: str, folders: Path) -> Radiographs:
    root = folders / name
    if not root.is_dir():
        write_phantom_dataset(name, root, IMAGES, 32, rib_free=False)
    return load(name, root)


def validated(path: Path) -> mlcroissant.Dataset:
    """Raises where the document breaks a rule of the format."""
    return mlcroissant.Dataset(str(path))


@pytest.mark.parametrize("name", NAMES)
def test_a_card_alone_is_valid(tmp_path: Path, name: str) -> None:
    path = tmp_path / "card.json"
    assert write_croissant(path, name, datasets.get(name).card) == [path]
    found = validated(path).metadata
    card = datasets.get(name).card
    assert found.name == name
    assert found.cite_as == card.citation
    assert found.license == [card.licence_address or card.licence]
    assert all(sentence in str(found.description) for sentence in card.forbids)
    assert found.data_limitations == list(card.traps)


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_on_disk_is_valid_and_its_records_are_read_back(tmp_path: Path, folders: Path, name: str) -> None:
    radiographs = phantom(name, folders)
    written = write_croissant(tmp_path / f"{name}.json", name, datasets.get(name).card, radiographs)
    document = validated(written[0])
    assert str(document.metadata.description).startswith("SYNTHETIC PHANTOM")
    kinds = {"samples": radiographs.samples, "boxes": radiographs.boxes, "masks": radiographs.masks}
    kinds = {kind: table for kind, table in kinds.items() if table is not None}
    assert [path.name for path in written[1:]] == [f"{name}-{kind}.parquet" for kind in kinds]
    for kind, table in kinds.items():
        records = pd.DataFrame(list(document.records(kind)))
        assert len(records) == len(table)
        for column, found in zip(table.columns, records.columns, strict=True):
            if table[column].dtype.kind in "iuf":
                np.testing.assert_allclose(records[found].astype(float), table[column].astype(float))
            elif table[column].dtype.kind == "b":
                assert records[found].tolist() == table[column].tolist()
            else:
                assert records[found].str.decode("utf-8").tolist() == table[column].tolist(), column


def parts(document: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {each["@id"]: each for each in document[kind]}


def test_file_sets_find_the_images_and_tables_have_their_hashes(tmp_path: Path, folders: Path) -> None:
    radiographs = phantom("node21", folders)
    path = write_croissant(tmp_path / "a.json", "node21", datasets.get("node21").card, radiographs)[0]
    files = parts(json.loads(path.read_text()), "distribution")
    assert set(files) == {"images.mha", "a-samples.parquet", "a-boxes.parquet"}
    assert len(list(radiographs.root.glob(files["images.mha"]["includes"]))) == IMAGES
    expected = hashlib.sha256((tmp_path / "a-samples.parquet").read_bytes()).hexdigest()
    assert files["a-samples.parquet"]["sha256"] == expected


def test_labels_say_what_their_numbers_mean_and_keys_point_at_samples(tmp_path: Path, folders: Path) -> None:
    radiographs = phantom("vindr", folders)
    path = write_croissant(tmp_path / "a.json", "vindr", datasets.get("vindr").card, radiographs)[0]
    sets = parts(json.loads(path.read_text()), "recordSet")
    fields = parts(sets["samples"], "field")
    assert fields["samples/Lung_Opacity"]["name"] == "Lung Opacity"
    assert "share of the readers" in fields["samples/Lung_Opacity"]["description"]
    assert fields["samples/sample_id"]["dataType"] == "sc:Text"
    assert sets["samples"]["key"] == {"@id": "samples/sample_id"}
    boxes = parts(sets["boxes"], "field")
    assert boxes["boxes/sample_id"]["references"] == {"field": {"@id": "samples/sample_id"}}


@pytest.mark.parametrize(("version", "expected"), [("2", "2.0.0"), ("1.0", "1.0.0"), ("1.2.3", "1.2.3"), ("v2", "v2")])
def test_versions_get_the_three_parts_that_the_format_asks_for(version: str, expected: str) -> None:
    card = DatasetCard(title="A", licence="B", citation="C", version=version)
    assert describe("a", card)["version"] == expected


def test_what_a_card_does_not_say_is_left_out() -> None:
    found = describe("a", DatasetCard(title="A title", licence="mine", citation="me"))
    assert found["description"] == "A title"
    assert found["license"] == "mine"
    assert not {"version", "url", "creator", "datePublished", "rai:dataLimitations"} & set(found)


def test_a_path_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        write_croissant(tmp_path / "file" / "a.json", "a", DatasetCard(title="A", licence="B", citation="C"))
