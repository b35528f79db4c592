"""Numbers of a check as people read them, the same in every form."""

from __future__ import annotations

from math import isfinite

from .interval import PairedInterval
from .verdict import CellVerdict, Report

DECIMALS = 4
SYNTHETIC = "SYNTHETIC phantom data: it says nothing about patients"


def number(value: float | None) -> str:
    """`0.8123`, or a dash."""
    return "-" if value is None else f"{value:.{DECIMALS}f}"


def difference(interval: PairedInterval | None) -> str:
    """`-0.0120 [-0.0301, +0.0061]`, or a dash."""
    if interval is None:
        return "-"
    low, high = (f"{end:+.{DECIMALS}f}" if isfinite(end) else "unbounded" for end in (interval.low, interval.high))
    return f"{interval.difference:+.{DECIMALS}f} [{low}, {high}]"


def metric(verdict: CellVerdict) -> str:
    """The metric, and its direction where it is not the usual one."""
    expected = verdict.expectation
    return expected.metric if expected.higher_is_better else f"{expected.metric} (lower is better)"


def explanation(report: Report) -> str:
    """How to read the numbers, in one sentence."""
    return (
        f"Difference: now - baseline on the same patients, above zero is better, with its {100 * report.level:.4g} % "
        "interval. Passed: its lower end is above -margin. Regression: else, where its upper end is below zero."
    )
