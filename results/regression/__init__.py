"""Regression checks: a baseline with its predictions, and a store against it."""

from .baseline import Baseline
from .junit import junit_xml, write_junit
from .recording import Recording, record_baseline
from .summary import markdown, write_markdown
from .verdict import CellVerdict, Outcome, Report, check

__all__ = [
    "Baseline",
    "CellVerdict",
    "Outcome",
    "Recording",
    "Report",
    "check",
    "junit_xml",
    "markdown",
    "record_baseline",
    "write_junit",
    "write_markdown",
]
