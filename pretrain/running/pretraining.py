"""A planned pretraining: its images prepared, run, and its folder written."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ...data.parallel import cores
from ...data.preprocessing import PREPROCESSING_VERSION
from ...data.views.views import VIEWS_VERSION
from ...foundation.errors import UserError
from ...foundation.progress import Progress, SilentProgress
from ...training.batch_norm import synchronise
from ...training.device import resolve_device, resolve_precision
from ...training.epoch import steps_per_epoch
from ...training.history import History
from ...training.loop import fit
from ...training.loss_watch import NotFiniteLossError
from ...training.torchrun import is_first_process
from ..method import Method
from ..watching.watch import Watch
from .folder import CHECKPOINT, FolderState, alone_in, begin, refuse_taken
from .images import PretrainingImages, pretraining_images
from .interruption import stop_on_signals
from .output import write_image_names, write_left_out, write_output, write_untrained
from .plan import Plan
from .settings import PretrainingSettings
from .starting import Start, take
from .story import story
from .view_batches import ViewBatches

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs


@dataclass(frozen=True)
class Prepared:
    """A plan with its images decoded, and the method that will be trained on them.

    Attributes:
        plan: the plan.
        images: what is trained on.
        start: what the encoder began with.
        method: to train.
        taken, drawn: parts of the method that were taken from `start`, and that were drawn from the seed.
    """

    plan: Plan
    images: PretrainingImages
    start: Start
    method: Method
    taken: tuple[str, ...]
    drawn: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        training = self.plan.settings.training
        per_epoch = steps_per_epoch(len(self.images) // training.batch_size, training.accumulate)
        return training.epochs * per_epoch

    def identity(self) -> dict[str, Any]:
        """Dotted key -> value, JSON-ready, of all that decides the weights."""
        settings, meta = self.plan.settings, self.start.encoder.meta
        device = resolve_device(settings.training.device)
        return {
            **self.plan.identity(self.method),
            "init_parts": ", ".join(self.taken),
            "images": len(self.images),
            "images_sha256": self.images.sha256,
            "images_order": self.images.order,
            "mean": list(meta.mean),
            "std": list(meta.std),
            "precision": resolve_precision(settings.training.precision, device),
            "preprocessing_version": PREPROCESSING_VERSION,
            "views_version": VIEWS_VERSION,
        }


@dataclass(frozen=True)
class Finished:
    """What a pretraining came to.

    Attributes:
        out: its folder.
        history: one row an epoch.
        seconds: what this call took; images_per_second: of the last epoch.
    """

    out: Path
    history: History
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Of the last epoch."""
        return self.history.rows[-1]["images_per_second"] if self.history.rows else 0.0


def prepare(plan: Plan, radiographs: Sequence[Radiographs], cache: Path, progress: Progress) -> Prepared:
    """Decode the images and build what is trained.

    Raises:
        UserError: fewer images than a batch, or more unreadable ones than the limit.
    """
    settings = plan.settings
    _refuse_few(sum(map(len, radiographs)), settings)
    images = pretraining_images(
        radiographs,
        settings.stored_size,
        settings.preprocessing,
        settings.unreadable_limit,
        cache=cache,
        progress=progress,
    )
    _refuse_few(len(images), settings)
    given = settings.normalisation
    if plan.request.init:
        start = plan.start()
    elif given.mean is not None and given.std is not None:
        start = plan.start(given.mean, given.std)
    else:
        start = plan.start(*(round(value, 4) for value in images.mean_and_sd(given.images)))
    method = plan.build(start)
    taken, drawn = take(method, start.tensors)
    return Prepared(plan, images, start, method, tuple(taken), tuple(drawn))


def run(
    prepared: Prepared,
    *,
    contamination: Sequence[str] = (),
    audit: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Finished:
    """Pretrain, and write the output folder; SIGTERM and Ctrl-C write a checkpoint and raise.

    Args:
        prepared: what to train on what.
        contamination: registered names of datasets whose test images are among the images.
        audit: sentences on what was compared, for the encoder's description.
        provenance: versions and machine, for the encoder's description.
        progress: where the work is shown.

    Raises:
        UserError: another pretraining lies in the folder, or something cannot be written.
        NotFiniteLossError: the loss became NaN or infinite; the last checkpoint is kept.
        StoppedError: SIGTERM (exit code 143) or Ctrl-C (130); the checkpoint holds the last step.
    """
    progress = progress or SilentProgress()
    out, first = prepared.plan.request.out, is_first_process()
    told = story(prepared, contamination, audit, provenance or {})
    began = time.perf_counter()
    with ExitStack() as stack:
        if first:
            stack.enter_context(alone_in(out))
            # Again, now that nobody else can write there.
            refuse_taken(out, prepared.plan.request.resume)
            begin(out, prepared.identity(), told.about | {"provenance": dict(provenance or {})})
            write_image_names(out, told.images)
            write_left_out(out, prepared.images.left_out)
            if prepared.start.untrained is not None:
                write_untrained(out, prepared.start.untrained)
        _say_what_is_gone_on_with(prepared, progress)
        stop = stack.enter_context(stop_on_signals())
        try:
            history = _train(prepared, stop, progress)
        except NotFiniteLossError as error:
            raise NotFiniteLossError(f"{error}{_way_on(out)}") from None
        if first:
            write_output(out, prepared.method, told)
    return Finished(out, history, time.perf_counter() - began)


def _train(prepared: Prepared, stop: Any, progress: Progress) -> History:
    plan, method = prepared.plan, prepared.method
    settings, request = plan.settings, plan.request
    batches = ViewBatches(
        prepared.images.parts,
        plan.views(),
        settings.training.batch_size,
        request.seed,
        workers=_threads(settings, plan.processes),
    )
    network: nn.Module = method
    if plan.processes > 1 and not plan.kind.own_batch_norm:
        network = synchronise(method)
    return fit(
        network=network,
        loss=loss_of,
        batches=batches,
        n_batches=len(batches),
        settings=settings.training,
        seed=request.seed,
        progress=progress,
        title=f"pretraining {request.title}",
        checkpoint=request.out / CHECKPOINT,
        checkpoint_after=settings.checkpoint_seconds,
        # Another one here is a fault that a new beginning would write over.
        checkpoint_must_fit=True,
        after_step=after_step,
        observer=Watch(
            settings.watch,
            request.out,
            prepared.images.parts,
            request.title,
            prepared.identity(),
            quiet=isinstance(progress, SilentProgress),
        ),
        stop=stop,
    )


def _way_on(out: Path) -> str:
    """How to go on after a loss that is not finite, from the last good state where there is one."""
    if not (out / CHECKPOINT).is_file():
        return "; name another --out and begin again"
    return f"; go on from there with such settings: --init {out} and another --out"


def loss_of(module: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The loss and its terms of a batch of views; a function of the module, as spawned processes need it."""
    return module(batch)


def after_step(network: nn.Module, step: int, steps: int) -> None:
    """Let the method's momentum networks follow."""
    assert isinstance(network, Method)
    network.after_step(step, steps)


def _threads(settings: PretrainingSettings[Any], processes: int) -> int:
    if settings.views.threads:
        return settings.views.threads
    mine = cores() // processes
    # On the CPU the network wants the cores as well.
    return max(1, mine - 1 if resolve_device(settings.training.device) == "cuda" else mine // 2)


def _refuse_few(n: int, settings: PretrainingSettings[Any]) -> None:
    size = settings.training.batch_size
    if n < size:
        raise UserError(f"{n} images are fewer than a batch of {size}: give more with --data, or set --batch-size {n}")


def _say_what_is_gone_on_with(prepared: Prepared, progress: Progress) -> None:
    request = prepared.plan.request
    if request.resume and prepared.plan.state is FolderState.new and is_first_process():
        progress.say(f"{request.out}: nothing there to go on with, so it begins")
    if prepared.plan.state is FolderState.unfinished and is_first_process():
        there = (request.out / CHECKPOINT).is_file()
        words = "going on from its checkpoint" if there else "no checkpoint was written yet, so it begins again"
        progress.say(f"{request.out}: {words}")
