"""Files that are decoded by several processes, and files that bring a process down."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrbench.data.file_checks import FileCheck, check_files


class Deadly(type(Path())):
    """A path that ends the process that it is sent to."""

    def __reduce__(self):
        return os._exit, (9,)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    pixels = np.zeros((4, 6), np.uint8)
    paths = [tmp_path / f"{number:03d}.png" for number in range(230)]
    for path in paths:
        cv2.imwrite(str(path), pixels)
    paths[7].write_bytes(paths[7].read_bytes()[:40])
    return paths


def test_results_come_in_order_with_sizes_whatever_the_number_of_processes(files: list[Path]) -> None:
    alone = list(check_files(files, "reading", workers=1))
    assert alone[:7] == [FileCheck("", 4, 6)] * 7
    assert (alone[7].height, alone[7].width) == (0, 0)
    assert "007.png: truncated PNG" in alone[7].reason
    assert list(check_files(files, "reading", workers=2)) == alone


def test_a_file_that_kills_its_process_is_named_and_the_others_are_read(files: list[Path]) -> None:
    files[3] = Deadly(files[3])
    checks = list(check_files(files[:210], "reading", workers=2))
    assert checks[3].reason == f"{files[3]}: brings its decoder down"
    assert [place for place, check in enumerate(checks) if check.reason] == [3, 7]
