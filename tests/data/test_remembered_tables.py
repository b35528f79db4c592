"""What was read from files is remembered whole, or read again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cxrbench.data.cache_folders import cache_entries
from cxrbench.data.remembered_tables import remember, remembered

TABLE = pd.DataFrame({"path": [f"{number}.png" for number in range(50)], "height": range(50)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cache" / "readable" / f"{'0' * 16}.parquet"
    remember(path, TABLE, tmp_path)
    return path


def test_a_table_comes_back_and_is_listed_in_its_cache(file: Path, tmp_path: Path) -> None:
    found = remembered(file, ["path", "height"])
    assert found is not None
    assert found.to_numpy().tolist() == TABLE.to_numpy().tolist()
    (entry,) = cache_entries(tmp_path / "cache")
    assert (entry.kind, entry.about) == ("readable", f"50 files of {tmp_path}")


def test_what_is_absent_or_another_table_is_nothing(file: Path, tmp_path: Path) -> None:
    assert remembered(tmp_path / "absent.parquet", ["path"]) is None
    assert remembered(file, ["path", "width"]) is None


def test_no_flipped_byte_is_believed(file: Path) -> None:
    whole, rows = file.read_bytes(), TABLE.to_numpy().tolist()
    for position in range(0, len(whole), 5):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 0x40]) + whole[position + 1 :])
        found = remembered(file, ["path", "height"])
        # The number of rows has no checksum, but fewer that are right do no harm.
        assert found is None or found.to_numpy().tolist() == rows[: len(found)], position


def test_a_cache_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    remember(tmp_path / "cache" / "table.parquet", TABLE, tmp_path)
    assert (tmp_path / "cache").is_file()
