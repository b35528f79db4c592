"""Where output goes, and in which form."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

import pytest

from cxrbench.bench.commands.written import form_of, refuse_unwritable
from cxrbench.foundation.errors import UserError


class Form(StrEnum):
    text = "text"
    csv = "csv"
    json = "json"


@pytest.mark.parametrize(
    ("name", "form"),
    [(None, "text"), ("a", "text"), ("a.txt", "text"), ("a.log", "text"), ("a.csv", "csv"), ("b.c.JSON", "json")],
)
def test_the_suffix_says_the_form_unless_one_is_given(name: str | None, form: str) -> None:
    out = None if name is None else Path(name)
    assert form_of(None, out, Form) is Form(form)
    assert form_of(Form.csv, out, Form) is Form.csv


@pytest.mark.parametrize("name", ["a.html", "a.tex", "a.md"])
def test_the_suffix_of_a_form_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"--out {name}: not written as .*; use .txt, .csv, .json, or give --format"):
        form_of(None, Path(name), Form)


def test_places_that_can_be_written_pass_and_nothing_is_made(tmp_path: Path) -> None:
    refuse_unwritable("--out", None)
    refuse_unwritable("--out", tmp_path / "new" / "newer" / "a")
    (tmp_path / "there").write_text("")
    refuse_unwritable("--out", tmp_path / "there")
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--out .*: cannot write: it is a folder"):
        refuse_unwritable("--out", tmp_path)
    with pytest.raises(UserError, match=r"--out .*/file is a file, not a folder"):
        refuse_unwritable("--out", tmp_path / "file" / "a" / "b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_the_right_to_write_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write into"):
        refuse_unwritable("--out", tmp_path / "a")
