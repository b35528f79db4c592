"""`cxrbench leaderboard` as a user runs it."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cxrbench.bench import cli as command_line
from cxrbench.results import Record

from ..results.stores import record

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run cxrbench in this process and in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = ["cxrbench", *map(str, arguments)]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as left:
            command_line.main()
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(left.value.code or 0), shown.out, shown.err)

    return run


def write(store: Path, **changes: object) -> Record:
    one = record(**{"weights": {"sha256": str(changes.get("encoder")) * 8}, **changes})
    place = store / one.place
    place.mkdir(parents=True)
    (place / "record.json").write_text(one.to_json(), encoding="utf-8")
    return one


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two encoders on two tasks, two replicates of one; a third encoder lacks a task."""
    store = tmp_path / "records"
    for encoder, value in (("better", 0.8), ("worse", 0.6), ("gap", 0.9)):
        for replicate in range(2):
            metrics = {"auc": value + 0.02 * replicate, "auc/Edema": None}
            write(store, encoder=encoder, replicate=replicate, metrics=metrics)
        if encoder != "gap":
            about = {"task": "pediatric_pneumonia", "settings_hash": "bbbbbbbb", "fraction": 100.0}
            write(store, encoder=encoder, metrics={"accuracy": value}, **about)
    return store


def test_text_ranks_the_complete_and_says_why_the_other_is_not(cli: Run, store: Path) -> None:
    done = cli("leaderboard", "--store", store)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = [line.split()[:2] for line in lines if line.startswith(("better", "worse", "gap"))]
    assert rows == [["better", "1.00"], ["worse", "2.00"], ["gap", "incomplete"]]
    assert "SYNTHETIC" in done.stdout
    assert "gap has no rank; it lacks pediatric_pneumonia 100 % (not run)." in done.stdout
    assert "need 5 tasks" in done.stdout


def test_every_form_is_written_to_a_file(cli: Run, store: Path, tmp_path: Path) -> None:
    starts = {"csv": "protocol,data", "latex": "% leaderboard", "markdown": "**Leaderboard", "html": "<!doctype html>"}
    for form, start in starts.items():
        done = cli("leaderboard", "--store", store, "--format", form, "--out", tmp_path / f"board.{form}")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert (tmp_path / f"board.{form}").read_text(encoding="utf-8").startswith(start)


def test_the_suffix_says_the_form(cli: Run, store: Path, tmp_path: Path) -> None:
    starts = {"csv": "protocol,data", "tex": "% leaderboard", "md": "**Leaderboard", "html": "<!doctype html>"}
    for suffix, start in starts.items():
        assert cli("leaderboard", "--store", store, "--out", tmp_path / f"board.{suffix}").returncode == 0
        assert (tmp_path / f"board.{suffix}").read_text(encoding="utf-8").startswith(start)


def test_csv_has_the_means(cli: Run, store: Path) -> None:
    found = csv.DictReader(io.StringIO(cli("leaderboard", "--store", store, "--format", "csv").stdout))
    means = {(one["encoder"], one["task"]): one["mean"] for one in found}
    assert float(means["better", "chexpert"]) == pytest.approx(0.81)
    assert means["gap", "pediatric_pneumonia"] == ""


def test_tasks_and_protocols_are_chosen(cli: Run, store: Path) -> None:
    done = cli("leaderboard", "--store", store, "--task", "chexpert", "--protocol", "frozen")
    assert [line.split()[0] for line in done.stdout.splitlines()[4:7]] == ["gap", "better", "worse"]
    done = cli("leaderboard", "--store", store, "--task", "chexprt")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--task: unknown task in this store 'chexprt'; did you mean 'chexpert'?" in done.stderr
    done = cli("leaderboard", "--store", store, "--protocol", "finetune")
    assert done.returncode == 2
    assert "--protocol: unknown protocol in this store 'finetune'" in done.stderr


def test_a_mixture_is_refused_and_settled_by_settings(cli: Run, store: Path) -> None:
    write(store, encoder="other", settings_hash="cccccccc", metrics={"auc": 0.5}, settings={"image_size": 128})
    done = cli("leaderboard", "--store", store)
    assert done.returncode == 1
    assert "choose one with --settings HASH" in done.stderr
    done = cli("leaderboard", "--store", store, "--settings", "aaaaaaaa")
    assert done.returncode == 0
    assert "other" not in done.stdout


def test_a_task_nobody_knows_is_left_out_with_a_word(cli: Run, store: Path) -> None:
    write(store, encoder="better", task="gone", settings_hash="dddddddd")
    done = cli("leaderboard", "--store", store)
    assert done.returncode == 0
    assert "Left out: task gone is not registered here; name its file with --include FILE." in done.stdout


def test_bad_input_is_one_line(cli: Run, store: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("--store", tmp_path / "nowhere"), "no such folder"),
        (("--store", store, "--settings", "aaaaaaab"), "did you mean 'aaaaaaaa'"),
        (("--store", store, "--format", "htm"), "--format: unknown format 'htm'; did you mean 'html'?"),
        (("--store", store, "--out", "board.json"), "--out board.json: not written as json"),
        (("--store", store, "--out", store / "chexpert", "--format", "csv"), "cannot write"),
    ):
        done = cli("leaderboard", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_its_latex_compiles(cli: Run, store: Path, tmp_path: Path) -> None:
    body = cli("leaderboard", "--store", store, "--format", "latex").stdout
    document = f"\\documentclass{{article}}\\usepackage{{booktabs,graphicx}}\\begin{{document}}{body}\\end{{document}}"
    (tmp_path / "board.tex").write_text(document, encoding="utf-8")
    made = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "board.tex"], cwd=tmp_path, capture_output=True
    )
    assert made.returncode == 0, made.stdout.decode(errors="replace")[-1500:]
