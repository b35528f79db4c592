"""Which files can be decoded, found once and remembered by what they hold."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrbench.data import readability as module
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.readability import first_rows, readability, unreadable
from cxrbench.data.source import without


def png_bomb() -> bytes:
    """A file of a few kilobytes whose header says 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.fixture
def radiographs(tmp_path: Path) -> Radiographs:
    root = tmp_path / "data"
    root.mkdir()
    rng = np.random.default_rng(0)
    names = [f"{number}.png" for number in range(8)]
    for number, name in enumerate(names):
        cv2.imwrite(str(root / name), rng.integers(0, 256, (10 + number, 20), dtype=np.uint8))
    samples = pd.DataFrame({"sample_id": [name[:-4] for name in names], "path": names})
    return Radiographs("tiny", root, samples, (), exclusive=False)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were decoded, in order."""
    seen: list[Path] = []
    original = module.check_files

    def counting(paths: list[Path], *rest: object):
        seen.extend(paths)
        return original(paths, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "check_files", counting)
    return seen


def test_each_kind_of_unreadable_file_is_named_with_its_reason(radiographs: Radiographs, tmp_path: Path) -> None:
    root = radiographs.root
    (root / "1.png").write_bytes((root / "1.png").read_bytes()[:60])
    (root / "2.png").write_bytes(b"")
    (root / "3.png").write_bytes(b"%PDF-1.4 a report")
    (root / "4.png").write_bytes(png_bomb())
    (root / "5.png").unlink()
    (root / "5.png").symlink_to(root / "5.png")
    (root / "6.png").unlink()
    (root / "6.png").mkdir()
    (root / "7.png").unlink()
    reasons = unreadable(radiographs, tmp_path / "cache")
    assert reasons == {
        "1": f"{root}/1.png: truncated PNG: 60 bytes without an end of image",
        "2": f"{root}/2.png: empty file",
        "3": reasons["3"],
        "4": f"{root}/4.png: its header says 60000 x 60000 pixels: no radiograph",
        "5": f"{root}/5.png: cannot be read: Too many levels of symbolic links",
        "6": f"{root}/6.png: not a file",
        "7": f"{root}/7.png: cannot be read: No such file or directory",
    }
    assert reasons["3"].startswith(f"{root}/3.png: a PDF file")
    assert without(radiographs, reasons).samples["sample_id"].tolist() == ["0"]


def test_a_file_without_permission_is_named(radiographs: Radiographs, tmp_path: Path, monkeypatch) -> None:
    allowed = os.access
    monkeypatch.setattr(module.os, "access", lambda path, mode: Path(path).name != "2.png" and allowed(path, mode))
    reasons = unreadable(radiographs, tmp_path / "cache")
    assert reasons == {"2": f"{radiographs.root}/2.png: cannot be read: Permission denied"}


def test_sizes_are_those_of_the_pixels(radiographs: Radiographs, tmp_path: Path) -> None:
    for _ in range(2):
        found = readability(radiographs, tmp_path / "cache")
        assert found.heights.tolist() == list(range(10, 18))
        assert found.widths.tolist() == [20] * 8
        assert set(found.reasons) == {""}
        assert len(set(found.hashes)) == 8


def test_what_can_be_read_is_decoded_once_and_what_cannot_is_tried_again(
    radiographs: Radiographs, tmp_path: Path, decoded: list[Path]
) -> None:
    cache, whole = tmp_path / "cache", (radiographs.root / "3.png").read_bytes()
    (radiographs.root / "3.png").write_bytes(whole[:50])
    assert unreadable(radiographs, cache).keys() == {"3"}
    assert len(decoded) == 8
    decoded.clear()
    assert unreadable(radiographs, cache).keys() == {"3"}
    assert [path.name for path in decoded] == ["3.png"]
    (radiographs.root / "3.png").write_bytes(whole)
    shutil.copy(radiographs.root / "0.png", radiographs.root / "1.png")
    decoded.clear()
    assert unreadable(radiographs, cache) == {}
    # The bytes that 1.png has now were read under another name.
    assert [path.name for path in decoded] == ["3.png"]


def test_an_interruption_keeps_what_was_read(
    radiographs: Radiographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[Path]
) -> None:
    original = module.check_files

    def interrupted(*given):
        for number, check in enumerate(original(*given)):
            if number == 5:
                raise KeyboardInterrupt
            yield check

    with monkeypatch.context() as patch:
        patch.setattr(module, "check_files", interrupted)
        with pytest.raises(KeyboardInterrupt):
            unreadable(radiographs, tmp_path / "cache")
    decoded.clear()
    assert unreadable(radiographs, tmp_path / "cache") == {}
    assert [path.name for path in decoded] == ["5.png", "6.png", "7.png"]


def test_a_cache_that_cannot_be_written_is_left_alone(radiographs: Radiographs, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert unreadable(radiographs, tmp_path / "cache") == {}


def test_a_damaged_memory_is_made_again(radiographs: Radiographs, tmp_path: Path) -> None:
    unreadable(radiographs, tmp_path / "cache")
    (memory,) = (tmp_path / "cache" / "readable").iterdir()
    memory.write_bytes(b"PAR1 damaged")
    assert unreadable(radiographs, tmp_path / "cache") == {}
    assert len(pd.read_parquet(memory)) == 8


def test_pairs_are_readable_where_both_images_are(radiographs: Radiographs, tmp_path: Path) -> None:
    radiographs.samples["target_path"] = radiographs.samples["path"].to_numpy()[::-1]
    (radiographs.root / "0.png").write_bytes(b"")
    assert unreadable(radiographs, tmp_path / "cache").keys() == {"0", "7"}


def test_a_look_at_a_few_takes_the_same_ones_in_any_order() -> None:
    names = pd.Series([f"s{number}" for number in range(50)])
    few = set(names[first_rows(names, 10)])
    mixed = names.sample(frac=1, random_state=1).reset_index(drop=True)
    assert len(few) == 10
    assert set(mixed[first_rows(mixed, 10)]) == few
    assert first_rows(names[:3], 10).tolist() == [0, 1, 2]
