"""`cxrbench data cache`, as a user meets it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from cxrbench.bench import cli
from cxrbench.data.resumable_array import fill

Run = Callable[..., tuple[int, str, str]]

A, B = "a" * 32, "b" * 32


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A cache of two arrays, the first of them three days old."""

    def produce(missing: Sequence[slice]) -> Iterator[np.ndarray]:
        for part in missing:
            yield np.zeros((part.stop - part.start, 100_000), np.uint8)

    about = {"dataset": "chexpert", "images": 20, "pixels": 32, "preset": "default"}
    for key in (A, B):
        fill(tmp_path / "cache" / "images" / key, (20, 100_000), np.uint8, 5, produce, title="a", about=about)
    old = tmp_path / "cache" / "images" / A
    for path in (*old.iterdir(), old):
        then = path.stat().st_mtime - 3 * 86400
        os.utime(path, (then, then))
    return tmp_path / "cache"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`cxrbench data cache ...` in an empty folder: exit code, standard output and standard error."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cxrbench", "data", "cache", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return call


def test_ls_verify_and_rm(run: Run, small: Path) -> None:
    code, listed, errors = run("ls", "--cache", small)
    assert code == 0, errors
    head, first, second, total = listed.splitlines()
    assert head.split() == ["kind", "key", "made", "from", "size", "age"]
    assert first.split() == f"images {A} chexpert, 20 images, 32 pixels, default 2.0 MB 3 days".split()
    assert second.split()[0] == B
    assert total.startswith(f"{small}: 4.0 MB (images 4.0 MB); ")

    assert run("verify", "--cache", small)[:2] == (0, f"{small}: 2 entries, 4.0 MB, every byte as it was written\n")
    values = small / "images" / B / "values.npy"
    content = bytearray(values.read_bytes())
    content[1_200_000] ^= 64
    values.write_bytes(content)
    code, _, errors = run("verify", "--cache", small)
    assert code == 1
    assert errors.splitlines()[-3:] == [
        f"cxrbench: 1 of 2 entries of {small} are damaged",
        f"images/{B}: values.npy: chunk 2 (rows 10 to 14) has changed",
        f"remove them, and they are made again when needed: cxrbench data cache rm images/{B} --cache {small}",
    ]
    assert run("verify", "aaa", "--cache", small)[0] == 0

    with FileLock(small / "images" / f"{A}.lock"):
        code, removed, errors = run("rm", "--all", "--cache", small)
    assert (code, errors) == (1, f"cxrbench: images/{A} is being made by another process; let that end first\n")
    assert [line.split()[:2] for line in removed.splitlines()[:-1]] == [["removed", f"images/{B}"]]
    code, removed, _ = run("rm", "--older-than", 2, "--cache", small)
    assert (code, removed.splitlines()[-1]) == (0, f"{small}: 1 entry removed, 2.0 MB freed")
    assert not list((small / "images").iterdir())
    assert run("ls", "--cache", small)[1].startswith(f"{small}: nothing; ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rm",), "nothing named to remove: give keys, --kind KIND, --older-than DAYS or --all"),
        (("rm", "--all", "--kind", "images"), "--all removes everything"),
        (("rm", "x"), "nothing in the cache is called 'x'"),
        (("ls", "--kind", "feature"), "unknown kind of cache 'feature'; did you mean 'features'?"),
    ],
)
def test_wrong_use_is_one_line(run: Run, small: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, errors = run(*arguments, "--cache", small)
    assert code == 2
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert len(list((small / "images").glob("*/values.npy"))) == 2


def test_a_cache_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    code, _, errors = run("ls", "--cache", tmp_path / "absent")
    assert (code, errors) == (2, f"cxrbench: --cache {tmp_path / 'absent'}: no such folder\n")


def test_the_cache_of_the_configuration_is_taken(run: Run, small: Path, tmp_path: Path) -> None:
    (tmp_path / "here" / "cxrbench.toml").write_text('cache = "../cache"\n')
    code, listed, _ = run("ls", "--kind", "images")
    assert code == 0
    assert A in listed
