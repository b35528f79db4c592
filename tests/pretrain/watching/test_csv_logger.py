from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.watching.csv_logger import CsvLogger


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _log(logger: CsvLogger, steps: range) -> None:
    for step in steps:
        logger.log(step, {"loss": step / 3, "probe_auc": None})


def test_each_step_is_a_line_at_once_and_blank_where_nothing_was_measured(tmp_path: Path):
    path = tmp_path / "log.csv"
    logger = CsvLogger(path, 0)
    logger.log(0, {"epoch": 1, "loss": 1 / 3, "sd": None})
    assert path.read_text() == "step,epoch,loss,sd\n0,1,0.333333,\n"
    logger.log(10, {"epoch": 1, "loss": math.nan, "sd": 0.5})
    assert path.read_text().endswith("10,1,nan,0.5\n")
    logger.close()


@pytest.mark.parametrize("cut", ["", "9,1.5", "9,1.5,\n7"])
def test_after_a_kill_every_step_is_there_once(tmp_path: Path, cut: str):
    """A try is killed at step 8, perhaps in the middle of a line; the checkpoint was of step 4."""
    path = tmp_path / "log.csv"
    _log(CsvLogger(path, 0), range(9))
    with path.open("a") as file:
        file.write(cut)
    again = CsvLogger(path, 5)
    _log(again, range(5, 12))
    again.close()
    assert [int(row["step"]) for row in _rows(path)] == list(range(12))
    assert _rows(path)[11]["loss"] == "3.66667"
    assert [each.name for each in tmp_path.iterdir()] == ["log.csv"]


def test_a_training_that_begins_anew_keeps_nothing(tmp_path: Path):
    path = tmp_path / "log.csv"
    _log(CsvLogger(path, 0), range(5))
    _log(CsvLogger(path, 0), range(2))
    assert [row["step"] for row in _rows(path)] == ["0", "1"]


def test_a_new_value_gets_a_column(tmp_path: Path):
    path = tmp_path / "log.csv"
    logger = CsvLogger(path, 0)
    logger.log(0, {"loss": 1.0})
    logger.log(1, {"loss": 2.0, "ifa_3": 0.5})
    logger.log(2, {"loss": 3.0})
    logger.close()
    assert _rows(path) == [
        {"step": "0", "loss": "1", "ifa_3": ""},
        {"step": "1", "loss": "2", "ifa_3": "0.5"},
        {"step": "2", "loss": "3", "ifa_3": ""},
    ]


@pytest.mark.parametrize("content", ["", "loss\n", "nonsense\nmore", "step,loss\nx,1\n,\n3\n"])
def test_a_file_that_is_no_log_is_begun_anew(tmp_path: Path, content: str):
    path = tmp_path / "log.csv"
    path.write_text(content)
    CsvLogger(path, 5).log(5, {"loss": 1.0})
    assert _rows(path) == [{"step": "5", "loss": "1"}]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*log\.csv"):
        CsvLogger(tmp_path / "file" / "log.csv", 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path):
    logger = CsvLogger(tmp_path / "log.csv", 0)
    logger._path = Path("/dev/full")
    logger._columns = ["step", "loss"]
    with pytest.raises(UserError, match="No space left on device; free some space"):
        logger.log(0, {"loss": 1.0})
