from __future__ import annotations

import json
from pathlib import Path

from cxrbench.data.phantom.marker import PhantomMark, is_phantom, write_marker


def test_a_marked_folder_is_a_phantom_and_another_is_not(tmp_path: Path) -> None:
    assert not is_phantom(tmp_path)
    write_marker(tmp_path, PhantomMark("chexpert", 10, 64, 3, 1))
    assert is_phantom(tmp_path)


def test_a_folder_that_is_not_there_is_no_phantom(tmp_path: Path) -> None:
    assert not is_phantom(tmp_path / "nothing")


def test_the_marker_says_what_it_was_made_from_and_that_it_is_synthetic(tmp_path: Path) -> None:
    write_marker(tmp_path, PhantomMark("chexpert", 10, 64, 3, 1))
    mark = json.loads((tmp_path / "PHANTOM.json").read_text())
    assert mark["synthetic"] is True
    assert "Synthetic" in mark["words"]
    assert (mark["dataset"], mark["n"], mark["size"], mark["seed"], mark["version"]) == ("chexpert", 10, 64, 3, 1)
