"""What is read from files is read once, and an interruption loses little of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.cache_folders import cache_entries
from cxrbench.data.file_facts import file_facts
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress

N = 600


@pytest.fixture
def names(tmp_path: Path) -> np.ndarray:
    """Files of 0, 1, 2, ... bytes that are old."""
    (tmp_path / "data").mkdir()
    for number in range(N):
        path = tmp_path / "data" / f"{number:03d}"
        path.write_bytes(bytes(number))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return np.array([f"{number:03d}" for number in range(N)])


def lengths(files: Sequence[Path], read: list[str], until: int = N) -> list[tuple]:
    """How long each file is, and its name; the file number `until` interrupts."""
    if any(int(path.name) >= until for path in files):
        raise KeyboardInterrupt
    read += [path.name for path in files]
    return [(len(path.read_bytes()), path.name) for path in files]


def facts(tmp_path: Path, names: np.ndarray, read: list[str], until: int = N, memory: bool = True):
    return file_facts(
        tmp_path / "data",
        names,
        ["length", "name"],
        lambda files: lengths(files, read, until),
        memory=tmp_path / "cache" / "image_sizes" if memory else None,
        title="reading",
        progress=SilentProgress(),
    )


def test_facts_come_in_the_order_of_the_names_and_are_remembered(tmp_path: Path, names: np.ndarray) -> None:
    read: list[str] = []
    asked = np.concatenate([names[::-1], names[:3]])
    found = facts(tmp_path, asked, read)
    assert found["length"].tolist() == [*reversed(range(N)), 0, 1, 2]
    assert found["length"].dtype == np.int64
    assert found["name"].tolist() == asked.tolist()
    assert sorted(read) == names.tolist()
    read.clear()
    again = facts(tmp_path, asked, read)
    assert again.to_numpy().tolist() == found.to_numpy().tolist()
    assert read == []
    (entry,) = cache_entries(tmp_path / "cache")
    assert (entry.kind, entry.about) == ("image_sizes", f"{N} files of {tmp_path / 'data'}")


def test_without_a_memory_everything_is_read_again(tmp_path: Path, names: np.ndarray) -> None:
    read: list[str] = []
    for _ in range(2):
        facts(tmp_path, names[:5], read, memory=False)
    assert read == names[:5].tolist() * 2
    assert not (tmp_path / "cache").exists()


def test_what_was_read_before_an_interruption_is_not_read_again(tmp_path: Path, names: np.ndarray) -> None:
    with pytest.raises(KeyboardInterrupt):
        facts(tmp_path, names, [], until=550)
    read: list[str] = []
    assert facts(tmp_path, names, read)["length"].tolist() == list(range(N))
    # Groups of 256: the first two were whole.
    assert sorted(read) == names[512:].tolist()


def test_a_missing_file_is_named_before_anything_is_read(tmp_path: Path, names: np.ndarray) -> None:
    read: list[str] = []
    with pytest.raises(UserError, match="1 image file missing: gone"):
        facts(tmp_path, np.append(names, "gone"), read)
    assert read == []


def test_no_files_have_no_facts(tmp_path: Path, names: np.ndarray) -> None:
    found = facts(tmp_path, names[:0], [])
    assert found.columns.tolist() == ["length", "name"]
    assert len(found) == 0
