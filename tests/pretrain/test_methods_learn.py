"""Every method on phantoms, two epochs of a tiny encoder: its loss falls and its embeddings stay apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxrbench.data import Radiographs, load
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.pretrain.method_card import methods

from .method_cases import SIZE
from .pretraining_cases import BATCH, pretrained, request_of, tiny_arch  # noqa: F401

IMAGES = 160


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Radiographs:
    root = tmp_path_factory.mktemp("phantom") / "chexpert"
    write_phantom_dataset("chexpert", root, IMAGES, SIZE, rib_free=False)
    return load("chexpert", root)


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def quick(method: str) -> dict[str, Any]:
    """Settings under which forty small steps are enough to learn something."""
    values = {"training.optimiser": "adamw", "training.lr": 0.01, "training.schedule": "none", "watch.every": 1}
    if "queue" in methods.get(method).load().Settings.model_fields:
        # The first loss of a contrast is against random keys, and low; with as many as a batch they are gone at once.
        values["method.queue"] = BATCH
    return values


@pytest.mark.usefixtures("tiny_arch")
@pytest.mark.parametrize("method", methods.names())
def test_the_loss_falls_and_the_embeddings_do_not_collapse(
    method: str, phantoms: Radiographs, decoded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    request = request_of(method, tmp_path / "out", values=quick(method))
    first, second = pretrained(request, phantoms, decoded).history.rows
    assert second["loss"] < first["loss"]
    assert "collapsing" not in capfd.readouterr().err
    last = pd.read_csv(tmp_path / "out" / "log.csv").iloc[-5:].mean()
    # Of a batch of eight: one direction would be 1, one point an SD of 0.
    assert last["projection_rank"] > 2
    assert last["feature_rank"] > 3
    assert last["feature_sd"] > 0.5
