"""A check as Markdown, for the summary page of a CI job."""

from __future__ import annotations

from pathlib import Path

from ...foundation.files import new_file
from ..rendering.markdown import escaped
from .shown import SYNTHETIC, difference, explanation, metric, number
from .verdict import Report

_COLUMNS = ("Cell", "Metric", "Baseline", "Now", "Difference", "Margin", "Replicates", "Patients", "Verdict")


def markdown(report: Report) -> str:
    """A heading with the answer, one row a cell, those that fail first, and how to read it."""
    answer = "failed" if report.failed else "passed"
    lines = [f"## cxrbench check: {answer}", "", f"{report.in_words()}.", ""]
    if report.synthetic:
        lines += [f"**{SYNTHETIC}.**", ""]
    lines += [f"| {' | '.join(_COLUMNS)} |", "|---|---|--:|--:|--:|--:|--:|--:|---|"]
    for each in sorted(report.verdicts, key=lambda each: not each.fails(report.allow_inconclusive)):
        data = " (synthetic)" if each.synthetic else ""
        cells = (
            f"{each.cell}{data}",
            metric(each),
            number(each.baseline),
            number(each.now),
            difference(each.interval),
            f"{each.expectation.margin:g}",
            str(each.replicates),
            str(each.patients),
            each.words,
        )
        lines.append(f"| {' | '.join(escaped(cell) for cell in cells)} |")
    lines += ["", explanation(report)]
    lines += [f"Note: {escaped(note)}." for note in report.notes]
    return "\n".join(lines) + "\n"


def write_markdown(report: Report, path: Path) -> None:
    """Write the Markdown, whole or not at all. Raises UserError where that cannot be done."""
    with new_file(path) as beside:
        beside.write_text(markdown(report), encoding="utf-8")
