from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.phantom.case import PhantomPlan, PhantomRequest
from cxrbench.data.phantom.generate import generate
from cxrbench.foundation.errors import UserError


def plan(n: int) -> PhantomPlan:
    return [
        PhantomRequest(patient, 1, 1, "train", findings=("effusion",) if patient % 2 else (), age=patient % 90)
        for patient in range(n)
    ]


def test_cases_come_in_plan_order_and_are_the_same_with_any_number_of_workers() -> None:
    requests = plan(140)
    several = list(generate(requests, 32, 5, workers=2))
    assert [case.request for case in several] == requests
    for case, alone in zip(several, generate(requests, 32, 5, workers=1), strict=True):
        assert np.array_equal(case.pixels, alone.pixels)
        assert case.boxes == alone.boxes


def test_an_image_depends_neither_on_how_many_there_are_nor_on_their_order() -> None:
    few = list(generate(plan(3), 32, 0))
    many = list(generate(plan(12)[::-1], 32, 0))[::-1]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(few, many[:3], strict=True))


def test_stopping_early_ends_the_workers() -> None:
    def children() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())

    before = children()
    cases = generate(plan(200), 32, 0, workers=2)
    next(iter(cases))
    assert len(children() - before) == 2
    cases.close()  # type: ignore[attr-defined]
    assert children() == before


def test_a_bad_request_is_found_before_anything_is_drawn() -> None:
    requests = [*plan(2), PhantomRequest(9, 1, 1, "train", findings=("plague",))]
    with pytest.raises(UserError, match="plague"):
        next(iter(generate(requests, 32, 0)))


def test_an_empty_plan_gives_nothing() -> None:
    assert list(generate([], 32, 0)) == []
