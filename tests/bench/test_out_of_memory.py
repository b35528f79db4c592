from __future__ import annotations

import pytest

from cxrbench.bench.out_of_memory import is_out_of_memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), False),
    ],
)
def test_torch_says_it_in_runtime_errors(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
