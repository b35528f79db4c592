"""COCO's average precision: arrays against pycocotools and faster-coco-eval, and paired resamples of images."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from random_detections import pycocotools_numbers, random_set
from timing import in_turn, report, seconds, verdict

from cxrbench.stats import bootstrap_ci
from cxrbench.stats.average_precision import Detections, Truth, match, paired_permutation_test

PER_IMAGE = 100
# pycocotools evaluates so many resamples, and its time is scaled; it is the same for each.
N_TIMED = 3


def drawn(rng: np.random.Generator, n_images: int, n_labels: int) -> tuple[Detections, Truth]:
    """Images of 1024 pixels with 0 to 4 true boxes, most of them found, and 100 detections each."""
    image = np.repeat(np.arange(n_images), rng.integers(0, 5, n_images))
    label = rng.integers(0, n_labels, len(image))
    corner, size = rng.uniform(0, 700, (len(image), 2)), rng.uniform(20, 300, (len(image), 2))
    boxes = np.hstack([corner, corner + size])
    places = np.repeat(np.arange(n_images), PER_IMAGE)
    corner, size = rng.uniform(0, 700, (len(places), 2)), rng.uniform(20, 300, (len(places), 2))
    found, labels = np.hstack([corner, corner + size]), rng.integers(0, n_labels, len(places))
    scores = rng.beta(1, 5, len(places))
    # The first detections of an image are near its true boxes.
    order_in_image = np.arange(len(image)) - np.searchsorted(image, image)
    near = image * PER_IMAGE + order_in_image
    found[near] = boxes + np.sort(rng.normal(0, 12, (len(image), 2, 2)), axis=1).reshape(-1, 4)
    labels[near], scores[near] = label, rng.beta(3, 3, len(near))
    return Detections(places, labels, found, scores), Truth(image, label, boxes)


def dictionaries(found: Detections, truth: Truth, n_images: int, n_labels: int) -> tuple[dict[str, Any], list[Any]]:
    """COCO's truth and list of results, as other packages take them."""

    def rows(given: Detections | Truth, **columns: list[Any]) -> list[dict[str, Any]]:
        boxes = np.hstack([given.boxes[:, :2], given.boxes[:, 2:] - given.boxes[:, :2]]).tolist()
        columns |= {"image_id": given.image.tolist(), "category_id": given.label.tolist(), "bbox": boxes}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    n = len(truth.image)
    of_truth = rows(truth, id=list(range(1, n + 1)), iscrowd=[0] * n, area=truth.area.tolist())
    of_found = rows(found, score=found.scores.tolist())
    ids = {"images": [{"id": i} for i in range(n_images)], "categories": [{"id": k} for k in range(n_labels)]}
    return {**ids, "annotations": of_truth}, of_found


def with_pycocotools(truth: dict[str, Any], found: list[Any]) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        index: Any = COCO()
        index.dataset = truth
        index.createIndex()
        evaluation: Any = COCOeval(index, index.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def with_faster_coco_eval(truth: dict[str, Any], found: list[Any]) -> list[float]:
    package = importlib.import_module("faster_coco_eval")
    with contextlib.redirect_stdout(io.StringIO()):
        index = package.COCO(truth)
        evaluation = package.COCOeval_faster(index, index.loadRes(found), "bbox", print_function=lambda *_: None)
        evaluation.run()
    return [float(value) for value in evaluation.stats[:12]]


def equality(n_sets: int) -> None:
    """Largest difference from pycocotools over random sets with every trap of COCO evaluation."""
    largest, numbers, undefined = 0.0, 0, 0
    for seed in range(n_sets):
        given = random_set(np.random.default_rng(seed))
        summary, (expected, _) = match(*given).summary(), pycocotools_numbers(given)
        for name, value in summary.items():
            other = expected[name]
            largest = max(largest, np.inf if (value is None) != (other is None) else abs((value or 0) - (other or 0)))
            numbers, undefined = numbers + 1, undefined + (value is None)
    print(f"{n_sets} random sets, {numbers:,} numbers ({undefined:,} of them undefined in both)")
    verdict("largest difference from pycocotools", largest, 0, at_least=False)


def evaluation(n_images: int, n_labels: int, rounds: int) -> None:
    """Load and evaluate, from arrays or from dictionaries in memory."""
    found, truth = drawn(np.random.default_rng(0), n_images, n_labels)
    others = {"pycocotools": with_pycocotools}
    if importlib.util.find_spec("faster_coco_eval"):
        others["faster-coco-eval"] = with_faster_coco_eval
    # They write into what they are given.
    fresh = [dictionaries(found, truth, n_images, n_labels) for _ in range(rounds * len(others))]
    answers: dict[str, list[float]] = {}

    def ours() -> None:
        answers["cxrbench"] = [value or 0.0 for value in match(found, truth, n_images, n_labels).summary().values()]

    def theirs(name: str) -> None:
        answers[name] = others[name](*fresh.pop())

    ways: dict[str, Callable[[], object]] = {"cxrbench": ours, **{name: partial(theirs, name) for name in others}}
    title = f"load and evaluate {n_images:,} images, {PER_IMAGE} detections each, labels: {n_labels}"
    medians = report(title, in_turn(ways, rounds, warm_up=0))
    for name in others:
        largest = float(np.abs(np.subtract(answers[name], answers["cxrbench"])).max())
        ratio = medians[name] / medians["cxrbench"]
        print(f"  {name}: largest difference {largest:g}, cxrbench is {ratio:.3g} x as fast")
    verdict("times as fast as pycocotools", medians["pycocotools"] / medians["cxrbench"], 5, at_least=True)


def resampling(n_images: int, n_resamples: int) -> None:
    """A paired difference on resamples of patients: by weights, and by pycocotools on each."""
    (found_a, truth), (found_b, _) = (drawn(np.random.default_rng(0), n_images, 1) for _ in range(2))
    rng = np.random.default_rng(1)
    found_b = Detections(found_b.image, found_b.label, found_b.boxes, rng.permutation(found_b.scores))
    patients = rng.integers(0, int(0.6 * n_images), n_images)
    a, b = match(found_a, truth, n_images, 1), match(found_b, truth, n_images, 1)
    print(f"\n{n_resamples:,} resamples of {n_images:,} images, {PER_IMAGE} detections each, two detectors")
    loop = 0.0
    for found in (found_a, found_b):
        for _ in range(N_TIMED):
            fresh = dictionaries(found, truth, n_images, 1)
            loop += seconds(lambda fresh=fresh: with_pycocotools(*fresh)) * n_resamples / N_TIMED
    print(f"  pycocotools, both detectors on {N_TIMED} resamples, scaled to {n_resamples:,}: {loop:.4g} s")
    for metric in ("map", "map50"):
        first, second = a.weighted(metric), b.weighted(metric)
        ways: dict[str, Callable[[], object]] = {
            f"bootstrap of {metric}, percentile": lambda first=first, second=second: bootstrap_ci(
                lambda weights: first(weights) - second(weights),
                weighted=True,
                groups=patients,
                n_resamples=n_resamples,
                method="percentile",
            ),
            f"permutation test of {metric}": lambda metric=metric: paired_permutation_test(
                a, b, metric, patients, n_resamples
            ),
        }
        for name, took in report(f"by weights, {metric}", in_turn(ways, 1, warm_up=0)).items():
            verdict(f"{name}, seconds", took, 60, at_least=False)
            verdict(f"{name}, times as fast as pycocotools", loop / took, 50, at_least=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--random-sets", type=int, default=1000)
    given = parser.parse_args()
    equality(given.random_sets)
    for n_labels in (1, 14):
        evaluation(given.images, n_labels, given.rounds)
    resampling(1000, given.resamples)


if __name__ == "__main__":
    main()
