"""The one training loop: tasks fine-tune with it, methods pretrain with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from torch import nn

from ..foundation.files import sha256_of_json
from ..foundation.progress import Progress, SilentProgress
from .device import build_fabric, resolve_device, resolve_precision
from .history import History
from .job import AfterStep, Batches, Job, Loss, ParameterGroups, Validate, WhenNotFinite
from .observer import Observer
from .processes import train_among_processes, train_in_processes
from .settings import TrainingSettings
from .torchrun import process_count, started_by_torchrun
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
    checkpoint_every_steps: int | None = None,
    checkpoint_must_fit: bool = False,
    after_step: AfterStep | None = None,
    observer: Observer | None = None,
    stop: Callable[[], bool] | None = None,
    parameter_groups: ParameterGroups | None = None,
    not_finite: WhenNotFinite = "raise",
) -> History:
    """Train `network` in place and leave it on its device, in eval mode, with its best weights.

    Args:
        network: its parameters that require a gradient are trained.
        loss: scalar mean loss of (network, batch), or a dict of `loss` and named scalars it is made of, whose
            means stand in the history. It must call the network it is given, not parts of it, so that precision
            and several devices work; outputs come back as float32.
        batches: the batches of an epoch, counted from 0: a tensor, or a tuple or dict whose first entry has
            one element an image. Tensors are moved to the device, images [B, C, H, W] laid out channels last.
            Where they take `first` besides the epoch, as `BatchLoader` does, a training that goes on inside an
            epoch leaves out the batches before it; else they are made and thrown away.
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
        checkpoint_after: seconds after which it is written, after an optimiser step, and then again and again.
        checkpoint_every_steps: optimiser steps after which it is written too.
        checkpoint_must_fit: raise UserError for one that is damaged or of another training, which else is told of
            and begun again over.
        after_step: called after every optimiser step with the network (not wrapped), the step from 0, and the
            number of steps: momentum networks follow.
        observer: looks on, see `Observer`.
        stop: asked after every optimiser step. Where it says True the checkpoint is written and the training ends;
            of several processes it is enough that one is told, and they end a step later.
        parameter_groups: divides the network's parameters into the optimiser's groups, see
            `optimiser.norms_without_decay`; all are one group without it.
        not_finite: what a loss that is NaN or infinite does. `keep best` ends the training with the weights of the
            best epoch, and `History.not_finite` says what happened; where no epoch was validated, or of several
            processes, it raises as `raise` does.

    Random numbers are seeded for every batch, so a training that goes on draws what it would have drawn. A
    checkpoint is written only while the loss and the weights are finite.

    With `settings.devices` > 1 processes are spawned: `network`, `loss`, `batches` and `validate` must then
    be picklable (no lambdas, no local functions) and `batches` have a `share`, as `BatchLoader` does; each
    process trains on its share of every batch, and all validate. The same holds for the processes that torchrun
    started, which all call this. Running statistics of BatchNorm are the mean over processes after every step.

    Raises NotFiniteLossError where the loss is NaN or infinite (the last checkpoint stays; but see `not_finite`),
    StoppedError where `stop` ended the training, UserError for a device that is not there or a checkpoint that cannot
    be written.
    """
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    fabric = build_fabric(device, settings.devices, precision)
    processes = process_count(settings.devices)
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
        checkpoint_every_steps=checkpoint_every_steps,
        checkpoint_must_fit=checkpoint_must_fit,
        after_step=after_step,
        observer=observer,
        stop=stop,
        precision=precision,
        parameter_groups=parameter_groups,
        not_finite=not_finite,
        identity=sha256_of_json([settings.model_dump(), seed, monitor, mode, n_batches, precision, processes]),
    )
    run = train if processes == 1 else train_in_processes
    if started_by_torchrun():
        run = train_among_processes
    return run(fabric, job, progress or SilentProgress())
