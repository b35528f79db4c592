"""Splits written as CSV, read back, and refused where they are no such table."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.data.split_files import COLUMNS, DrawName, SplitsOf, read_splits, write_splits
from cxrbench.data.splits import DrawKey, Split, draw_split
from cxrbench.foundation.errors import UserError

from .test_splits import radiographs

OF = SplitsOf("made_up_task", 3, "made_up", "f" * 64)


def drawn(data: Radiographs) -> dict[DrawName, Split]:
    return {
        DrawName("default", fraction, replicate): draw_split(data, DrawKey(OF.task, 1, replicate), fraction, 0.2)
        for fraction in (1.0, 50.0)
        for replicate in (0, 1)
    }


def hashes(data: Radiographs) -> np.ndarray:
    return np.array([f"{number:064x}" for number in range(len(data))])


@pytest.fixture
def written(tmp_path: Path) -> Path:
    data = radiographs()
    write_splits(tmp_path / "splits.csv", data, drawn(data), OF, hashes(data))
    return tmp_path / "splits.csv"


def test_any_reader_of_csv_takes_it(written: Path) -> None:
    with written.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    data = radiographs()
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(len(rows) for s in drawn(data).values() for rows in (s.train, s.validation, s.test))
    assert {(row["task"], row["task_version"], row["dataset"], row["dataset_sha256"]) for row in rows} == {
        ("made_up_task", "3", "made_up", "f" * 64)
    }
    test = [row for row in rows if (row["fraction"], row["replicate"], row["role"]) == ("1", "1", "test")]
    assert [row["sample_id"] for row in test] == [f"s{number}" for number in range(300, 350)]
    assert test[0]["patient_id"] == "p300"
    assert test[0]["image_sha256"] == f"{300:064x}"


def test_it_reads_back_draw_by_draw(written: Path) -> None:
    data = radiographs()
    file = read_splits(written)
    assert file.of == OF
    found = file.draws
    assert list(found) == list(drawn(data))
    ids = data.samples["sample_id"].to_numpy()
    for name, split in drawn(data).items():
        for role in ("train", "validation", "test"):
            assert list(found[name][role]) == list(ids[getattr(split, role)])


def test_a_packed_file_holds_the_same_and_equal_splits_are_equal_bytes(written: Path, tmp_path: Path) -> None:
    data = radiographs()
    for name in ("one.csv.gz", "two.csv.gz"):
        write_splits(tmp_path / name, data, drawn(data), OF, hashes(data))
    packed = (tmp_path / "one.csv.gz").read_bytes()
    assert packed == (tmp_path / "two.csv.gz").read_bytes()
    assert gzip.decompress(packed) == written.read_bytes()
    assert read_splits(tmp_path / "one.csv.gz").table.equals(read_splits(written).table)


def test_what_a_spreadsheet_does_to_a_file_does_no_harm(written: Path) -> None:
    plain = read_splits(written).table
    written.write_bytes(b"\xef\xbb\xbf" + written.read_bytes().replace(b"\n", b"\r\n"))
    assert read_splits(written).table.equals(plain)


HEADER = ",".join(COLUMNS)
ROW = "t,1,d,f,default,10,0,1,train,s0,p0,h,l"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CSV table of splits"),
        (f"{HEADER}\n", "a header and no rows"),
        (HEADER.replace("role,", "") + "\n", "no column role; `cxrbench data splits export` writes task,"),
        (HEADER.replace("rows,", "") + "\n", "no column rows; write in each row how many rows its draw has"),
        (HEADER.replace(",", ";") + "\n" + ROW.replace(",", ";"), "separated by semicolons; write it with commas"),
        (HEADER.replace(",", "\t") + "\n" + ROW.replace(",", "\t"), "separated by tabs; write it with commas"),
        (f"{HEADER}\n{ROW}\n{ROW.replace('t,1', 'u,1', 1)}\n", r"column task has 2 values \(t, u\)"),
        (f"{HEADER}\n{ROW.replace('t,1', 't,one', 1)}\n", "task_version 'one' is not a whole number"),
        (f"{HEADER}\n{ROW.replace('t,1', 't,²', 1)}\n", "task_version '²' is not a whole number"),
        (f"{HEADER}\n{ROW}\n{ROW.replace('train', 'training')}\n", "row 3: role 'training': use train, validation"),
        (f"{HEADER}\n{ROW.replace(',10,', ',101,')}\n", "row 2: fraction '101': use a per cent above 0, up to 100"),
        (f"{HEADER}\n{ROW.replace(',10,', ',,')}\n", "row 2: fraction '': use a per cent"),
        (f"{HEADER}\n{ROW.replace(',0,1,', ',-1,1,')}\n", "row 2: replicate '-1': use a whole number from 0"),
        (f"{HEADER}\n{ROW}\n{ROW}\n", "row 3: sample_id 's0': it stands above in the same draw and role"),
        (f"{HEADER}\n{ROW.replace(',1,train', ',all,train')}\n", "row 2: rows 'all': use the number of rows"),
        (f"{HEADER}\n{ROW}\n{ROW.replace('s0', 's1')}\n", "default 10 % replicate 0 has 2 of 1 rows: the file was cut"),
        (
            f"{HEADER}\n{ROW}\n{ROW.replace('s0', 's1').replace(',1,train', ',2,train')}\n",
            "default 10 % replicate 0 states both 1 and 2 rows",
        ),
        (f"{HEADER}\n{ROW},more\n", "not a CSV table of splits"),
        (f'{HEADER}\n"{ROW}\n', "not a CSV table of splits"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "splits.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_splits(path)
    assert str(caught.value).startswith(f"{path}")


def test_bytes_that_are_no_text_and_files_that_are_none_are_named(tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_splits(path)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_splits(tmp_path)
    path.write_bytes(f"{HEADER}\n{ROW}\n".encode("utf-16-le"))
    with pytest.raises(UserError, match=r"is not UTF-8 text \(NUL bytes in its header\); save it as UTF-8"):
        read_splits(path)
    damaged = bytearray(gzip.compress(f"{HEADER}\n{ROW}\n".encode() * 50))
    damaged[30:60] = bytes(30)
    for content in (b"no gzip", gzip.compress(b"x" * 10_000)[:30], bytes(damaged)):
        packed = tmp_path / "splits.csv.gz"
        packed.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read"):
            read_splits(packed)


def test_only_gzip_is_unpacked_whatever_else_a_name_ends_in(tmp_path: Path) -> None:
    for ending in ("zip", "xz", "zst", "tar", "bz2"):
        path = tmp_path / f"splits.{ending}"
        path.write_text(f"{HEADER}\n{ROW}\n")
        assert len(read_splits(path).table) == 1


@pytest.mark.parametrize("lines", [2, 31, 300])
def test_a_file_that_was_cut_off_names_the_draw_that_lost_rows(written: Path, lines: int) -> None:
    whole = written.read_text().splitlines(keepends=True)
    last = dict(zip(COLUMNS, whole[lines - 1].rstrip("\n").split(","), strict=True))
    written.write_text("".join(whole[:lines]))
    found = sum(line.split(",")[4:7] == whole[lines - 1].split(",")[4:7] for line in whole[1:lines])
    draw = f"default {last['fraction']} % replicate {last['replicate']}"
    assert found < int(last["rows"])
    with pytest.raises(UserError, match=f"{draw} has {found} of {last['rows']} rows: the file was cut off or changed"):
        read_splits(written)


def test_each_draw_states_how_many_rows_it_has(written: Path) -> None:
    table = read_splits(written).table
    for name, split in drawn(radiographs()).items():
        rows = table[(table["fraction"] == name.fraction) & (table["replicate"] == name.replicate)]
        assert set(rows["rows"]) == {len(split.train) + len(split.validation) + len(split.test)} == {len(rows)}


def test_utf_16_is_read_packed_or_not(written: Path, tmp_path: Path) -> None:
    plain = read_splits(written).table
    text = written.read_text().encode("utf-16")
    written.write_bytes(text)
    assert read_splits(written).table.equals(plain)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text))
    assert read_splits(tmp_path / "packed.csv.gz").table.equals(plain)


@pytest.mark.parametrize("name", ["splits.csv", "splits.csv.gz"])
def test_a_file_with_other_contents_is_never_replaced(tmp_path: Path, name: str) -> None:
    data, path = radiographs(), tmp_path / name
    write_splits(path, data, drawn(data), OF, hashes(data))
    before = path.read_bytes()
    write_splits(path, data, drawn(data), OF, hashes(data))
    with pytest.raises(UserError, match=f"{name} exists and holds something else; delete it or name another file"):
        write_splits(path, data, dict(list(drawn(data).items())[:1]), OF, hashes(data))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    data = radiographs()
    with pytest.raises(IndexError):
        write_splits(
            tmp_path / "splits.csv",
            data,
            {DrawName("default", 1, 0): Split(np.array([10**6]), np.array([]), np.array([]))},
            OF,
            hashes(data),
        )
    assert not any(tmp_path.iterdir())
