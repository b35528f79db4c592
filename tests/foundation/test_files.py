"""Files that are replaced whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.files import new_file, new_folder, sha256_of_file, sha256_of_json


def test_a_file_appears_whole(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.txt") as beside:
        beside.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"


def test_an_exception_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    def fails() -> None:
        with new_file(tmp_path / "a.txt") as beside:
            beside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with new_file(tmp_path / "link.txt") as beside:
        beside.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_pipe_or_a_folder_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, what in (("pipe", "a device or pipe"), ("folder", "a folder")):
        with pytest.raises(UserError, match=f"{name} is {what}, not a file; name a file"), new_file(tmp_path / name):
            pass
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_appears_whole_and_never_replaces_another(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with new_folder(tmp_path / "trial", tmp_path / "scratch") as folder:
            (folder / "record").write_text(text)
    assert (tmp_path / "trial" / "record").read_text() == "first"
    assert not (tmp_path / "scratch").exists()


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "half").write_text("x")
    with new_folder(tmp_path / "trial", tmp_path / "scratch") as folder:
        (folder / "whole").write_text("y")
    assert [path.name for path in (tmp_path / "trial").iterdir()] == ["whole"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    said = r"cannot write .*file.*choose another folder"
    with pytest.raises(UserError, match=said), new_file(tmp_path / "file" / "a.txt"):
        pass


def test_hashes_are_those_of_hashlib(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"cxr")
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(b"cxr").hexdigest()
    assert sha256_of_json({"b": 1, "a": [1.5]}) == hashlib.sha256(b'{"a":[1.5],"b":1}').hexdigest()


def test_nan_has_no_hash() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        sha256_of_json({"a": float("nan")})
