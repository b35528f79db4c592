"""Lightning Fabric, imported without what it does not need here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Inside the block `package` cannot be imported, unless it was before."""
    hidden = package not in sys.modules
    if hidden:
        sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[package]


# Fabric asks for the version of torchmetrics by importing it, which takes seconds; only the Trainer uses the answer.
with _without("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.utilities.apply_func import move_data_to_device
    from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer

__all__ = ["DDPStrategy", "Fabric", "_FabricModule", "_FabricOptimizer", "move_data_to_device"]
