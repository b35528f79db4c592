"""JUnit XML as CI services read it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results.regression import junit_xml, write_junit

from .reports import report


def test_every_cell_is_a_case_and_counts_add_up() -> None:
    root = ElementTree.fromstring(junit_xml(report()).encode())
    (suite,) = root.findall("testsuite")
    for element in (root, suite):
        counts = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "5", "failures": "2", "errors": "2", "skipped": "0"}
    assert [len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")] == [2, 2, 0]
    assert [each.get("type") for each in suite.iter("failure")] == ["regression", "inconclusive"]
    assert [each.get("type") for each in suite.iter("error")] == ["missing", "undefined"]


def test_names_of_cases_differ_and_say_what_was_checked() -> None:
    root = ElementTree.fromstring(junit_xml(report()).encode())
    names = [(each.get("classname"), each.get("name")) for each in root.iter("testcase")]
    assert len(set(names)) == 5
    assert names[0] == ("chexpert.default.frozen", "a|b<c>&\ufffd\ufffd 10 % auc (synthetic)")
    assert "-0.1000 [-0.1500, -0.0500], margin 0.02" in str(next(root.iter("failure")).text)


def test_allowed_inconclusive_cells_are_skipped() -> None:
    root = ElementTree.fromstring(junit_xml(report(allow_inconclusive=True)).encode())
    assert (root.get("failures"), root.get("skipped")) == ("1", "1")
    assert [each.get("type") for each in root.iter("skipped")] == ["inconclusive"]


def test_synthetic_data_is_labelled() -> None:
    assert "SYNTHETIC" in junit_xml(report())
    assert "SYNTHETIC" not in junit_xml(report(synthetic=False))


def test_the_file_is_whole_or_an_error(tmp_path: Path) -> None:
    write_junit(report(), tmp_path / "made" / "junit.xml")
    ElementTree.parse(tmp_path / "made" / "junit.xml")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_junit(report(), tmp_path / "file" / "junit.xml")


def test_no_time_is_made_up() -> None:
    assert "time=" not in junit_xml(report())
