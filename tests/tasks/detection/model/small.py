"""Detectors small enough for tests, and the arithmetic of boxes in NumPy, written from the papers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cxrbench.tasks.detection.model.settings import DetectorSettings

SIZE = 64
# MoCo's protocol (facebookresearch/moco, detection) and detectron2's Base-RCNN configurations.
PRESETS: dict[str, dict[str, Any]] = {
    "moco": {"frozen_batch_norm": False, "frozen_stages": 0, "extra_batch_norm": True, "precise_batches": 200},
    "detectron2": {"frozen_batch_norm": True, "frozen_stages": 2, "extra_batch_norm": False, "precise_batches": 0},
}


def small_settings(**values: Any) -> DetectorSettings:
    """Few small anchors, proposals and neurons; `values` replace top-level settings."""
    few: dict[str, Any] = {
        "anchors": {"sizes": (16.0, 32.0), "ratios": (0.5, 1.0, 2.0)},
        "rpn": {
            "samples": 32,
            "before_nms_training": 60,
            "before_nms_test": 60,
            "after_nms_training": 20,
            "after_nms_test": 10,
        },
        "roi": {"samples": 8, "pool_size": 4, "fc_width": 16},
    }
    return DetectorSettings.model_validate({**few, **values})


def images(n: int = 2, size: int = SIZE, seed: int = 0) -> Tensor:
    """Noise [n, 1, size, size] in [0, 1]."""
    return torch.rand(n, 1, size, size, generator=torch.Generator().manual_seed(seed))


def target(*boxes: tuple[float, float, float, float], labels: tuple[int, ...] = ()) -> dict[str, Tensor]:
    """A target of `boxes`, all of class 0 unless `labels` says otherwise; none at all without boxes."""
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels or (0,) * len(boxes), dtype=torch.int64),
    }


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [n, 4] and [m, 4], [n, m]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


def encoded(true: np.ndarray, boxes: np.ndarray, weights: tuple[float, ...] = (1, 1, 1, 1)) -> np.ndarray:
    """Girshick et al. 2014, equations 6 to 9 of appendix C, times `weights`: [n, 4]."""
    sides, wanted = boxes[:, 2:] - boxes[:, :2], true[:, 2:] - true[:, :2]
    moves = ((true[:, :2] + wanted / 2) - (boxes[:, :2] + sides / 2)) / sides
    return np.concatenate([moves, np.log(wanted / sides)], axis=1) * np.asarray(weights, dtype=float)


def decoded(deltas: np.ndarray, boxes: np.ndarray, weights: tuple[float, ...] = (1, 1, 1, 1)) -> np.ndarray:
    """The inverse of `encoded`."""
    deltas = deltas / np.asarray(weights, dtype=float)
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = boxes[:, :2] + sides / 2 + deltas[:, :2] * sides
    sides = sides * np.exp(deltas[:, 2:])
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
