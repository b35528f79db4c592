"""Records of made-up tasks, whose values a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cxrbench.foundation.errors import UserError
from cxrbench.results.leaderboard.main_metric import MainMetric
from cxrbench.results.record import Record

from ..stores import record

METRICS = {name: MainMetric("auc", True, f"Task {name}") for name in "abcdefgh"} | {"loss": MainMetric("loss", False)}


def metric_of(task: str) -> MainMetric:
    if task not in METRICS:
        raise UserError(f"task {task} is not registered here")
    return METRICS[task]


def trials(encoder: str, task: str, values: Sequence[float | None], **changes: object) -> list[Record]:
    """One record a replicate; weights, dataset and settings follow from the names where `changes` does not say."""
    about = {
        "weights": {"sha256": encoder * 12},
        "dataset": {"name": f"{task}_data"},
        "settings_hash": f"settings-{task}",
        "fingerprint": f"{encoder}-{task}",
        "fraction": 100.0,
        **changes,
    }
    metric = METRICS[task].name if task in METRICS else "auc"
    return [
        record(encoder=encoder, task=task, replicate=number, metrics={metric: value}, **about)
        for number, value in enumerate(values)
    ]


def grid_of(values: Mapping[str, Sequence[float | None]], tasks: str, **changes: object) -> list[Record]:
    """Encoder -> one value a task, one replicate each; None is undefined."""
    return [
        one
        for encoder, row in values.items()
        for task, value in zip(tasks, row, strict=True)
        for one in trials(encoder, task, [value], **changes)
    ]
