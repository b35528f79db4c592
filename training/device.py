"""Where and in what precision a network runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..foundation.errors import UserError
from .fabric import DDPStrategy, Fabric
from .torchrun import devices_and_machines, started_by_torchrun

Device = Literal["cpu", "cuda"]
Precision = Literal["float32", "bf16"]


def resolve_device(wanted: Literal["auto", "cpu", "cuda"] = "auto") -> Device:
    """The device that `wanted` means here. Raises UserError for a GPU that is not there."""
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise UserError("training.device = cuda, but no CUDA GPU is usable here; set training.device to auto or cpu")
    if wanted == "auto":
        return "cuda" if there else "cpu"
    return wanted


def resolve_precision(wanted: Literal["auto", "float32", "bf16"], device: Device) -> Precision:
    """The precision that `wanted` means on `device`: what records hold, never "auto"."""
    if wanted != "auto":
        return wanted
    quick = _gpu_is_quick_at_bf16() if device == "cuda" else cpu_is_quick_at_bf16()
    return "bf16" if quick else "float32"


def cpu_is_quick_at_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True where the processor multiplies bf16 in hardware (AVX-512 BF16 or AMX)."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return bool({"avx512_bf16", "amx_bf16"} & set(flags))


def autocast(device: Device, precision: Precision) -> AbstractContextManager[object]:
    """Context in which a network's products run in `precision`."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device, dtype=torch.bfloat16)


def build_fabric(device: Device, devices: int, precision: Precision) -> Fabric:
    """The Fabric of one process on one device, or of several: spawned, or those that torchrun started.

    Raises UserError for more GPUs than there are.
    """
    joining = started_by_torchrun()
    here, machines = devices_and_machines(devices) if joining else (devices, 1)
    if device == "cuda" and here > torch.cuda.device_count():
        raise UserError(f"{here} GPUs are asked for, {torch.cuda.device_count()} are here; lower training.devices")
    together = joining or devices > 1
    with quiet_fabric():
        return Fabric(
            accelerator=device,
            devices=here,
            num_nodes=machines,
            strategy=_Together(start_method="popen" if joining else "spawn") if together else "auto",
            precision="bf16-mixed" if precision == "bf16" else "32-true",
        )


@contextmanager
def quiet_fabric() -> Iterator[None]:
    """Inside the block Fabric says only what it warns of, not which precision and port it uses."""
    logger = logging.getLogger("lightning_fabric")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def channels_last(network: nn.Module) -> nn.Module:
    """`network` with its convolutions' weights laid out channels last, in place."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def images_channels_last(images: torch.Tensor) -> torch.Tensor:
    """Images [B, C, H, W] laid out channels last; other tensors unchanged.

    With one channel both layouts hold the same bytes and torch takes the plain one, after which the whole
    network runs in it; the strides written here make it take the other.
    """
    if images.ndim != 4 or not images.is_floating_point():
        return images
    images = images.contiguous(memory_format=torch.channels_last)
    if images.shape[1] == 1:
        height, width = images.shape[2:]
        images = images.as_strided(images.shape, (height * width, 1, width, 1))
    return images


class _Together(DDPStrategy):
    """DDP whose buffers go from the first process to the others once, at the start.

    After that they are equal by construction, and those of a method (its queue) are large.
    """

    def setup_environment(self) -> None:
        # A spawned process begins here, with Fabric's logger as it is when it is imported.
        with quiet_fabric():
            super().setup_environment()

    def setup_module(self, module: nn.Module) -> DistributedDataParallel:
        wrapped = super().setup_module(module)
        wrapped.broadcast_buffers = False
        return wrapped


def _gpu_is_quick_at_bf16() -> bool:
    return torch.cuda.get_device_capability()[0] >= 8
