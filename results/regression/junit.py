"""A check as JUnit XML, as GitHub, GitLab and Jenkins read it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from ...foundation.files import new_file
from .shown import SYNTHETIC, difference, explanation, metric, number
from .verdict import CellVerdict, Outcome, Report

SUITE = "cxrbench check"
# XML 1.0 has no way to write these, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ERRORS = (Outcome.MISSING, Outcome.UNDEFINED)


def junit_xml(report: Report) -> str:
    """One test case a cell: a regression is a failure, so is what is inconclusive, unless that is allowed, when it is
    skipped; a cell that could not be compared is an error. Times are left out: what takes long is not a cell."""
    failures = errors = skipped = 0
    suite = ElementTree.Element("testsuite", name=SUITE)
    properties = ElementTree.SubElement(suite, "properties")
    about = {"level": f"{report.level:.6g}", "synthetic": str(report.synthetic).lower()}
    for name, value in about.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for verdict in report.verdicts:
        case = _case(suite, verdict)
        kind = _kind(report, verdict)
        failures, errors, skipped = (
            failures + (kind == "failure"),
            errors + (kind == "error"),
            skipped + (kind == "skipped"),
        )
        if kind is not None:
            found = ElementTree.SubElement(case, kind, message=_text(verdict.words), type=verdict.outcome.value)
            found.text = _text(_details(verdict))
        ElementTree.SubElement(case, "system-out").text = _text(_details(verdict))
    text = "\n".join([explanation(report), *report.notes, *([SYNTHETIC] if report.synthetic else [])])
    ElementTree.SubElement(suite, "system-out").text = _text(text)
    counts = {"failures": failures, "errors": errors, "skipped": skipped}
    totals = {"tests": str(len(report.verdicts)), **{name: str(count) for name, count in counts.items()}}
    suite.attrib.update(totals)
    root = ElementTree.Element("testsuites", {"name": SUITE, **totals})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def write_junit(report: Report, path: Path) -> None:
    """Write the XML, whole or not at all. Raises UserError where that cannot be done."""
    with new_file(path) as beside:
        beside.write_text(junit_xml(report), encoding="utf-8")


def _kind(report: Report, verdict: CellVerdict) -> str | None:
    if verdict.outcome is Outcome.PASSED:
        return None
    if verdict.outcome in _ERRORS:
        return "error"
    return "failure" if verdict.fails(report.allow_inconclusive) else "skipped"


def _case(suite: ElementTree.Element, verdict: CellVerdict) -> ElementTree.Element:
    cell = verdict.cell
    data = " (synthetic)" if verdict.synthetic else ""
    name = f"{cell.encoder} {cell.fraction:g} % {verdict.expectation.metric}{data}"
    classname = f"{cell.task}.{cell.variant}.{cell.protocol}"
    return ElementTree.SubElement(suite, "testcase", classname=_text(classname), name=_text(name))


def _details(verdict: CellVerdict) -> str:
    data = "; synthetic phantom data" if verdict.synthetic else ""
    numbers = f"baseline {number(verdict.baseline)}, now {number(verdict.now)}"
    counts = f"replicates {verdict.replicates}, patients {verdict.patients}"
    margin = f"margin {verdict.expectation.margin:g}"
    return (
        f"{verdict.cell}, {metric(verdict)}: {numbers}, difference {difference(verdict.interval)}, {margin}, {counts}; "
        f"{verdict.words}{data}"
    )


def _text(words: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", words)
