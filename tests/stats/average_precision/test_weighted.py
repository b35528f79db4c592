from __future__ import annotations

import numpy as np
import pytest

from benchmarks.random_detections import Set, random_set
from cxrbench.stats import bootstrap_ci
from cxrbench.stats.average_precision import METRICS, Detections, Truth, match

from .arrays import as_detections, as_truth


def repeated(given: Set, weights: np.ndarray) -> Set:
    """The data set in which every image stands as often as its weight says, copies side by side."""
    found, truth, _, n_labels = given
    first = np.cumsum(weights) - weights

    def rows(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which rows, and their new images: all of a copy in their order."""
        of = np.repeat(np.arange(len(image)), weights[image])
        copy = np.arange(len(of)) - np.repeat(np.cumsum(weights[image]) - weights[image], weights[image])
        return of, first[image[of]] + copy

    at, image = rows(found.image)
    again = Detections(image, found.label[at], found.boxes[at], found.scores[at])
    at, image = rows(truth.image)
    truth = Truth(image, truth.label[at], truth.boxes[at], truth.crowd[at], truth.area[at])
    return again, truth, int(weights.sum()), n_labels


def without_ties(given: Set, between_images: bool = False) -> Set:
    """Scores of which none are equal; or none of one image, while images share theirs."""
    found, truth, n_images, n_labels = given
    order = np.random.default_rng(0).permutation(len(found.scores))
    scores = (order + 1) / (len(order) + 1)
    if between_images:
        for image in range(n_images):
            mine = found.image == image
            scores[mine] = np.argsort(np.argsort(scores[mine])) / 1000
    return Detections(found.image, found.label, found.boxes, scores), truth, n_images, n_labels


@pytest.mark.parametrize("seed", range(40))
def test_weights_say_what_matching_the_repeated_images_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = without_ties(random_set(rng), between_images=seed % 2 == 0)
    matches = match(*given)
    weights = rng.integers(0, 4, (3, given[2]))
    expected = [match(*repeated(given, row)).summary() for row in weights]
    for metric in METRICS:
        known = [np.nan if each[metric] is None else each[metric] for each in expected]
        assert matches.weighted(metric)(weights) == pytest.approx(known, abs=1e-12, nan_ok=True), metric


@pytest.mark.parametrize("seed", range(40, 60))
def test_weights_of_one_give_the_summary_with_ties_too(seed: int) -> None:
    given = random_set(np.random.default_rng(seed))
    matches = match(*given)
    for metric, expected in matches.summary().items():
        value = matches.weighted(metric)(np.ones((1, given[2]), dtype=int))[0]
        assert value == pytest.approx(np.nan if expected is None else expected, abs=1e-12, nan_ok=True)


def test_copies_of_tied_detections_of_one_image_stand_by_detection() -> None:
    """Right, wrong at one score: as weight 2 right, right, wrong, wrong; repeated right, wrong, right, wrong."""
    square, other = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]
    given = as_detections([0, 0], [0, 0], [square, other], [0.5, 0.5]), as_truth([0], [0], [square]), 1, 1
    assert match(*given).weighted("map")(np.array([[2]]))[0] == pytest.approx(1.0)
    twice = match(*repeated(given, np.array([2]))).summary()["map"]
    assert twice == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_labels_that_no_drawn_image_has_are_in_no_mean() -> None:
    square = [0.0, 0.0, 100.0, 100.0]
    truth = as_truth([0, 1], [0, 1], [square, square])
    matches = match(as_detections([0], [0], [square], [0.9]), truth, 3, 2)
    values = matches.weighted("map")(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    assert values[:3] == pytest.approx([0.5, 1.0, 0.0])
    assert np.isnan(values[3:]).all()
    assert matches.weighted("map", label=1)(np.array([[1, 1, 0], [1, 0, 0]])) == pytest.approx(
        [0.0, np.nan], nan_ok=True
    )


def test_values_do_not_depend_on_what_stands_beside_them() -> None:
    matches = match(*random_set(np.random.default_rng(5)))
    weights = np.random.default_rng(0).integers(0, 3, (50, matches.n_images))
    metric = matches.weighted("map")
    together = metric(weights)
    alone = np.concatenate([metric(weights[i : i + 1]) for i in range(50)])
    np.testing.assert_array_equal(together, alone)


def test_bootstrap_takes_the_difference_of_two() -> None:
    given = random_set(np.random.default_rng(5))
    found, truth, n_images, n_labels = given
    worse = Detections(found.image, found.label, found.boxes, np.random.default_rng(0).permutation(found.scores))
    a, b = match(*given).weighted("map"), match(worse, truth, n_images, n_labels).weighted("map")
    result = bootstrap_ci(lambda w: a(w) - b(w), weighted=True, groups=np.arange(n_images) // 2, n_resamples=100)
    expected = (match(*given).summary()["map"] or 0) - (match(worse, truth, n_images, n_labels).summary()["map"] or 0)
    assert result.estimate == pytest.approx(expected, abs=1e-12)
    assert result.ci_low <= result.ci_high


def test_other_names_are_refused() -> None:
    matches = match(*random_set(np.random.default_rng(5)))
    with pytest.raises(ValueError, match="metric 'auc' must be one of map, map50"):
        matches.weighted("auc")
    with pytest.raises(ValueError, match="metric 'auc'"):
        matches.by_label("auc")
