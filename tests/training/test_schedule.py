from __future__ import annotations

import math

import pytest
import torch

from cxrbench.training import TrainingSettings
from cxrbench.training.schedule import Schedule


def schedule(steps_per_epoch: int, **settings: object) -> Schedule:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=9.0)
    return Schedule(optimiser, TrainingSettings(lr=1.0, **settings), steps_per_epoch)  # type: ignore[arg-type]


def test_constant_rate() -> None:
    assert [schedule(2).before_step(step) for step in (0, 100)] == [1.0, 1.0]


def test_warmup_rises_linearly_to_the_full_rate() -> None:
    rates = schedule(4, warmup_epochs=1.0)
    assert [rates.before_step(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_is_a_half_in_the_middle_and_starts_after_the_warmup() -> None:
    rates = schedule(10, schedule="cosine", epochs=5, warmup_epochs=1)
    assert rates.before_step(10) == 1.0
    assert rates.before_step(30) == pytest.approx(0.5)
    assert rates.before_step(49) == pytest.approx((1 + math.cos(math.pi * 39 / 40)) / 2)


def test_steps_fall_by_ten_after_two_thirds_and_after_eight_ninths() -> None:
    # detectron2's: of 90,000 steps, at 60,000 and 80,000.
    rates = schedule(1000, schedule="steps", epochs=90, warmup_epochs=1)
    asked = [999, 1000, 59999, 60000, 79999, 80000, 89999]
    assert [rates.before_step(step) for step in asked] == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_plateau_falls_after_its_patience_and_counts_anew() -> None:
    rates = schedule(1, schedule="plateau", plateau_factor=0.1, plateau_patience=2)
    seen = []
    for epoch, better in enumerate([True, False, False, False, True, False, False]):
        seen.append(rates.before_step(epoch))
        rates.after_epoch(better)
    seen.append(rates.before_step(7))
    assert seen == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01])


def test_rate_reaches_the_optimiser() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=9.0)
    Schedule(optimiser, TrainingSettings(lr=0.5), 1).before_step(0)
    assert optimiser.param_groups[0]["lr"] == 0.5
