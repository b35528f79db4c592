"""What looks on while an encoder is pretrained: the log, the progress line, the collapse watch, the online probe."""

from __future__ import annotations

import math
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from torch import Tensor, nn

from ...foundation.settings import Settings
from ...training.gathering import rank
from ...training.observer import StepReport
from ..method import Method, ours
from .collapse import Spread, spread
from .collapse_judge import FEATURES, PROJECTIONS, CollapseJudge
from .feature_tap import FeatureTap
from .log_row import COLUMNS, Interval, LogRow
from .logger import Extra, Logger, open_loggers, refuse_absent
from .online_probe import OnlineProbe, online_probe

if TYPE_CHECKING:
    from ...data.images import Images


class WatchSettings(Settings):
    """What is watched: `[watch]` in a file, `--set watch.every=50` on the command line. None of it changes weights.

    Attributes:
        every: steps from one line of the log and look at the embeddings to the next.
        probe_images: labelled training images of the linear probe at the ends of epochs; 0 is off.
        probe_every: epochs from one probe to the next; the last epoch has one too.
        loggers: beside the CSV file: tensorboard, wandb.
        wandb_mode: offline writes files that `wandb sync` sends; online sends them at once.
        wandb_project: where they belong.
    """

    every: int = ours(10, "a look costs less than a hundredth of ten steps", ge=1)
    probe_images: int = ours(1000, "a pass over as many costs what training on a sixth of them does", ge=0)
    probe_every: int = ours(1, "epochs are far longer than the probe", ge=1)
    loggers: tuple[Extra, ...] = ours((), "log.csv needs no extra")
    wandb_mode: Literal["offline", "online"] = ours("offline", "nothing leaves the machine unasked")
    wandb_project: str = ours("cxrbench", "as the package")


class Watch:
    """An `Observer` of the training loop; of several processes only the first looks, writes and speaks.

    Until the first step it is picklable.

    Args:
        settings: see `WatchSettings`.
        folder: where `log.csv` and what the other loggers write lies; None logs nowhere.
        images: what is trained on; the labels of one of them are probed.
        title: name of the training.
        about: its settings, shown by loggers that can.
        quiet: say no warnings on standard error.

    Raises:
        UserError: a logger was asked for whose package is not installed; later, the log cannot be written.
    """

    def __init__(
        self,
        settings: WatchSettings,
        folder: Path | None = None,
        images: Sequence[Images] = (),
        title: str = "",
        about: Mapping[str, Any] | None = None,
        quiet: bool = False,
    ):
        refuse_absent(settings.loggers)
        self.settings = settings
        self.probe: OnlineProbe | None = online_probe(images, settings.probe_images)
        self._folder, self._title, self._about, self._quiet = folder, title, dict(about or {}), quiet
        self._loggers: list[Logger] | None = None
        self._judge = CollapseJudge()
        self._tap = FeatureTap()
        self._interval = Interval()
        self._row: LogRow | None = None
        self._spreads: dict[str, Spread] = {}
        self._auc: float | None = None
        self._note = self._waiting = ""
        # The first step that the loggers may not have yet, and the one after the last that was heard of.
        self._first = self._next = 0
        self._identity = uuid.uuid4().hex[:8]

    def after_step(self, network: nn.Module, report: StepReport) -> str:
        """Look, where it is time to: `sd 0.93, rank 41/64, 12 % waiting`, of the projections; see `Observer`."""
        if rank() != 0:
            return ""
        method = cast(Method, network)
        self._write()
        self._interval.add(report)
        self._row = LogRow.of(report, self._interval, written=self._is_due(report.step, report.steps))
        if self._row.written:
            self._look(method, self._row, self._tap.empty())
            self._interval = Interval()
        if self._is_due(report.step + 1, report.steps):
            self._tap.place(method.encoder)
        return self._note

    def after_epoch(self, network: nn.Module, row: dict[str, float]) -> None:
        """Probe, write the epoch's last step, and add spreads and probe to `row`; see `Observer`."""
        if rank() != 0 or self._row is None:
            return
        method = cast(Method, network)
        # What was placed for the next step must not hear the probe.
        self._tap.empty()
        if not self._row.written:
            self._row.written = True
            self._look(method, self._row, None)
        if self.probe is not None and (self._row.last or int(row["epoch"]) % self.settings.probe_every == 0):
            auc = self.probe.auc(method.encoder, method.shape.image_size)
            self._auc = None if math.isnan(auc) else auc
            self._row.values["probe_auc"] = self._auc
            self._note = self._words()
        for name, found in self._spreads.items():
            row |= {f"{COLUMNS[name]}_sd": found.sd, f"{COLUMNS[name]}_rank": found.rank}
        row["collapsed"] = float(bool(self._judge.collapsed))
        if (auc := self._row.values["probe_auc"]) is not None:
            row["probe_auc"] = float(auc)
        if self._is_due(self._row.step + 1, self._row.steps):
            self._tap.place(method.encoder)
        last = self._row.last
        self._write()
        if last:
            # In a spawned process nobody else does.
            self.close()

    def state(self) -> dict[str, Any]:
        """See `Observer`. The line of the last step is in it, because the epoch's end may still add to it."""
        return {
            "row": None if self._row is None else self._row.state(),
            "first": self._next if self._row is None else self._row.step,
            "interval": asdict(self._interval),
            "spreads": {name: asdict(found) for name, found in self._spreads.items()},
            "auc": self._auc,
            "judge": self._judge.state(),
            "identity": self._identity,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `Observer`."""
        self._row = None if state["row"] is None else LogRow(**state["row"])
        self._first = self._next = state["first"]
        self._interval = Interval(**state["interval"])
        self._spreads = {name: Spread(**found) for name, found in state["spreads"].items()}
        self._auc, self._identity = state["auc"], state["identity"]
        self._judge.restore(state["judge"])
        self._note = self._words()

    def close(self) -> None:
        """Write what is left and let go of the loggers."""
        self._write()
        for logger in self._loggers or []:
            logger.close()
        self._loggers, self._first = None, self._next

    def _is_due(self, step: int, steps: int) -> bool:
        return step % self.settings.every == 0 or step == steps - 1

    def _look(self, method: Method, row: LogRow, caught: Tensor | None) -> None:
        """Measure the spreads of this step, its pooled features where they were caught, into `row`, and judge them."""
        watched = method.watched
        if caught is not None and watched is not None:
            # Methods that pass both views at once: one image of a pair is enough.
            caught = caught[: len(watched)]
        embeddings = {FEATURES: caught, PROJECTIONS: watched}
        found = {name: spread(each) for name, each in embeddings.items() if each is not None}
        row.add(found)
        self._spreads |= found
        warning = self._judge.look(row.step, found, method.negatives)
        if warning and not self._quiet:
            print(warning, file=sys.stderr, flush=True)
        self._note = self._words(row)

    def _write(self) -> None:
        """Log the line of the last step, where it belongs into the log."""
        row, self._row = self._row, None
        if row is None:
            return
        if row.written and self._folder is not None:
            for logger in self._open(self._folder):
                logger.log(row.step, row.read())
        self._next = row.step + 1

    def _open(self, folder: Path) -> list[Logger]:
        if self._loggers is None:
            settings = self.settings
            self._loggers = open_loggers(
                settings.loggers,
                folder,
                self._first,
                title=self._title,
                about=self._about,
                wandb_mode=settings.wandb_mode,
                wandb_project=settings.wandb_project,
                wandb_identity=self._identity,
            )
        return self._loggers

    def _words(self, row: LogRow | None = None) -> str:
        """The note: spreads of the projections, or of the features where there are no others; waiting; the probe."""
        shown = self._spreads.get(PROJECTIONS, self._spreads.get(FEATURES))
        words = ["COLLAPSING"] if self._judge.collapsed else []
        words += [str(shown)] if shown is not None else []
        waiting = None if row is None else row.values["waiting"]
        if waiting is not None:
            self._waiting = f"{100 * float(waiting):.0f} % waiting"
        words += [self._waiting] if self._waiting else []
        words += [f"probe AUC {self._auc:.3f}"] if self._auc is not None else []
        return ", ".join(words)
