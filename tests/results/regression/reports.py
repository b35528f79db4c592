"""A report with one cell of every kind."""

from __future__ import annotations

from cxrbench.results.regression.baseline import Expectation
from cxrbench.results.regression.cell import CheckedCell
from cxrbench.results.regression.interval import PairedInterval
from cxrbench.results.regression.verdict import CellVerdict, Outcome, Report

INTERVALS = {
    Outcome.PASSED: PairedInterval(0.01, -0.01, 0.03),
    Outcome.REGRESSION: PairedInterval(-0.1, -0.15, -0.05),
    Outcome.INCONCLUSIVE: PairedInterval(-0.01, -0.05, 0.03),
    Outcome.MISSING: None,
    Outcome.UNDEFINED: None,
}


def report(allow_inconclusive: bool = False, encoder: str = "a|b<c>&\x00\x1b", synthetic: bool = True) -> Report:
    verdicts = tuple(
        CellVerdict(
            cell=CheckedCell(encoder, "chexpert", "default", "frozen", 10.0 + number),
            expectation=Expectation("auc", True, 0.02, True),
            outcome=outcome,
            words=f"{outcome.value}: in words",
            replicates=3,
            patients=50,
            baseline=0.8,
            now=0.8 + interval.difference if interval else None,
            interval=interval,
            synthetic=synthetic,
        )
        for number, (outcome, interval) in enumerate(INTERVALS.items())
    )
    return Report(verdicts, 0.99, ("1 trial was not looked at",), allow_inconclusive)
