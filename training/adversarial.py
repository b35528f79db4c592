"""The training of a generator against a discriminator: alternating steps of two optimisers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_json
from ..foundation.progress import Progress, SilentProgress, Step
from .adversarial_settings import AdversarialSettings
from .adversarial_steps import AdversarialLoss, AlternatingSteps
from .checkpoint import read_checkpoint, write_checkpoint
from .device import resolve_device, resolve_precision
from .endless_batches import EndlessBatches
from .job import Batches
from .loss_watch import LossWatch, NotFiniteLossError
from .seeding import deterministic_algorithms, own_random_numbers
from .stopping import StoppedError
from .torchrun import started_by_torchrun


@dataclass
class AdversarialHistory:
    """What happened in a training of two networks.

    Attributes:
        rows: one every `row_every` steps and one at the end: step (its last, from 1), generator_loss,
            discriminator_loss, their named terms as generator_<term> and discriminator_<term>, penalty (means; the
            penalty's over the times it was taken, and absent where it was not), seconds (of these steps).
        average: the moving average of the generator, on its device, in eval mode; None where it is off.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    average: nn.Module | None = None


def fit_adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    generator_loss: AdversarialLoss,
    discriminator_loss: AdversarialLoss,
    batches: Batches,
    n_batches: int,
    settings: AdversarialSettings,
    seed: int,
    *,
    penalty: AdversarialLoss | None = None,
    progress: Progress | None = None,
    title: str = "training",
    checkpoint: Path | None = None,
    checkpoint_after: float = 600.0,
    checkpoint_every_steps: int | None = None,
    checkpoint_must_fit: bool = False,
    stop: Callable[[], bool] | None = None,
) -> AdversarialHistory:
    """Train both networks in place and leave them on the device, in eval mode, with their last weights.

    Args:
        generator, discriminator: their parameters that require a gradient are trained, each by an Adam of its own. What
            else a training must remember (the probability of an augmentation) is a buffer of one of them.
        generator_loss: scalar mean loss of (generator, discriminator, batch), or a dict of `loss` and named scalars.
            The discriminator's parameters require no gradient inside it.
        discriminator_loss: the same for the discriminator; the generator's parameters require no gradient inside it.
        batches: the batches of an epoch, as `loop.fit` takes them; epoch follows epoch until all steps are made.
        n_batches: how many batches every epoch has.
        settings: see `AdversarialSettings`.
        seed: of all that torch, NumPy and Python draw inside; what they draw afterwards is as it was.
        penalty: of the discriminator, taken at every `penalty_every`-th of its steps from the first on and counted so
            many times (lazy regularisation, Karras et al. 2020), in float32.
        progress: one step of `settings.steps` units.
        title: what the training is called there.
        checkpoint: file to go on from after a crash, bit for bit; whoever keeps the result removes it then.
        checkpoint_after: seconds after which it is written, after a generator step, and then again and again.
        checkpoint_every_steps: generator steps after which it is written too.
        checkpoint_must_fit: raise UserError for one that is damaged or of another training, which else is told of and
            begun again over.
        stop: asked after every generator step. Where it says True the checkpoint is written and the training ends.

    Random numbers are seeded for every step of either network, so a training that goes on draws what it would have
    drawn. It runs in one process on one device.

    Raises NotFiniteLossError where a loss is NaN or infinite (the last checkpoint stays), StoppedError where `stop`
    ended the training, UserError for a device that is not there or a checkpoint that cannot be written.
    """
    if started_by_torchrun():
        raise UserError("a generator is trained against a discriminator in one process; start it without torchrun")
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    with own_random_numbers(), deterministic_algorithms(settings.deterministic):
        steps = AlternatingSteps(
            generator, discriminator, (generator_loss, discriminator_loss), penalty, settings, seed, (device, precision)
        )
        identity = sha256_of_json([settings.model_dump(), seed, n_batches, precision, steps.shapes()])
        keeping = _Keeping(checkpoint, identity, checkpoint_after, checkpoint_every_steps, stop, title)
        training = _Training(steps, settings, keeping, progress or SilentProgress())
        training.resume(checkpoint_must_fit)
        return training.run(EndlessBatches(batches, n_batches))


@dataclass
class _Keeping:
    checkpoint: Path | None
    identity: str
    after: float
    every: int | None
    stop: Callable[[], bool] | None
    title: str
    written: float = field(default_factory=time.monotonic)
    kept: int = 0

    def is_due(self, done: int) -> bool:
        late = time.monotonic() - self.written >= self.after
        return self.checkpoint is not None and (late or (self.every is not None and done % self.every == 0))


class _Training:
    def __init__(self, steps: AlternatingSteps, settings: AdversarialSettings, keeping: _Keeping, progress: Progress):
        self._steps, self._settings, self._keeping, self._progress = steps, settings, keeping, progress
        self._history = AdversarialHistory(average=steps.average)
        self._done = 0
        self._begin_row()

    def run(self, batches: EndlessBatches) -> AdversarialHistory:
        settings = self._settings
        coming = batches(self._done * settings.discriminator_steps)
        with self._progress.step(self._keeping.title, settings.steps) as bar:
            bar.advance(self._done)
            while self._done < settings.steps:
                try:
                    self._step(coming, bar)
                except NotFiniteLossError:
                    raise self._not_finite() from None
        self._steps.finish()
        return self._history

    def resume(self, must_fit: bool) -> None:
        """Go on from the checkpoint where there is one."""
        keeping = self._keeping
        if keeping.checkpoint is None:
            return
        state = read_checkpoint(keeping.checkpoint, keeping.identity, self._progress, must_fit)
        if state is None:
            return
        self._done = keeping.kept = state["steps_done"]
        self._history.rows = state["rows"]
        self._steps.restore(state["steps"])
        self._begin_row(state["sums"], state["seconds"])

    def _step(self, coming: Iterator[Any], bar: Step) -> None:
        self._watch.add(self._steps.make(self._done, coming))
        self._done += 1
        if self._done % self._settings.row_every == 0 or self._done == self._settings.steps:
            self._end_row()
        keeping = self._keeping
        stopped = keeping.stop is not None and keeping.stop() and self._done < self._settings.steps
        if stopped or keeping.is_due(self._done):
            self._write()
        if stopped:
            kept = "nothing was kept" if keeping.checkpoint is None else f"{keeping.checkpoint} is kept"
            way_on = "" if keeping.checkpoint is None else "; start it again to go on from there"
            words = f"stopped as asked after {self._done} of {self._settings.steps} steps"
            raise StoppedError(f"{keeping.title}: {words}; {kept}{way_on}")
        bar.advance(note=self._note())

    def _begin_row(self, sums: dict[str, float] | None = None, seconds: float = 0.0) -> None:
        self._watch = LossWatch(0, self._settings.generator_lr, sums=sums)
        self._row_start = time.perf_counter() - seconds

    def _end_row(self) -> None:
        self._watch.settle()
        seconds = time.perf_counter() - self._row_start
        self._history.rows.append({"step": self._done, **self._means(), "seconds": seconds})
        self._begin_row()

    def _means(self) -> dict[str, float]:
        sums, first = self._watch.sums, self._done - 1 - (self._done - 1) % self._settings.row_every
        counts = {name: self._done - first for name in sums}
        counts["penalty"] = self._steps.penalties(self._done) - self._steps.penalties(first)
        return {name: value / counts[name] for name, value in sums.items() if name != "loss"}

    def _note(self) -> str:
        """The losses of the last row that is whole."""
        if not self._history.rows:
            return self._watch.words
        row = self._history.rows[-1]
        return f"generator {row['generator_loss']:.4f}, discriminator {row['discriminator_loss']:.4f}"

    def _write(self) -> None:
        """Write the checkpoint. Raises NotFiniteLossError where a loss or the weights are not finite."""
        keeping = self._keeping
        if keeping.checkpoint is None:
            return
        self._watch.settle()
        if not self._steps.are_finite():
            raise NotFiniteLossError("weights")
        state = {
            "steps_done": self._done,
            "rows": self._history.rows,
            "sums": dict(self._watch.sums),
            "seconds": time.perf_counter() - self._row_start,
            "steps": self._steps.state(),
        }
        write_checkpoint(keeping.checkpoint, keeping.identity, state)
        keeping.kept, keeping.written = self._done, time.monotonic()

    def _not_finite(self) -> NotFiniteLossError:
        keeping = self._keeping
        words = (
            f"{keeping.title}: a loss or weight is not finite by step {min(self._done + 1, self._settings.steps)} of "
            f"{self._settings.steps}; lower generator_lr or discriminator_lr, or set precision=float32"
        )
        kept = f"; the last good state, after {keeping.kept} steps, is in {keeping.checkpoint}" if keeping.kept else ""
        return NotFiniteLossError(words + kept)
