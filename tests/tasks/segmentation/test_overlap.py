"""Overlap from run lengths against pixels, against the library's F1, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from segmentation_models_pytorch.metrics import f1_score, get_stats, iou_score

from cxrbench.foundation.errors import RefusedError
from cxrbench.tasks.segmentation.overlap import overlap_of
from tests.tasks.segmentation.examples import batch_of, random_masks, text_of


def test_a_case_worked_by_hand() -> None:
    # Columns of 3 pixels. Truth marks pixels 1, 2, 3, 4 down the columns, the decision 3, 4, 5.
    found = overlap_of(["1 4 4", "9", "9", "2 3 4"], ["3 3 3", "9", "0 2 7", "9"])
    assert found.truth.tolist() == [4, 0, 0, 3]
    assert found.decision.tolist() == [3, 0, 2, 0]
    assert found.both.tolist() == [2, 0, 0, 0]
    assert found.dice().tolist() == [4 / 7, 1.0, 0.0, 0.0]
    assert found.iou().tolist() == [2 / 5, 1.0, 0.0, 0.0]


def test_pixels_say_the_same() -> None:
    truth = random_masks(300, seed=0)
    decision = [
        np.roll(each, 1, axis=0) ^ (np.random.default_rng(n).random(each.shape) < 0.1) for n, each in enumerate(truth)
    ]
    found = overlap_of([text_of(each) for each in truth], [text_of(each) for each in decision])
    assert found.truth.tolist() == [each.sum() for each in truth]
    assert found.decision.tolist() == [each.sum() for each in decision]
    assert found.both.tolist() == [(a & b).sum() for a, b in zip(truth, decision, strict=True)]


def test_dice_and_iou_are_the_library_s_micro_imagewise() -> None:
    generator = np.random.default_rng(3)
    truth = [each for each in random_masks(60, seed=1) if each.shape == (5, 4)] + [np.zeros((5, 4), dtype=bool)] * 5
    decision = [
        (generator.random(each.shape) < share)
        for share, each in zip(np.linspace(0, 0.6, len(truth)), truth, strict=True)
    ]
    found = overlap_of([text_of(each) for each in truth], [text_of(each) for each in decision])
    stats = get_stats(batch_of(decision), batch_of(truth), mode="binary")
    for ours, theirs in ((found.dice(), f1_score), (found.iou(), iou_score)):
        expected = theirs(*stats, reduction="micro-imagewise", zero_division=1.0)
        assert ours.mean() == pytest.approx(float(expected), rel=1e-6)


def test_masks_of_large_images_stay_exact() -> None:
    # 3,000 images of 4,000 x 4,000: 4.8e10 pixels on the line.
    pixels = 16_000_000
    text = f"5 {pixels - 6} 1"
    found = overlap_of([text] * 3000, [f"{pixels - 3} 3"] * 3000)
    assert set(found.truth.tolist()) == {pixels - 6}
    assert set(found.both.tolist()) == {2}


def test_no_masks_at_all() -> None:
    assert overlap_of([], []).dice().tolist() == []


@pytest.mark.parametrize(
    ("truth", "decision", "words"),
    [("9", "8", "another number of pixels"), ("9", "4 x 4", "no run lengths"), ("9", "", "no run lengths")],
)
def test_damaged_predictions_are_refused(truth: str, decision: str, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        overlap_of([truth], [decision])
