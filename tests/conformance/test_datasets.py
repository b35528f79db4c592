"""Every registered dataset keeps its contract, read from the phantom that it writes itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.data import datasets
from cxrbench.data.conformance import check_dataset
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.data.source import Source


def test_dataset_keeps_its_contract(dataset_name: str, phantoms: Path) -> None:
    source = datasets.get(dataset_name)
    if type(source).plan_phantom is Source.plan_phantom:
        pytest.skip(f"{dataset_name} has no phantom; call cxrbench.data.conformance.check_dataset with its folder")
    folder = phantom_folder(dataset_name, phantoms, n=120, size=64)
    radiographs = check_dataset(dataset_name, source, folder)
    assert len(radiographs) == 120
    assert radiographs.synthetic
