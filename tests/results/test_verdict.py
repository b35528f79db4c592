"""Sentences about comparisons: who is better, by how much, and when nothing can be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cxrbench.results.comparison import EncoderComparison
from cxrbench.results.verdict import verdict
from cxrbench.tasks.trial import PairedTest

ROW = EncoderComparison(
    a="mine",
    b="theirs",
    task="chexpert",
    variant="default",
    protocol="frozen",
    fraction=10.0,
    metric="auc",
    higher_is_better=True,
    about="",
    task_version=1,
    settings_hash="aaaaaaaa",
    weights_a="one",
    weights_b="other",
    replicates=10,
    n=200,
    patients=150,
    synthetic=False,
    contaminated=(),
    unverified=(),
    mean_a=0.821,
    mean_b=0.8,
    difference=0.021,
    sd=0.01,
    ci_low=0.005,
    ci_high=0.037,
    effect_size=2.1,
    effect="d",
    a_better=9,
    b_better=1,
    only_a_right=12,
    only_b_right=7,
)
TEST = PairedTest("pool t", "auc", "replicates", 10, 0.021, 0.01, 0.03, 3.9, 9.0, 0.0034, -2.47, True, None, 0.0068)


def by_hand(row: dict[str, object] | None = None, **test: object) -> EncoderComparison:
    return replace(ROW, tests=(replace(TEST, **test),), **(row or {}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "test", "said"),
    [
        ({}, {}, "mine is better than theirs: +0.021 auc, p = 0.007 (Holm), 10 replicates"),
        ({}, {"p_adjusted": None}, "mine is better than theirs: +0.021 auc, p = 0.003, 10 replicates"),
        (
            {"difference": -0.021},
            {"estimate": -0.021},
            "theirs is better than mine: +0.021 auc, p = 0.007 (Holm), 10 replicates",
        ),
        (
            {"difference": -0.1, "metric": "brier", "higher_is_better": False},
            {"estimate": -0.1},
            "mine is better than theirs: -0.100 brier (lower is better), p = 0.007 (Holm), 10 replicates",
        ),
        (
            {"difference": 0.1, "metric": "brier", "higher_is_better": False},
            {"estimate": 0.1},
            "theirs is better than mine: -0.100 brier (lower is better), p = 0.007 (Holm), 10 replicates",
        ),
        (
            {"ci_low": -0.01},
            {},
            "mine is better than theirs: +0.021 auc, p = 0.007 (Holm), 10 replicates; on this test set: with other "
            "patients it may not hold",
        ),
        ({}, {"p_adjusted": 0.05}, "no difference shown: A - B +0.021 auc, p = 0.050 (Holm), 10 replicates"),
        ({"difference": 0.0}, {}, "no difference shown: A - B +0.000 auc, p = 0.007 (Holm), 10 replicates"),
        (
            {"replicates": 5},
            {"n": 3},
            "mine is better than theirs: +0.021 auc, p = 0.007 (Holm), 3 of 5 replicates (undefined in the others)",
        ),
        (
            {"replicates": 1},
            {"name": "DeLong", "p_value": 1e-9, "log10_p": -9.0, "p_adjusted": None},
            "mine is better than theirs: +0.021 auc, p < 1e-9, 200 images of 150 patients",
        ),
        (
            {"replicates": 1, "patients": 200},
            {"name": "DeLong", "p_value": 1e-9, "log10_p": -9.2, "p_adjusted": 1e-8},
            "mine is better than theirs: +0.021 auc, p < 0.001 (Holm), 200 images",
        ),
        (
            {},
            {"p_value": 0.0, "statistic": float("inf"), "degenerate": "all differences are equal"},
            "A - B +0.021 auc; pool t is degenerate (all differences are equal): nothing can be said, 10 replicates",
        ),
        (
            {},
            {"estimate": -0.03},
            "A - B +0.021 auc, but pool t finds -0.030: nothing can be said, 10 replicates",
        ),
        ({}, {"decides": False}, "A - B +0.021 auc; no test of it decides, see its interval"),
        ({"ci_low": None}, {"decides": False}, "A - B +0.021 auc; no test of it decides, nothing can be said"),
        ({"difference": None}, {}, "auc is undefined for one or both of them: nothing can be said"),
    ],
)
def test_the_sentence_says_what_the_numbers_say(row: dict[str, object], test: dict[str, object], said: str) -> None:
    assert verdict(by_hand(row, **test)) == said
