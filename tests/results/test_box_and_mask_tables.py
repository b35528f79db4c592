"""Tables of boxes (IFA 9) and masks (MLVICX III): filled from predictions, every number and sign worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.results.comparison import EncoderComparison, compare_encoders
from cxrbench.results.grid import Entry, Grid
from cxrbench.results.papers import layout_of, paper_table
from cxrbench.results.papers.marks import Compare
from cxrbench.results.papers.notes import Choice
from cxrbench.results.record import Record
from cxrbench.results.store import Store
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

from .stores import put

N = 24
TRUTH = [100.0, 100.0, 300.0, 300.0]
# Two thirds of the true box, so that the overlap is 2/3: enough for 0.50, 0.55, 0.60 and 0.65 of the ten thresholds.
NARROW = [100.0, 100.0, 300.0, 300.0 - 200.0 / 3]


def found_in(boxes: Sequence[list[float] | None]) -> Predictions:
    """One true box in each of the images; at most one detection in each. Every image is a patient."""
    names = [f"s{number:02d}" for number in range(len(boxes))]
    some = [int(box is not None) for box in boxes]
    columns = {
        "truth": [np.array(TRUTH) for _ in boxes],
        "truth_labels": [np.zeros(1, np.int64) for _ in boxes],
        "truth_crowd": [np.zeros(1, bool) for _ in boxes],
        "boxes": [np.array(box or [], dtype=np.float64) for box in boxes],
        "scores": [np.full(one, 0.9) for one in some],
        "box_labels": [np.zeros(one, np.int64) for one in some],
    }
    table = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "height": 512, "width": 512})
    table = table.assign(**{name: pd.Series(values, dtype=object) for name, values in columns.items()})
    return Predictions(table, ("opacity",), False)


def masked(right: Sequence[int]) -> Predictions:
    """Images of 2 x 10 pixels: the true mask is 10 of them, of which `right` are found and nothing else.

    The last image has no mask; -1 there finds none, another number so many pixels.
    """
    names = [f"s{number:02d}" for number in range(len(right))]
    truth = ["0 10 10"] * (len(right) - 1) + ["20"]
    decision = ["20" if pixels < 1 else f"0 {pixels} {20 - pixels}" for pixels in right]
    table = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "height": 2, "width": 10})
    table = table.assign(truth=truth, decision=decision, scores=pd.Series([np.array([0.5])] * len(names)))
    return Predictions(table, ("pneumothorax",), False)


def comparing(store: Path) -> Compare:
    """The paired tests that `cxrbench table` makes."""

    def compare(
        records: Sequence[Record], task: str, a: str, b: str, metrics: Sequence[str]
    ) -> Sequence[EncoderComparison]:
        return compare_encoders(Store(store), records, tasks.get(task), a, b, metrics, interval=False)

    return compare


def shown(grid: Grid, label: str) -> dict[tuple[str, str], Entry]:
    """(Group, column) -> entry, for one row."""
    (row,) = [row for row in grid.rows if row.label == label]
    columns = [(column.group, column.title) for column in grid.columns]
    return dict(zip(columns, row.entries, strict=True))


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """All right; all but one right with narrow boxes; half found."""
    store = tmp_path_factory.mktemp("detection")
    trials = {
        "chess": [TRUTH] * N,
        "imagenet": [NARROW] * (N - 1) + [None],
        "scratch": [TRUTH] * (N // 2) + [None] * (N // 2),
    }
    return store, [
        put(
            store,
            found_in(boxes),
            task="siim_covid",
            encoder=encoder,
            variant=variant,
            protocol="finetune",
            dataset={"name": "siim_covid"},
        )
        for encoder, boxes in trials.items()
        for variant in ("c4", "dc5")
    ]


def test_average_precisions_stand_under_their_detector(detection: tuple[Path, list[Record]]) -> None:
    store, records = detection
    grid = paper_table(layout_of("ifa-9"), records, tasks.names(), comparing(store))
    # Recall 23/24 holds at 96 of the 101 recalls of COCO's curve (0, 0.01, ..., 0.95), 12/24 at 51.
    wanted = {"CheSS": (1.0, 1.0), "ImageNet": (96 / 101, 0.4 * 96 / 101), "Scratch": (51 / 101, 51 / 101)}
    for label, (map50, mean) in wanted.items():
        cells = shown(grid, label)
        for group in ("R50-C4", "R50-DC5"):
            assert cells[group, "mAP50"].value == pytest.approx(map50, abs=1e-12), label
            assert cells[group, "mAP"].value == pytest.approx(mean, abs=1e-12), label
    assert shown(grid, "CheSS")["R50-C4", "mAP50"].best
    assert shown(grid, "ImageNet")["R50-DC5", "mAP50"].second
    assert shown(grid, "Scratch")["R50-DC5", "mAP"].second
    assert not any("stay blank" in note or "not in this version" in note for note in grid.notes)


def test_patients_are_exchanged_to_say_who_is_worse(detection: tuple[Path, list[Record]]) -> None:
    store, records = detection
    grid = paper_table(layout_of("ifa-9"), records, tasks.names(), comparing(store))
    signs = {
        label: [shown(grid, label)["R50-C4", title].marks for title in ("mAP50", "mAP")]
        for label in ("CheSS", "ImageNet", "Scratch")
    }
    # One patient in 24 proves nothing about mAP50; twelve misses, or 24 narrow boxes, do.
    assert signs == {"CheSS": ["", ""], "ImageNet": ["", "†"], "Scratch": ["†", "†"]}
    about = [note for note in grid.notes if note.startswith("†")]
    assert about == [
        "† worse than the best encoder of the column, p < 0.05 after Holm over all pairs of a column: permutation test "
        "over patients, whose predictions are swapped between two encoders."
    ]
    assert any("Neither is a mean over images" in note for note in grid.notes)


# Three draws of three images each: pixels found of 10, 10 and in the image without a mask (-1: none, right).
DRAWS = {
    "mlvicx": [(10, 10, -1), (10, 5, -1), (5, 10, -1)],
    "resnet18_byol": [(5, 5, 4), (5, 0, 4), (0, 5, 4)],
}
# Dice 2 x 5 / (10 + 5) = 2/3 for half a mask; 1 and 0 for the empty image. Means over the three images.
DICE = {"mlvicx": (1.0, 8 / 9, 8 / 9), "resnet18_byol": (4 / 9, 2 / 9, 2 / 9)}


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    store = tmp_path_factory.mktemp("segmentation")
    return store, [
        put(
            store,
            masked(right),
            task="siim_acr",
            encoder=encoder,
            protocol=protocol,
            fraction=fraction,
            replicate=replicate,
            dataset={"name": "siim_acr"},
            split={"hash": f"of draw {replicate}"},
        )
        for encoder, draws in DRAWS.items()
        for replicate, right in enumerate(draws)
        for protocol in ("frozen", "finetune")
        for fraction in (30.0, 100.0)
    ]


def test_dice_is_the_mean_of_three_draws_beside_the_papers(segmentation: tuple[Path, list[Record]]) -> None:
    store, records = segmentation
    choice = Choice(published=True)
    grid = paper_table(layout_of("mlvicx-3"), records, tasks.names(), comparing(store), choice)
    for label, encoder in (("MLVICX", "mlvicx"), ("BYOL", "resnet18_byol")):
        cells = shown(grid, label)
        for group in ("Dice, frozen", "Dice, fine-tuned"):
            for title in ("30 %", "100 %"):
                entry = cells[group, title]
                assert entry.value == pytest.approx(np.mean(DICE[encoder]))
                assert entry.sd == pytest.approx(np.std(DICE[encoder], ddof=1))
                assert (entry.count, entry.best) == ("", encoder == "mlvicx")
    # As Table III prints them.
    printed = shown(grid, "MLVICX")
    assert printed["Dice, frozen, published", "30 %"].value == 0.45
    assert printed["Dice, fine-tuned, published", "100 %"].value == 0.59
    assert shown(grid, "BYOL")["Dice, fine-tuned, published", "30 %"].sd == 0.04


def test_the_pool_t_says_who_is_worse_below_all_of_the_data(segmentation: tuple[Path, list[Record]]) -> None:
    store, records = segmentation
    grid = paper_table(layout_of("mlvicx-3"), records, tasks.names(), comparing(store))
    # Differences 5/9, 6/9, 6/9: t = 0.630 / (0.0642 sqrt(1/3 + 3/7)) = 11.2 with 2 degrees of freedom, p = 0.008.
    marks = {place: entry.marks for place, entry in shown(grid, "BYOL").items()}
    assert marks == {
        ("Dice, frozen", "30 %"): "†",
        ("Dice, frozen", "100 %"): "",
        ("Dice, fine-tuned", "30 %"): "†",
        ("Dice, fine-tuned", "100 %"): "",
    }
    assert "The paper makes no test of this table." in grid.notes
