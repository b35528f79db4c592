"""What an encoder that knows nothing reaches, and margins that reach there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.results.regression import record_baseline
from cxrbench.results.regression.chance import chance_of
from cxrbench.results.store import Store
from cxrbench.tasks.predictions import Predictions

from ..stores import CLASSES, multi_label, put, single_label


@pytest.mark.parametrize("metric", ["auc", "auc_all", "study_auc", "binary_auc", "auc/Edema"])
def test_areas_begin_at_a_half(metric: str) -> None:
    assert chance_of(metric, multi_label(1.0, 0)) == 0.5


def test_accuracy_begins_at_the_most_frequent_class() -> None:
    one = single_label(0.8, 0, n=10)
    truth = Predictions(one.table.assign(truth=[0, 0, 0, 0, 0, 0, 1, 1, 2, 2]), CLASSES, exclusive=True)
    assert chance_of("accuracy", truth) == 0.6


def test_of_other_metrics_nothing_is_said() -> None:
    assert [chance_of(each, single_label(0.8, 0)) for each in ("f1", "recall/viral", "balanced_accuracy")] == [None] * 3
    assert chance_of("accuracy", multi_label(1.0, 0)) is None


@pytest.mark.parametrize(("margin", "reached"), [(0.1, False), (0.45, True)])
def test_a_margin_is_held_against_what_there_is_to_lose(tmp_path: Path, margin: float, reached: bool) -> None:
    put(tmp_path, single_label(0.8, 0), task="pediatric_pneumonia")
    put(tmp_path, multi_label(1.5, 0))
    store = Store(tmp_path)
    cells = record_baseline(store, list(store.records()), margin=margin).cells
    assert [each.reaches_chance for each in cells] == [reached] * 2
    for each in cells:
        assert each.chance is not None
        assert reached == (each.value - margin <= each.chance)
