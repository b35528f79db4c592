"""`cxrbench stats`: what is printed, and the exit codes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cxrbench.bench.cli import main
from cxrbench.stats import crosscheck
from cxrbench.stats.crosscheck import NoRError, RecordError, Referee

Outcome = Callable[..., tuple[int, str, str]]


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Run the command line in this process; exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cxrbench", *(str(each) for each in arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return run


@pytest.fixture
def without_r(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask_r() -> Referee:
        raise NoRError("rpy2 is not installed (here)")

    monkeypatch.setattr(crosscheck, "ask_r", ask_r)


def test_record_agrees_and_says_what_it_is(outcome: Outcome) -> None:
    code, out, _ = outcome("stats", "verify", "--recorded")
    assert code == 0
    assert "as recorded on 20" in out
    for version in crosscheck.read_record().versions.values():
        assert version in out
    for title in ("DeLong", "Stuart-Maxwell", "McNemar", "paired t", "Wilcoxon", "Friedman", "Holm", "power"):
        assert title in out
    assert ", 0 disagree" in out


@pytest.mark.usefixtures("without_r")
def test_without_r_the_record_is_used_and_named(outcome: Outcome) -> None:
    code, out, _ = outcome("stats", "verify")
    assert code == 0
    assert out.splitlines()[0] == "rpy2 is not installed (here): its recorded answers are used"
    assert "as recorded on 20" in out


@pytest.mark.usefixtures("without_r")
@pytest.mark.parametrize("arguments", [("verify", "--live"), ("record",)], ids=" ".join)
def test_where_r_itself_is_wanted_it_must_be_there(outcome: Outcome, arguments: tuple[str, ...]) -> None:
    code, _, err = outcome("stats", *arguments)
    assert code == 2
    assert err.startswith("cxrbench: rpy2 is not installed (here); install R")
    assert "cxrbench[r]" in err


def test_disagreement_is_exit_1_with_case_and_both_numbers(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    record = crosscheck.read_record()
    answer = record.answers["holm"]["zeros and ones"]
    wrong = dataclasses.replace(answer, quantities={"adjusted": [0.5, 1.0, 0.0, 1.0, 0.12]})
    answers = {**record.answers, "holm": {**record.answers["holm"], "zeros and ones": wrong}}
    monkeypatch.setattr(crosscheck, "ask_r", lambda: dataclasses.replace(record, recorded=None, answers=answers))
    code, out, _ = outcome("stats", "verify")
    assert code == 1
    assert "asked now" in out
    assert "Holm, zeros and ones: adjusted is [0, 1, 0, 1, 0.12]; R: [0.5, 1, 0, 1, 0.12]" in out
    assert ", 1 disagree" in out


def test_stale_record_is_exit_2(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_record() -> Referee:
        raise RecordError("referee.R has changed; run `cxrbench stats record`")

    monkeypatch.setattr(crosscheck, "read_record", read_record)
    code, _, err = outcome("stats", "verify", "--recorded")
    assert (code, err) == (2, "cxrbench: referee.R has changed; run `cxrbench stats record`\n")


def test_record_is_written_where_it_is_wanted(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = crosscheck.read_record()
    monkeypatch.setattr(crosscheck, "ask_r", lambda: dataclasses.replace(record, recorded=None))
    code, out, _ = outcome("stats", "record", "--out", tmp_path / "r.json")
    assert code == 0
    assert str(tmp_path / "r.json") in out
    # Equal but for the day.
    assert crosscheck.read_record(tmp_path / "r.json").answers.keys() == record.answers.keys()
    code, _, err = outcome("stats", "record", "--out", tmp_path / "none" / "r.json")
    assert code == 2
    assert "--out" in err
