"""The one training loop: tasks fine-tune with it, methods pretrain with it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import nn

from ..foundation.files import sha256_of_json
from ..foundation.progress import Progress, SilentProgress
from .device import build_fabric, resolve_device, resolve_precision
from .history import History
from .job import Batches, Job, Loss, Validate
from .processes import train_in_processes
from .settings import TrainingSettings
from .train import train


def fit(
    network: nn.Module,
    loss: Loss,
    batches: Batches,
    n_batches: int,
    settings: TrainingSettings,
    seed: int,
    validate: Validate | None = None,
    monitor: str = "log_loss",
    mode: Literal["min", "max"] = "min",
    progress: Progress | None = None,
    title: str = "training",
    checkpoint: Path | None = None,
    checkpoint_after: float = 600.0,
) -> History:
    """Train `network` in place and leave it on its device, in eval mode, with its best weights.

    Args:
        network: its parameters that require a gradient are trained.
        loss: scalar mean loss of (network, batch). It must call the network it is given, not parts of it,
            so that precision and several devices work; outputs come back as float32.
        batches: the batches of an epoch, counted from 0: a tensor, or a tuple or dict whose first entry has
            one element an image. Tensors are moved to the device, images [B, C, H, W] laid out channels last.
        n_batches: how many batches every epoch has.
        settings: see `TrainingSettings`.
        seed: of all that torch, NumPy and Python draw inside; what they draw afterwards is as it was.
        validate: metrics of the network after every epoch, in eval mode, without gradients.
        monitor: the metric that chooses the best epoch, stops early and lowers the rate (`plateau`).
            Without validation the last weights are kept and `plateau` goes by the training loss.
        mode: whether a lower or a higher `monitor` is better.
        progress: a step an epoch, and inside it one a batch.
        title: what the training is called there.
        checkpoint: file to go on from after a crash, bit for bit; whoever keeps the result
            removes it then.
        checkpoint_after: seconds after which it is written, at an epoch's end, and then again and again.

    With `settings.devices` > 1 processes are spawned: `network`, `loss`, `batches` and `validate` must then
    be picklable (no lambdas, no local functions) and `batches` have a `share`, as `BatchLoader` does; each
    process trains on its share of every batch, and all validate.

    Raises NotFiniteLossError where the loss is NaN or infinite, UserError for a device that is not there.
    """
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    fabric = build_fabric(device, settings.devices, precision)
    job = Job(
        network=network,
        loss=loss,
        batches=batches,
        n_batches=n_batches,
        settings=settings,
        seed=seed,
        validate=validate,
        monitor=monitor,
        mode=mode,
        title=title,
        checkpoint=checkpoint,
        checkpoint_after=checkpoint_after,
        precision=precision,
        identity=sha256_of_json([settings.model_dump(), seed, monitor, mode, n_batches, precision]),
    )
    run = train if settings.devices == 1 else train_in_processes
    return run(fabric, job, progress or SilentProgress())
