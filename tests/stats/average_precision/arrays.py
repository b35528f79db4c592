"""Detections and true boxes from lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from cxrbench.stats.average_precision import Detections, Truth


def as_detections(image: list[int], label: list[Any], boxes: Any, scores: list[float]) -> Detections:
    return Detections(np.array(image, dtype=int), np.array(label), np.array(boxes), np.array(scores))


def as_truth(image: list[int], label: list[Any], boxes: Any, **fields: Any) -> Truth:
    return Truth(np.array(image, dtype=int), np.array(label), np.array(boxes), **fields)
