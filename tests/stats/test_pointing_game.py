from __future__ import annotations

import itertools

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from cxrbench.stats import bootstrap_ci
from cxrbench.stats.pointing_game import (
    box_masks,
    mean_pointing_share,
    mean_pointing_test,
    pointing_hits,
    pointing_share,
    pointing_test,
)


def mask_of(
    *boxes: tuple[float, ...], side: int = 8, size: tuple[int, int] = (8, 8), tolerance: float = 0
) -> np.ndarray:
    """The mask of one image with these boxes."""
    return box_masks(side, np.array([size]), np.zeros(len(boxes), int), np.array(boxes), tolerance)[0]


def peak_at(row: int, column: int, side: int = 8) -> np.ndarray:
    """A map with one highest pixel."""
    found = np.zeros((1, side, side))
    found[0, row, column] = 0.3
    return found


def pixels(mask: np.ndarray) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for row, column in np.argwhere(mask)}


def test_a_pixel_is_in_a_box_where_its_centre_is() -> None:
    # Columns 2 and 3 have their centres at 2.5 and 3.5, row 1 at 1.5.
    assert pixels(mask_of((2, 1, 4, 2))) == {(1, 2), (1, 3)}


def test_edges_belong_to_the_box() -> None:
    assert pixels(mask_of((2.5, 1.5, 3.5, 1.5))) == {(1, 2), (1, 3)}
    assert pixels(mask_of((2.51, 1.4, 3.49, 1.6))) == {(1, 3)}  # between the centres: the pixel of its own centre


def test_a_map_covers_its_image_whatever_the_shape_of_that() -> None:
    # 4 pixels across 400, 4 down 200: centres at 50, 150, ... across and 25, 75, ... down.
    assert pixels(mask_of((140, 60, 260, 130), side=4, size=(200, 400))) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert pixels(mask_of((160, 60, 260, 90), side=4, size=(200, 400))) == {(1, 2)}


def test_boxes_of_one_image_are_joined_and_those_of_another_are_not() -> None:
    masks = box_masks(
        8, np.full((3, 2), 8), np.array([2, 0, 2]), np.array([[0, 0, 1, 1], [3, 3, 4, 4], [6, 6, 7, 7.0]])
    )
    assert [pixels(mask) for mask in masks] == [{(3, 3)}, set(), {(0, 0), (6, 6)}]


def test_tolerance_is_a_distance_and_not_a_larger_box() -> None:
    # From the corner (1, 1): (2.5, 0.5) is 1.5 away, (2.5, 2.5) is 2.12 away.
    near = pixels(mask_of((0, 0, 1, 1), tolerance=1.5))
    assert {(0, 2), (2, 0), (1, 1)} <= near
    assert (2, 2) not in near
    assert (2, 2) in pixels(mask_of((0, 0, 1, 1), tolerance=2.2))


def test_a_box_that_reaches_over_the_edge_counts_where_the_image_is() -> None:
    assert pixels(mask_of((-5, -5, 1, 1))) == {(0, 0)}


@pytest.mark.parametrize("box", [(9, 1, 12, 4), (-4, 1, -1, 4), (4, 1, 2, 4), (1, float("nan"), 2, 4)])
def test_a_box_outside_its_image_or_inverted_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"box 1 .* inverted or outside its image"):
        mask_of((0, 0, 1, 1), box)


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="tolerance -1"):
        mask_of((0, 0, 1, 1), tolerance=-1)


def test_the_highest_place_decides() -> None:
    masks = np.repeat(mask_of((2, 2, 5, 5), (7, 7, 8, 8))[None], 4, axis=0)
    maps = np.concatenate([peak_at(2, 2), peak_at(4, 4), peak_at(5, 5), peak_at(7, 7)])
    assert pointing_hits(maps, masks).tolist() == [True, True, False, True]


def test_of_places_that_are_equally_high_more_than_half_must_be_inside() -> None:
    mask = mask_of((0, 0, 2, 1))[None]  # pixels (0, 0) and (0, 1)
    two, three = np.zeros((1, 8, 8)), np.zeros((1, 8, 8))
    two[0, 0, 1] = two[0, 7, 7] = 1
    three[0, 0, :3] = 1
    assert pointing_hits(two, mask).tolist() == [False]
    assert pointing_hits(three, mask).tolist() == [True]
    # The same pictures upside down say the same.
    assert pointing_hits(three[:, ::-1, ::-1], mask[:, ::-1, ::-1]).tolist() == [True]


def test_a_map_that_is_the_same_everywhere_points_nowhere() -> None:
    everything = np.ones((2, 8, 8), dtype=bool)
    assert pointing_hits(np.stack([np.zeros((8, 8)), np.full((8, 8), -1.0)]), everything).tolist() == [False, False]


def test_a_map_below_0_points_to_where_it_is_highest() -> None:
    assert pointing_hits(peak_at(3, 3) - 5, mask_of((3, 3, 4, 4))[None]).tolist() == [True]


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        pointing_hits(np.full((1, 8, 8), np.nan), np.ones((1, 8, 8), dtype=bool))
    with pytest.raises(ValueError, match="must both be"):
        pointing_hits(np.zeros((1, 8, 8)), np.ones((2, 8, 8), dtype=bool))


def test_with_one_case_a_patient_the_interval_is_wilsons() -> None:
    hits = np.array([1, 1, 0, 1, 0, 1, 1, 0, 1, 1])
    found = pointing_share(hits, np.arange(10))
    assert (found.hits, found.share) == (7, 0.7)
    assert (found.ci_low, found.ci_high) == pytest.approx(proportion_confint(7, 10, method="wilson"))


def test_cases_of_one_patient_are_not_counted_as_independent() -> None:
    of_patient = np.array([1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1])
    found = pointing_share(np.repeat(of_patient, 3), np.repeat(np.arange(12), 3))
    expected = bootstrap_ci("mean", of_patient)
    assert (found.cases, found.patients) == (36, 12)
    assert (found.ci_low, found.ci_high) == pytest.approx((expected.ci_low, expected.ci_high))


@pytest.mark.parametrize("hit", [0, 1])
def test_where_all_agree_the_interval_still_has_a_width(hit: int) -> None:
    found = pointing_share(np.full(8, hit), np.repeat(np.arange(4), 2))
    assert (found.ci_low, found.ci_high) == pytest.approx(proportion_confint(4 * hit, 4, method="wilson"))
    assert found.interval == "Wilson, patients as units"


def test_one_patient_with_several_cases_gives_no_interval() -> None:
    found = pointing_share(np.array([1, 0]), np.array(["p", "p"]))
    assert (found.share, found.ci_low, found.interval) == (0.5, None, "none: one patient")


def test_the_mean_counts_every_label_alike() -> None:
    labels = np.repeat(["Mass", "Nodule"], [8, 2])
    hits = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 1])
    found = mean_pointing_share(hits, labels, np.arange(10))
    assert found.share == pytest.approx((6 / 8 + 1 / 2) / 2)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert 0 <= found.ci_low < found.share < found.ci_high <= 1


def test_the_mean_of_one_label_is_that_label() -> None:
    hits, patients = np.array([1, 0, 1, 1]), np.arange(4)
    assert mean_pointing_share(hits, np.array(["Mass"] * 4), patients) == pointing_share(hits, patients)


def test_a_label_that_resamples_lack_has_its_own_interval_in_that_of_the_mean() -> None:
    hits, labels = np.array([1, 0] * 5), np.array(["Mass"] * 9 + ["Nodule"])
    found = mean_pointing_share(hits, labels, np.arange(10))
    (low_a, high_a), (low_b, high_b) = (proportion_confint(*each, method="wilson") for each in ((5, 9), (0, 1)))
    assert found.share == pytest.approx(5 / 18)
    assert found.ci_low == pytest.approx(5 / 18 - np.hypot(5 / 9 - low_a, 0 - low_b) / 2)
    assert found.ci_high == pytest.approx(5 / 18 + np.hypot(high_a - 5 / 9, high_b - 0) / 2)
    assert found.interval.startswith("MOVER")


@pytest.mark.parametrize("hit", [0, 1])
def test_the_mean_of_labels_that_all_agree_has_a_width(hit: int) -> None:
    found = mean_pointing_share(np.full(30, hit), np.repeat(["Mass", "Nodule"], 15), np.arange(30))
    low, high = proportion_confint(15 * hit, 15, method="wilson")
    assert found.ci_low == pytest.approx(hit - np.sqrt(2) * (hit - low) / 2)
    assert found.ci_high == pytest.approx(hit + np.sqrt(2) * (high - hit) / 2)


def test_one_patient_with_all_cases_leaves_the_mean_open() -> None:
    found = mean_pointing_share(np.array([1, 0, 1, 0]), np.array(list("aabb")), np.zeros(4))
    assert found.share == 0.5
    assert (found.ci_low, found.ci_high) == pytest.approx((0.5 - np.sqrt(0.5) / 2, 0.5 + np.sqrt(0.5) / 2))


def test_maps_that_point_alike_do_not_differ() -> None:
    hits, patients = np.array([1, 0, 1, 1]), np.arange(4)
    labels = np.array(["Mass", "Mass", "Nodule", "Nodule"])
    assert pointing_test(hits, hits, patients).p_value == 1
    found = mean_pointing_test(hits, hits, labels, patients)
    assert (found.p_value, found.estimate, found.degenerate) == (1.0, 0.0, "no patient differs")


def test_the_test_of_the_mean_is_that_of_all_changes_of_sides() -> None:
    rng = np.random.default_rng(3)
    labels, patients = rng.integers(0, 3, 24), rng.integers(0, 9, 24)
    a, b = rng.random(24) < 0.75, rng.random(24) < 0.35
    found = mean_pointing_test(a, b, labels, patients)
    weight = np.array([1 / (3 * (labels == label).sum()) for label in labels])
    of_patient = np.array([(weight * (a.astype(float) - b))[patients == one].sum() for one in range(9)])
    sums = np.array([abs(np.dot(signs, of_patient)) for signs in itertools.product((-1, 1), repeat=9)])
    assert found.estimate == pytest.approx(of_patient.sum())
    assert found.p_value == pytest.approx((sums >= abs(of_patient.sum()) - 1e-12).mean(), abs=0.015)
