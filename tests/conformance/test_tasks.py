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
from cxrbench.tasks.task import Task

# What makes the trials of a family last seconds, where its own settings do not.
SMALLEST: dict[str, dict[str, object]] = {
    "inversion": {
        "image_size": 0,
        "phantom_generator.resolution": 32,
        "phantom_generator.images": 32,
        "phantom_generator.phantom_size": 64,
        "phantom_generator.steps": 8,
        "steps": 3,
        "images.test": 4,
        "images.calibration": 2,
    },
    "bone_suppression": {"widths": [4, 8], "training.epochs": 1, "training.batch_size": 8},
    "nodule_generation": {
        "patch.size": 32,
        "patch.least_side": 8,
        "patch.views": 1,
        "draw.least_nodules": 2,
        "feature_net": "efficientnet_lite0_scratch",
        "network.channels": 8,
        "network.hidden": 4,
        "network.style": 4,
        "network.discriminator_channels": 4,
        "training.steps": 2,
        "training.batch_size": 4,
    },
    "segmentation": {"decoder_channels": [8] * 5, "training.epochs": 1, "training.batch_size": 8},
    "detection": {
        "image_size": 32,
        "training.epochs": 1,
        "training.batch_size": 8,
        "training.warmup_epochs": 0,
        "detection.anchors.sizes": [8.0, 16.0],
        "detection.rpn.samples": 16,
        "detection.rpn.before_nms_training": 20,
        "detection.rpn.after_nms_training": 8,
        "detection.rpn.before_nms_test": 20,
        "detection.rpn.after_nms_test": 8,
        "detection.roi.samples": 4,
        "detection.roi.pool_size": 2,
        "detection.roi.fc_width": 8,
        "detection.precise_batches": 1,
    },
}


def test_task_keeps_its_contract(task_name: str, phantoms: Path, tmp_path: Path) -> None:
    task = tasks.get(task_name)
    # A task of another family may have no such setting and brings its own size.
    with suppress(UserError):
        task = task.configured(None, {"image_size": 64}, "test")
    task = task.configured(None, SMALLEST.get(family_of(task), {}), "test")
    if type(datasets.get(task.meta.dataset)).plan_phantom is Source.plan_phantom:
        pytest.skip(f"{task.meta.dataset} has no phantom; call cxrbench.tasks.conformance.check_task with its images")
    radiographs = task.select(load(task.meta.dataset, phantom_folder(task.meta.dataset, phantoms, n=120, size=64)))
    images = prepare_images(radiographs, task.image_size, task.preprocessing, cache=phantoms)
    check_task(task, load_encoder("resnet18_scratch"), images, tmp_path)


def family_of(task: Task) -> str:
    """The folder in tasks/ that runs a task of ours; a plug-in's own module has no entry."""
    return type(task).__module__.rpartition(".")[0].rpartition(".")[2]
