"""A flipped byte anywhere in an array on disk is found."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.array_checks import damage
from cxrbench.data.resumable_array import fill


@pytest.fixture(params=[3, 4, 99])
def array(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Ten rows of seven numbers, in chunks of 3, 4 or all."""

    def produce(missing: Sequence[slice]) -> Iterator[np.ndarray]:
        random = np.random.default_rng(0)
        for part in missing:
            yield random.normal(size=(part.stop - part.start, 7)).astype(np.float32)

    fill(tmp_path / "a", (10, 7), np.float32, request.param, produce, title="a", about={"dataset": "small"})
    return tmp_path / "a"


def wrong(folder: Path) -> list[str]:
    return [line for _, line in damage(folder) if line]


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)


def test_an_array_as_it_was_written_is_whole_and_all_of_it_is_read(array: Path):
    found = list(damage(array))
    assert sum(size for size, _ in found) == 10 * 7 * 4
    assert not [line for _, line in found if line]


@pytest.mark.parametrize("name", ["values.npy", "array.json", "checksums"])
def test_every_flipped_byte_is_found(array: Path, name: str):
    whole = (array / name).read_bytes()
    for position in range(len(whole)):
        flip(array / name, position)
        assert wrong(array), (name, position)
        (array / name).write_bytes(whole)
    assert not wrong(array)


def test_the_chunk_and_its_rows_are_named(tmp_path: Path):
    fill(tmp_path / "a", (10, 100), np.uint8, 4, lambda missing: (np.zeros((part.stop - part.start, 100), np.uint8)
         for part in missing), title="a")  # fmt: skip
    flip(tmp_path / "a" / "values.npy", 128 + 950)
    assert wrong(tmp_path / "a") == ["values.npy: chunk 2 (rows 8 to 9) has changed"]


@pytest.mark.parametrize("size", [0, 100, 200, 500])
def test_a_file_cut_or_grown_is_found(array: Path, size: int):
    os.truncate(array / "values.npy", size)
    assert wrong(array)


@pytest.mark.parametrize("name", ["values.npy", "array.json", "checksums"])
def test_a_lost_file_is_found(array: Path, name: str):
    (array / name).unlink()
    assert len(wrong(array)) == 1
    assert name in wrong(array)[0]
