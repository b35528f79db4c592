"""`cxrbench data validate`, as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cxrbench.bench.cli import main
from cxrbench.data.phantom.dataset import write_phantom_dataset


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
    lines = done.stdout.splitlines()
    assert [line for line in lines if line != line.rstrip() or line.startswith("state")] == []
    assert "layout   one tree" in lines
    assert "data     SYNTHETIC phantom, not compared with the real counts" in lines
    assert "files    all 120 images decode" in lines
    assert lines[-1] == "chexpert: no problem found"


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
    assert "files    97 of 119 images decode" in done.stdout
    assert "not on disk  1\n" in done.stdout
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


def test_missing_images_are_named_and_no_fault(cli: Cli, chexpert: Path, cache: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(chexpert, tmp_path / "copy"))
    images = sorted((root / "CheXpert-v1.0-small" / "train").rglob("*.jpg"))[:23]
    images[0].unlink()
    done = cli("data", "validate", "chexpert", root, "--cache", cache)
    assert done.returncode == 0, done.stderr
    name = images[0].relative_to(root / "CheXpert-v1.0-small").with_suffix("").as_posix()
    assert f"\nnot on disk  1\n  {name}\n\n" in done.stdout
    assert "all 119 images decode" in done.stdout
    for image in images[1:]:
        image.unlink()
    done = cli("data", "validate", "chexpert", root, "--cache", cache)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n  train/patient") == 20
    assert "... and 3 more, which are written with --json FILE" in done.stdout
    assert done.stdout.splitlines()[-1] == "chexpert: what is there is right; the copy is partial"


def test_a_cut_dicom_file_is_a_problem_and_no_warning_of_pydicom(tmp_path: Path) -> None:
    root = tmp_path / "siim"
    write_phantom_dataset("siim_acr", root, 8, 32, rib_free=False)
    image = sorted(root.rglob("*.dcm"))[0]
    whole = image.read_bytes()
    # Inside the pixel data, and inside the UID of the transfer syntax: pydicom warns of both, and quotes the second.
    for length in (724, 262):
        image.write_bytes(whole[:length])
        # A process of its own: pytest has filters of its own.
        command = [sys.executable, "-m", "cxrbench.bench.cli", "data", "validate", "siim_acr", str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, ""), length
        assert "7 of 8 images decode" in done.stdout


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
