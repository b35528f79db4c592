"""Random detections and true boxes with every trap of COCO evaluation, and what pycocotools says of them."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from cxrbench.stats.average_precision import METRICS, Detections, Truth

Set = tuple[Detections, Truth, int, int]


def random_set(rng: np.random.Generator) -> Set:
    """A small set: images without boxes, labels without boxes, ties, crowds, areas on the limits, over 100 boxes."""
    n_images, n_labels = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    # Sizes about the limits 32 and 96, and exactly on them.
    grid = np.array([1.0, 8, 16, 31, 32, 33, 64, 95, 96, 97, 128, 200])
    # Few corners, so that overlaps are many, equal and exactly at thresholds.
    coarse = rng.random() < 0.5
    n_true = int(rng.choice([0, 1, 5, 30, 60], p=[0.05, 0.15, 0.3, 0.3, 0.2]))
    true = _boxes(rng, n_true, grid, coarse)
    image, label = rng.integers(0, n_images, n_true), rng.integers(0, n_labels, n_true)
    if n_labels > 1 and rng.random() < 0.5:
        label %= n_labels - 1
    if n_images > 1 and rng.random() < 0.5:
        image = image // 2
    found, found_image, found_label = _found(rng, true, image, label, n_images, n_labels, grid, coarse)
    scores = rng.random(len(found))
    if rng.random() < 0.5:
        scores = np.round(scores, 1)
    crowd = rng.random(n_true) < rng.choice([0.0, 0.3])
    area = None if rng.random() < 0.5 else rng.choice([1.0, 32.0**2, 50.0**2, 96.0**2, 300.0**2, 2e10], n_true)
    truth = Truth(image, label, true, crowd, area)
    return Detections(found_image, found_label, found, scores), truth, n_images, n_labels


def pycocotools_numbers(given: Set, first_id: int = 1) -> tuple[dict[str, float | None], np.ndarray]:
    """The twelve numbers, and precisions [10, 101, K] of all areas (-1 where undefined)."""
    from pycocotools.cocoeval import COCOeval

    truth, found = pycocotools_input(given, first_id)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation: Any = COCOeval(loaded(truth), loaded(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    numbers = {
        name: None if value == -1 else float(value) for name, value in zip(METRICS, evaluation.stats, strict=True)
    }
    return numbers, evaluation.eval["precision"][..., 0, 2]


def loaded(dataset: dict[str, Any]) -> Any:
    """A dataset as pycocotools indexes it."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        index: Any = COCO()
        index.dataset = dataset
        index.createIndex()
    return index


def pycocotools_input(given: Set, first_id: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    """Truth and detections as COCO's dictionaries; detections complete, as loadRes makes them but also for none."""
    detections, truth, n_images, n_labels = given
    base = {"images": [{"id": n} for n in range(n_images)], "categories": [{"id": n} for n in range(n_labels)]}
    corners = zip(truth.image, truth.label, _corner_and_size(truth.boxes), truth.crowd, truth.area, strict=True)
    of_truth = [
        {"id": number, "image_id": int(i), "category_id": int(k), "bbox": box, "iscrowd": int(crowd), "area": area}
        for number, (i, k, box, crowd, area) in enumerate(corners, start=first_id)
    ]
    corners = zip(
        detections.image, detections.label, _corner_and_size(detections.boxes), detections.scores, strict=True
    )
    of_found = [
        {
            **{"id": number, "image_id": int(i), "category_id": int(k), "bbox": box, "score": float(score)},
            **{"area": box[2] * box[3], "iscrowd": 0},
        }
        for number, (i, k, box, score) in enumerate(corners, start=1)
    ]
    return {**base, "annotations": of_truth}, {**base, "annotations": of_found}


def _corner_and_size(boxes: np.ndarray) -> list[list[float]]:
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist()


def _boxes(rng: np.random.Generator, n: int, grid: np.ndarray, coarse: bool) -> np.ndarray:
    corner = rng.integers(0, 4, (n, 2)) * 16.0 if coarse else rng.uniform(0, 300, (n, 2))
    size = rng.choice(grid, (n, 2)) if coarse else rng.choice(grid, (n, 2)) * rng.uniform(0.8, 1.2, (n, 2))
    return np.hstack([corner, corner + size])


def _found(
    rng: np.random.Generator,
    true: np.ndarray,
    image: np.ndarray,
    label: np.ndarray,
    n_images: int,
    n_labels: int,
    grid: np.ndarray,
    coarse: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes near true ones, several to one, and others; sometimes none, sometimes over 100 of an image and label."""
    if rng.random() < 0.05:
        return np.empty((0, 4)), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    of = rng.integers(0, len(true), int(rng.integers(0, 80))) if len(true) else np.empty(0, dtype=np.int64)
    shift = rng.normal(0, rng.choice([0.0, 1, 5, 20]), (len(of), 4))
    near = true[of] + (np.round(shift / 16) * 16 if coarse else shift)
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2])
    n_other = int(rng.choice([0, 3, 30, 500], p=[0.3, 0.3, 0.3, 0.1]))
    boxes = np.vstack([near, _boxes(rng, n_other, grid, coarse)])
    images = np.append(image[of], rng.integers(0, n_images, n_other))
    labels = np.append(label[of], rng.integers(0, n_labels, n_other))
    order = rng.permutation(len(boxes))
    return boxes[order], images[order], labels[order]
