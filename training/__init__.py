"""Training: one loop for networks, and the linear probe on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation.handing_on import lazily

if TYPE_CHECKING:
    from .data_loader import BatchLoader
    from .device import resolve_device, resolve_precision
    from .history import History
    from .loop import fit
    from .loss_watch import NotFiniteLossError
    from .observer import Observer, StepReport
    from .probe import LinearProbe, ProbeData, ProbeResult, ProbeSettings
    from .settings import TrainingSettings
    from .stopping import StoppedError, StopRequest, stop_on_sigterm

__all__ = [
    "BatchLoader",
    "History",
    "LinearProbe",
    "NotFiniteLossError",
    "Observer",
    "ProbeData",
    "ProbeResult",
    "ProbeSettings",
    "StepReport",
    "StopRequest",
    "StoppedError",
    "TrainingSettings",
    "fit",
    "resolve_device",
    "resolve_precision",
    "stop_on_sigterm",
]

# Name -> module; looked up on use, because some of them import torch.
_HOMES = {
    "BatchLoader": "data_loader",
    "History": "history",
    "LinearProbe": "probe",
    "NotFiniteLossError": "loss_watch",
    "Observer": "observer",
    "ProbeData": "probe",
    "ProbeResult": "probe",
    "ProbeSettings": "probe",
    "StepReport": "observer",
    "StopRequest": "stopping",
    "StoppedError": "stopping",
    "TrainingSettings": "settings",
    "fit": "loop",
    "resolve_device": "device",
    "resolve_precision": "device",
    "stop_on_sigterm": "stopping",
}

__getattr__ = lazily(__name__, _HOMES)
