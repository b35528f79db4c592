"""Every registered task keeps its contract, on the phantom of its dataset."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from cxrbench.data import datasets, load, prepare_images
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.data.source import Source
from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.conformance import check_task
from cxrbench.tasks.registry import tasks


def test_task_keeps_its_contract(task_name: str, phantoms: Path, tmp_path: Path) -> None:
    task = tasks.get(task_name)
    # A task of another family may have no such setting and brings its own size.
    with suppress(UserError):
        task = task.configured(None, {"image_size": 64}, "test")
    if type(datasets.get(task.meta.dataset)).plan_phantom is Source.plan_phantom:
        pytest.skip(f"{task.meta.dataset} has no phantom; call cxrbench.tasks.conformance.check_task with its images")
    radiographs = task.select(load(task.meta.dataset, phantom_folder(task.meta.dataset, phantoms, n=120, size=64)))
    images = prepare_images(radiographs, task.image_size, task.preprocessing, cache=phantoms)
    check_task(task, load_encoder("resnet18_scratch"), images, tmp_path)
