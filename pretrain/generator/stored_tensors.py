"""Tensors as pickles describe them: checked against the bytes that are there before any memory is set aside."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .inert_pickle import Budget, Called, Named, Outside, RefusedPickleError, read_pickle

REBUILT = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
FROM_BYTES = "torch.storage._load_from_bytes"
_MAGIC = 0x1950A86A20F9469CFC6C
_MOST_SIDES = 8
_DTYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class _Storage:
    """Numbers of one type, in bytes of the file."""

    dtype: torch.dtype
    numbers: int
    content: memoryview


def tensor_of(described: Any, budget: Budget) -> Tensor:
    """The tensor, a copy of its own, that a pickle describes.

    Args:
        described: the call that would rebuild it, or a parameter around it.
        budget: of instructions, for the pickle inside, and of bytes.

    Raises:
        RefusedPickleError: not a tensor, one that does not lie within its bytes or repeats them, or no budget left.
    """
    if isinstance(described, Called) and described.name == PARAMETER and described.arguments:
        described = described.arguments[0]
    if not (isinstance(described, Called) and described.name == REBUILT and len(described.arguments) >= 4):
        raise RefusedPickleError("holds something else where a tensor belongs")
    storage_call, offset, size, stride = described.arguments[:4]
    storage = _storage_of(storage_call, budget)
    if not (_whole(offset) and _all_whole(size) and _all_whole(stride) and len(size) == len(stride) <= _MOST_SIDES):
        raise RefusedPickleError("holds a tensor whose shape is damaged")
    numbers = math.prod(size)
    extent = 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if not numbers:
        return torch.empty(size, dtype=storage.dtype)
    # Neither repeats numbers (which could fill any memory) nor skips them.
    if numbers != extent or offset + numbers > storage.numbers:
        raise RefusedPickleError(
            f"holds a tensor of {numbers:,} numbers that spans {extent:,}, of {storage.numbers:,} that are there"
        )
    width = storage.dtype.itemsize
    # A copy: what is read from the file cannot be written to.
    copied = bytearray(storage.content[offset * width : (offset + numbers) * width])
    return torch.frombuffer(copied, dtype=storage.dtype).as_strided(size, stride).contiguous()


def _storage_of(call: Any, budget: Budget) -> _Storage:
    """The storage in the bytes that torch.save made of it, in the format before zip archives.

    It is a magic number, a version, a description of the machine, the object, the keys of its storages, and for each
    the count of its numbers and the numbers.
    """
    if not (
        isinstance(call, Called)
        and call.name == FROM_BYTES
        and len(call.arguments) == 1
        and isinstance(call.arguments[0], bytes)
    ):
        raise RefusedPickleError("holds a tensor without its numbers")
    content = call.arguments[0]
    # Before it is read: several tensors may lie in the same bytes.
    budget.spend_bytes(len(content))
    stream = io.BytesIO(content)
    magic, _, machine, described, keys = (read_pickle(stream, tuple(_DTYPES), budget) for _ in range(5))
    damaged = RefusedPickleError("holds a tensor whose numbers are truncated or damaged")
    if magic != _MAGIC or not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise damaged
    if not isinstance(described, Outside) or not isinstance(described.key, tuple) or len(described.key) < 5:
        raise damaged
    word, kind, key, _, numbers, *views = described.key
    # Only words are compared: tuples of tuples could take any time.
    if word != "storage" or not isinstance(kind, Named) or not isinstance(key, str) or any(views):
        raise damaged
    if not isinstance(keys, list) or len(keys) != 1 or not isinstance(keys[0], str) or keys[0] != key:
        raise damaged
    if not _whole(numbers):
        raise damaged
    start, dtype = stream.tell(), _DTYPES[kind.name]
    if len(content) != start + 8 + numbers * dtype.itemsize:
        raise damaged
    if int.from_bytes(content[start : start + 8], "little") != numbers:
        raise damaged
    return _Storage(dtype, numbers, memoryview(content)[start + 8 :])


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _all_whole(values: Any) -> bool:
    return isinstance(values, tuple) and all(_whole(value) for value in values)
