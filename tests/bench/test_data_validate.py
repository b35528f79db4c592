"""`cxrbench data validate`, as a user runs it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cxrbench.bench.cli import main


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Cli = Callable[..., Done]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Run cxrbench in this process, which has imported what takes long, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["cxrbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        written = capsys.readouterr()
        return Done(int(caught.value.code or 0), written.out, written.err)

    return run


def test_a_right_folder_is_told_in_a_page_and_exit_code_0(cli: Cli, chexpert: Path, cache: Path) -> None:
    done = cli("data", "validate", "chexpert", chexpert, "--cache", cache, "--quick")
    assert done.returncode == 0, done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert "layout   one tree" in lines
    assert "data     SYNTHETIC phantom, not compared with the real counts" in lines
    assert "decoded  all 120 images" in lines
    assert lines[-1] == "chexpert: right"


def test_problems_are_named_by_kind_with_exit_code_1_and_all_stand_in_the_json(
    cli: Cli, chexpert: Path, cache: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(chexpert, tmp_path / "copy [bold]"))
    images = sorted((root / "CheXpert-v1.0-small" / "train").rglob("*.jpg"))[:23]
    for image in images[:22]:
        image.write_bytes(b"")
    images[22].unlink()
    done = cli("data", "validate", "chexpert", root, "--cache", cache, "--json", "found.json")
    assert done.returncode == 1, done.stderr
    assert "partial: 119 of 120 listed images are on disk" in done.stdout
    assert "unreadable image  22" in done.stdout
    assert done.stdout.count(": empty file") == 20
    assert f"{images[0]}: empty file" in done.stdout
    assert "... and 2 more, which are in the JSON file" in done.stdout
    assert done.stdout.splitlines()[-1] == "chexpert: 22 problems"
    assert "wrote found.json" in done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["state"] == "partial"
    assert len(found["problems"]["unreadable image"]) == 22
    assert len(found["missing"]) == 1
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_one_line_and_exit_code_2(cli: Cli, chexpert: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (("chexpart", chexpert), "unknown dataset 'chexpart'; did you mean 'chexpert'?"),
        (("chexpert", tmp_path / "nowhere"), "chexpert: no folder"),
        (("chexpert", chexpert, "--json", tmp_path), "cannot write: it is a folder"),
        (("chexpert", chexpert, "--include", tmp_path / "no.py"), "no such file"),
    ):
        done = cli("data", "validate", *arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_holds_something_else_fails(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = cli("data", "validate", "chexpert", "empty")
    assert done.returncode == 1
    assert "no train.csv in empty" in done.stdout


def test_a_folder_of_no_user_is_named(cli: Cli) -> None:
    done = cli("data", "validate", "nih14", "~no-such-user/nih")
    assert done.returncode == 2
    assert "nih14: no folder ~no-such-user/nih" in done.stderr
