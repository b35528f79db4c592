"""Tensors are checked against the bytes that are there before any memory is set aside."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from cxrbench.pretrain.generator.inert_pickle import Budget, Called, RefusedPickleError
from cxrbench.pretrain.generator.stored_tensors import FROM_BYTES, REBUILT, tensor_of


def _written(tensor: Tensor) -> bytes:
    """The bytes in which a pickle holds the numbers of a tensor."""
    storage = torch.storage.TypedStorage(wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True)
    return storage.__reduce__()[1][0]


def _described(content: bytes, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> Called:
    return Called(REBUILT, (Called(FROM_BYTES, (content,)), offset, size, stride, False, {}))


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
)
def test_numbers_come_out_bit_for_bit(dtype: torch.dtype) -> None:
    tensor = (100 * torch.rand(3, 5)).to(dtype)
    content = _written(tensor)
    assert torch.equal(tensor_of(_described(content, (3, 5), (5, 1)), Budget()), tensor)
    assert torch.equal(tensor_of(_described(content, (5, 3), (1, 5)), Budget()), tensor.T)
    assert torch.equal(tensor_of(_described(content, (2, 5), (5, 1), offset=5), Budget()), tensor[1:])
    assert torch.equal(tensor_of(_described(content, (), (), offset=4), Budget()), tensor[0, 4])
    assert tensor_of(_described(content, (0, 5), (5, 1)), Budget()).shape == (0, 5)


def test_the_same_bytes_count_each_time_they_are_looked_at() -> None:
    content = _written(torch.zeros(7))
    budget = Budget(bytes_left=2 * len(content))
    for _ in range(2):
        tensor_of(_described(content, (0,), (1,)), budget)
    with pytest.raises(RefusedPickleError, match="tensors of more bytes than the file has"):
        tensor_of(_described(content, (0,), (1,)), budget)


def test_keys_of_storages_are_words_and_nothing_else_is_compared() -> None:
    # Two to the power of 40 comparisons in some hundred bytes.
    pairs = b"K\x01" + b"".join(bytes((ord("q"), place, ord("h"), place, 0x86)) for place in range(10, 50))
    content, numbers = re.subn(rb"X.\x00\x00\x00\d+", lambda _: pairs, _written(torch.zeros(7)))
    assert numbers == 2
    with pytest.raises(RefusedPickleError, match="numbers are truncated or damaged"):
        tensor_of(_described(content, (7,), (1,)), Budget())


@pytest.mark.parametrize("promised", [6, 8, 2 * 10**6, 2**31 - 1])
def test_numbers_that_are_promised_and_not_there_are_not_waited_for(promised: int) -> None:
    content = _written(torch.zeros(7))
    assert content.count(b"cpu") == 1
    # The count of numbers follows the device: the instruction K, one byte, becomes J, four bytes.
    place = content.index(b"K\x07", content.index(b"cpu"))
    changed = content[:place] + b"J" + promised.to_bytes(4, "little") + content[place + 2 :]
    for part in (changed, content[:-1], content + b"\0"):
        with pytest.raises(RefusedPickleError, match="numbers are truncated or damaged"):
            tensor_of(_described(part, (7,), (1,)), Budget())


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((10**9, 10**9), (0, 0), 0),
        ((2**40,), (1,), 0),
        ((8,), (1,), 0),
        ((7,), (1,), 1),
        ((3,), (2,), 0),
        ((2, 2), (1, 1), 0),
    ],
)
def test_views_that_repeat_skip_or_leave_their_numbers_are_refused(
    size: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    with pytest.raises(RefusedPickleError, match="holds a tensor of"):
        tensor_of(_described(_written(torch.zeros(7)), size, stride, offset), Budget())
