"""A dataset of bright squares, in memory, and a task on it that trains in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cxrbench.data.images import Images
from cxrbench.data.radiographs import Radiographs
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks.detection.targets import TrueBoxes, true_boxes
from cxrbench.tasks.detection.task import DetectionTask
from cxrbench.tasks.registry import tasks

SIZE, SCALE, N = 64, 2, 24
# The least of everything that still passes through all of the detector.
SMALL: dict[str, Any] = {
    "image_size": SIZE,
    "draw.validation_share": 0.25,
    "training.batch_size": 4,
    "training.epochs": 2,
    "training.warmup_epochs": 0,
    "training.precision": "float32",
    "training.device": "cpu",
    "detection.anchors.sizes": [16.0, 32.0],
    "detection.rpn.samples": 16,
    "detection.rpn.before_nms_training": 50,
    "detection.rpn.after_nms_training": 10,
    "detection.rpn.before_nms_test": 50,
    "detection.rpn.after_nms_test": 10,
    "detection.roi.samples": 4,
    "detection.roi.pool_size": 2,
    "detection.roi.fc_width": 8,
    "detection.precise_batches": 2,
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """So little work is quicker on one core, and several tests at a time do not wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def squares() -> Images:
    """Images of 128 pixels, kept at 64; of three, two have a square, of which the boxes say where."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 60, size=(N, SIZE, SIZE)).astype(np.uint8)
    boxes = []
    for number in range(N):
        if number % 3:
            left, top = generator.integers(4, SIZE - 28, 2)
            pixels[number, top : top + 24, left : left + 24] = 220
            corners = [SCALE * each for each in (left, top, left + 24, top + 24)]
            boxes.append((f"s{number:02}", "opacity", *map(float, corners)))
    samples = pd.DataFrame({"sample_id": [f"s{number:02}" for number in range(N)]})
    samples["patient_id"] = samples["study_id"] = samples["sample_id"]
    samples = samples.assign(path="x.png", split=np.where(np.arange(N) < 16, "train", "test"), view="frontal")
    table = pd.DataFrame(boxes, columns=["sample_id", "label", "x1", "y1", "x2", "y2"])
    data = Radiographs("siim_covid", Path("somewhere"), samples, ("opacity",), False, boxes=table)
    return Images(data, pixels, np.arange(N), Path("somewhere"), "key", SIZE, "default", "fingerprint")


@pytest.fixture(scope="session")
def truth(squares: Images) -> TrueBoxes:
    return true_boxes(squares.radiographs, ("opacity",), np.full((N, 2), SIZE * SCALE))


@pytest.fixture(scope="session")
def small_task() -> DetectionTask:
    task = tasks.get("siim_covid").configured(None, SMALL, "test")
    assert isinstance(task, DetectionTask)
    return task


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return load_encoder("resnet18_scratch")
