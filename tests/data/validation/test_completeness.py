"""Counts of a copy against those of a full one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.data.validation import CountLine, State
from cxrbench.data.validation.completeness import state_of, wrong_counts

FOLDER = Path("copy")


def lines(*rows: tuple[str, int | None, int, int]) -> list[CountLine]:
    return [CountLine(*row) for row in rows]


@pytest.mark.parametrize(
    ("rows", "missing", "state"),
    [
        ([("train/images", 10, 10, 10)], False, State.COMPLETE),
        ([("train/images", 10, 10, 4)], True, State.PARTIAL),
        ([("train/images", 10, 4, 4)], False, State.PARTIAL),
        ([("train/images", 10, 11, 11)], False, State.MORE),
        ([("train/images", 10, 0, 0), ("test/images", 5, 5, 5)], False, State.PARTIAL),
        # Without counts of images the labels, one an image, tell.
        ([("train/images", None, 9, 9), ("train/normal", 6, 6, 6), ("train/ill", 4, 3, 3)], False, State.PARTIAL),
        ([("train/images", None, 9, 9)], False, State.NOT_COMPARED),
        ([("train/images", None, 9, 8)], True, State.PARTIAL),
        # A label that is wrong makes no copy partial.
        ([("train/images", 10, 10, 10), ("train/Edema", 3, 2, 2)], False, State.COMPLETE),
    ],
)
def test_images_tell_how_much_is_there(rows: list, missing: bool, state: State) -> None:
    assert state_of(lines(*rows), missing) is state


def test_a_partial_copy_has_fewer_of_everything_and_that_is_not_wrong() -> None:
    found = lines(("all/images", 10, 4, 4), ("all/Edema", 3, 1, 1), ("all/boxes", 5, 0, 0))
    assert wrong_counts(found, FOLDER) == []


def test_tables_that_list_all_must_have_the_known_labels_though_images_are_not_on_disk() -> None:
    found = lines(("all/images", 10, 10, 2), ("all/Edema", 3, 2, 0), ("all/boxes", 5, 5, 1))
    (problem,) = wrong_counts(found, FOLDER)
    assert str(problem) == "copy: all/Edema: 2, a full copy has 3; is it another release?"
    assert problem.kind == "counts differ from the card"


def test_a_copy_without_the_file_of_boxes_or_patients_is_not_another_release() -> None:
    found = lines(("all/images", 10, 10, 10), ("all/patients", 7, 0, 0), ("all/boxes", 5, 0, 0))
    assert wrong_counts(found, FOLDER) == []
    assert state_of(found, anything_missing=False) is State.COMPLETE
    assert wrong_counts(lines(("all/images", 10, 10, 10), ("all/Edema", 3, 0, 0)), FOLDER)
    assert wrong_counts(lines(("all/images", 10, 10, 10), ("all/boxes", 5, 4, 4)), FOLDER)


def test_no_part_has_more_than_the_whole() -> None:
    found = lines(("all/images", 10, 4, 4), ("all/Edema", 3, 4, 4))
    assert [problem.kind for problem in wrong_counts(found, FOLDER)] == ["counts differ from the card"]
    (problem,) = wrong_counts(lines(("all/images", 10, 20, 20)), FOLDER)
    assert (problem.kind, problem.what) == (
        "more than a full copy",
        "all/images: 20, a full copy has 10; is a second copy inside?",
    )
