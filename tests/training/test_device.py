from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cxrbench.foundation.errors import UserError
from cxrbench.training.device import (
    autocast,
    channels_last,
    cpu_is_quick_at_bf16,
    images_channels_last,
    resolve_device,
    resolve_precision,
)


@pytest.mark.parametrize(
    ("flags", "quick"),
    [
        ("fpu avx2 avx512_bf16", True),
        ("fpu amx_tile amx_bf16", True),
        ("fpu avx2 avx512f avx512bw", False),
        ("", False),
    ],
)
def test_bf16_is_for_processors_that_multiply_it(tmp_path: Path, flags: str, quick: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\nbugs : avx512_bf16\n")
    assert cpu_is_quick_at_bf16(tmp_path / "cpuinfo") is quick


def test_machine_without_cpuinfo_takes_float32(tmp_path: Path) -> None:
    assert cpu_is_quick_at_bf16(tmp_path / "absent") is False


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "float32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_gpu_takes_bf16_from_capability_8(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert resolve_precision("auto", "cuda") == precision


def test_named_precision_and_device_are_kept() -> None:
    assert resolve_precision("bf16", "cpu") == "bf16"
    assert resolve_precision("float32", "cuda") == "float32"
    assert resolve_device("cpu") == "cpu"


def test_absent_gpu_is_an_error_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(UserError, match=r"training\.device"):
        resolve_device("cuda")


def test_autocast_runs_products_in_the_named_precision() -> None:
    layer, rows = nn.Linear(4, 4), torch.ones(2, 4)
    with autocast("cpu", "bf16"):
        assert layer(rows).dtype == torch.bfloat16
    with autocast("cpu", "float32"):
        assert layer(rows).dtype == torch.float32


@pytest.mark.parametrize("channels", [1, 3])
def test_convolutions_of_images_stay_channels_last(channels: int) -> None:
    images = torch.rand(2, channels, 8, 8)
    laid_out = images_channels_last(images)
    assert torch.equal(laid_out, images)
    assert laid_out.stride() == (64 * channels, 1, 8 * channels, channels)
    out = channels_last(nn.Conv2d(channels, 4, 3))(laid_out)
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_other_tensors_keep_their_layout() -> None:
    labels = torch.zeros(2, 3)
    assert images_channels_last(labels) is labels
