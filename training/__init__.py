"""Training: one loop for networks, and the linear probe on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation.handing_on import lazily

if TYPE_CHECKING:
    from .data_loader import BatchLoader
    from .device import resolve_device, resolve_precision
    from .epoch import NotFiniteLossError
    from .history import History
    from .loop import fit
    from .probe import LinearProbe, ProbeData, ProbeResult, ProbeSettings
    from .settings import TrainingSettings

__all__ = [
    "BatchLoader",
    "History",
    "LinearProbe",
    "NotFiniteLossError",
    "ProbeData",
    "ProbeResult",
    "ProbeSettings",
    "TrainingSettings",
    "fit",
    "resolve_device",
    "resolve_precision",
]

# Name -> module; looked up on use, because some of them import torch.
_HOMES = {
    "BatchLoader": "data_loader",
    "History": "history",
    "LinearProbe": "probe",
    "NotFiniteLossError": "epoch",
    "ProbeData": "probe",
    "ProbeResult": "probe",
    "ProbeSettings": "probe",
    "TrainingSettings": "settings",
    "fit": "loop",
    "resolve_device": "device",
    "resolve_precision": "device",
}

__getattr__ = lazily(__name__, _HOMES)
