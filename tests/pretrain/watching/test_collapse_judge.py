"""Who is told to have collapsed, and when."""

from __future__ import annotations

import json

import pytest

from cxrbench.pretrain.watching.collapse import Spread
from cxrbench.pretrain.watching.collapse_judge import FEATURES, PROJECTIONS, CollapseJudge


def _looks(sd: float, rank: float, times: int, negatives: bool = False, name: str = PROJECTIONS) -> list[str]:
    judge = CollapseJudge()
    return [judge.look(step, {name: Spread(sd, rank, 64)}, negatives) for step in range(times)]


@pytest.mark.parametrize(
    ("sd", "rank", "word"),
    [
        (0.04, 3.0, "their SD is 0.040: near 1 is healthy, under 0.1"),
        (0.5, 1.5, "effective rank is 1.5 of 64: under 2"),
    ],
)
def test_the_third_low_look_warns_once_and_says_which_number_what_it_should_be_and_what_to_try(
    sd: float, rank: float, word: str
):
    said = _looks(sd, rank, 10)
    assert [bool(line) for line in said] == [False, False, True] + [False] * 7
    assert said[2].startswith("step 2: the projections are collapsing: ")
    assert word in said[2]
    assert "training.lr" in said[2]


# Measured on small networks: SimSiam, MoCo, VICReg, and Barlow Twins while all its dimensions are alike.
@pytest.mark.parametrize(("sd", "rank"), [(0.8, 9.0), (0.22, 6.7), (0.53, 5.0), (0.88, 1.7)])
def test_healthy_spreads_are_not_spoken_of(sd: float, rank: float):
    assert not any(_looks(sd, rank, 200))


def test_two_opposite_points_are_a_collapse_though_they_are_far_apart():
    assert any(_looks(0.95, 1.05, 3))


def test_features_are_allowed_to_be_closer_together_than_projections():
    assert not any(_looks(0.07, 5.0, 10, name=FEATURES))
    assert "0.2 and more is usual" in _looks(0.04, 5.0, 3, name=FEATURES)[2]


def test_one_odd_batch_is_no_collapse():
    judge = CollapseJudge()
    spreads = [0.9, 0.9, 0.0, 0.9, 0.9, 0.0, 0.9]
    assert not any(judge.look(step, {PROJECTIONS: Spread(sd, 9.0, 64)}) for step, sd in enumerate(spreads))


def test_a_loss_with_negatives_is_waited_for_unless_all_embeddings_are_the_same():
    said = _looks(0.03, 1.9, 110, negatives=True)
    assert [step for step, line in enumerate(said) if line] == [101]
    assert [step for step, line in enumerate(_looks(1e-4, 1.0, 110, negatives=True)) if line] == [2]


def test_what_is_not_finite_is_passed_over():
    assert not any(_looks(float("nan"), float("nan"), 10))


def test_a_restored_judge_goes_on_and_does_not_repeat_itself():
    low, judge = {PROJECTIONS: Spread(0.01, 1.0, 64)}, CollapseJudge()
    assert not judge.look(0, low)
    assert not judge.look(1, low)
    again = CollapseJudge()
    again.restore(json.loads(json.dumps(judge.state())))
    assert again.look(2, low)
    assert again.collapsed == (PROJECTIONS,)
    last = CollapseJudge()
    last.restore(json.loads(json.dumps(again.state())))
    assert not last.look(3, low)
