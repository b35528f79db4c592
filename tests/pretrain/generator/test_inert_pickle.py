"""Pickles read as data give what Python's own unpickler gives, and run nothing."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from cxrbench.pretrain.generator.inert_pickle import Budget, Called, RefusedPickleError, read_pickle

SHARED = ["the same", 2**70]
PLAIN = {
    "numbers": [0, 1, 255, 256, -1, 2**31, 2**70, 0.5, -1e300],
    "words": ["", "a", "ä" * 300, "x" * 70_000],
    "bytes": [b"", b"a", bytes(300), bytes(70_000)],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((((),),),)],
    "rest": [None, True, False, {}, {1: {2: {"three": []}}}],
    "twice": [SHARED, SHARED],
    3: "a number as key",
}


def read(content: bytes, *known: str, budget: Budget | None = None, dictionaries: tuple[str, ...] = ()) -> Any:
    return read_pickle(io.BytesIO(content), known, budget or Budget(), dictionaries)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_data_are_what_pythons_own_unpickler_gives(protocol: int) -> None:
    plain = {name: value for name, value in PLAIN.items() if protocol > 2 or name != "bytes"}
    found = read(pickle.dumps(plain, protocol))
    assert found == plain
    assert found["twice"][0] is found["twice"][1]
    assert found["rest"][1] is True


def test_several_pickles_of_one_stream_are_read_in_turn() -> None:
    stream = io.BytesIO(pickle.dumps([1]) + pickle.dumps("two") + b"rest")
    assert [read_pickle(stream, (), Budget()) for _ in range(2)] == [[1], "two"]
    assert stream.read() == b"rest"


def test_calls_are_written_down_and_not_made(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "exploded"), "w"), {"state": 1})

    found = read(pickle.dumps(Bomb()), "_io.open", "io.open")
    assert isinstance(found, Called)
    assert found.name in ("_io.open", "io.open")
    assert found.arguments == (str(tmp_path / "exploded"), "w")
    assert found.state == {"state": 1}
    assert not (tmp_path / "exploded").exists()


def test_kinds_of_dictionary_become_plain_ones() -> None:
    content = pickle.dumps(OrderedDict(a=1, b=OrderedDict()))
    name = "collections.OrderedDict"
    assert read(content, name, dictionaries=(name,)) == {"a": 1, "b": {}}


def test_names_that_are_not_known_are_refused_and_told() -> None:
    with pytest.raises(RefusedPickleError, match=r"holds collections.OrderedDict, which is none of"):
        read(pickle.dumps(OrderedDict()))
    with pytest.raises(RefusedPickleError, match=r"holds a\\nb\.\\x1b\[31m, which"):
        read(b"\x80\x04\x8c\x03a\nb\x8c\x05\x1b[31m\x93.")


def test_long_pickles_are_refused() -> None:
    content = pickle.dumps(list(range(100)))
    read(content, budget=Budget(200))
    with pytest.raises(RefusedPickleError, match="steps to read, and no generator needs so many"):
        read(content, budget=Budget(90))


def numbered(count: int, key: bytes) -> bytes:
    """A dictionary that has None under a key that was kept, so many times."""
    return b"\x80\x04" + key + b"\x940}(" + b"h\x00N" * count + b"u."


@pytest.mark.parametrize(
    "content",
    [
        # Hashed, or compared with an equal one, again and again.
        numbered(3, b"\x8b" + struct.pack("<i", 1000) + b"\x01" * 1000),
        numbered(3, b"X" + struct.pack("<I", 1000) + b"a" * 1000),
        # Multiples of 2^61 - 1 all have the hash 0.
        b"\x80\x04}(" + b"".join(b"\x8a\x0c" + (n * (2**61 - 1)).to_bytes(12, "little") + b"N" for n in (1, 2)) + b"u.",
    ],
)
def test_keys_that_take_long_are_refused(content: bytes) -> None:
    with pytest.raises(RefusedPickleError, match="truncated or damaged"):
        read(content)


def test_deep_marks_are_refused() -> None:
    with pytest.raises(RefusedPickleError, match="nested too deeply"):
        read(b"\x80\x04" + b"(" * 5000 + b".")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"\x80\x04]",
        b"\x80\x04h\x05.",
        b"\x80\x04e.",
        b"\x80\x04K\x01K\x02R.",
        b"\x80\x04}]K\x01s.",
        b"\x80\x04K\x01\x85b.",
        b"\x80\x04\x86.",
        b"\x80\x04\x93.",
        b"\x80\x04K\x01K\x02\x93.",
        b"\x80\x04X\x05\x00\x00\x00\xff\xff\xff\xff\xff.",
        b"not a pickle",
        # A terabyte is promised; the file has 4 bytes.
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"four",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**64 - 1) + b"four",
    ],
)
def test_damage_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedPickleError, match="truncated or damaged"):
        read(content)


def test_instructions_that_no_generator_needs_are_refused() -> None:
    # EXT1 looks a class up in a table of the process; INST builds one.
    for content, name in ((b"\x80\x02\x82\x01.", "EXT1"), (b"\x80\x02(ios\nsystem\n.", "INST")):
        with pytest.raises(RefusedPickleError, match=f"holds the instruction {name}"):
            read(content)
