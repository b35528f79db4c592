"""Progress of long work: bars on a terminal, plain lines elsewhere, nothing for library callers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


class Step(Protocol):
    """One piece of work that is under way."""

    def advance(self, done: int = 1, note: str = "") -> None:
        """Report `done` more units, and optionally a short state to show (a loss, a file)."""
        ...


class Progress(Protocol):
    """Where long work reports to."""

    def step(self, title: str, total: int) -> AbstractContextManager[Step]:
        """Begin a piece of `total` units; it ends with the `with` block. Steps may nest."""
        ...

    def say(self, line: str) -> None:
        """Print one line without disturbing the bars."""
        ...


class SilentProgress:
    """Shows nothing: the default of every library function."""

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Step]:
        yield _SilentStep()

    def say(self, line: str) -> None:
        pass


class LineProgress:
    """Plain lines for logs: at the start, at most every `every` seconds, and at the end of a step."""

    def __init__(self, stream: TextIO | None = None, every: float = 10.0):
        self._stream = stream or sys.stderr
        self._every = every

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Step]:
        step = _LineStep(self, title, total, self._every)
        yield step
        step.finish()

    def say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class BarProgress:
    """Live bars on a terminal, one a step that is under way."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        self._console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=46)),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            # The note gives way where the terminal is narrow, never the numbers.
            TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            expand=True,
            console=self._console,
            transient=True,
        )
        self._open = 0

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Step]:
        if self._open == 0:
            self._bars.start()
        self._open += 1
        bar = self._bars.add_task(title, total=total, note="")
        try:
            yield _BarStep(self._bars, bar)
        finally:
            self._bars.remove_task(bar)
            self._open -= 1
            if self._open == 0:
                self._bars.stop()

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)


def progress_for_terminal() -> Progress:
    """Bars where standard error is a terminal, plain lines where it is not."""
    return BarProgress() if sys.stderr.isatty() else LineProgress()


class _SilentStep:
    def advance(self, done: int = 1, note: str = "") -> None:
        pass


class _LineStep:
    def __init__(self, progress: LineProgress, title: str, total: int, every: float):
        self._progress, self._title, self._total, self._every = progress, title, total, every
        self._done = 0
        self._start = self._last = time.monotonic()

    def advance(self, done: int = 1, note: str = "") -> None:
        self._done += done
        now = time.monotonic()
        if now - self._last >= self._every and self._done < self._total:
            self._last = now
            left = (now - self._start) / max(self._done, 1) * (self._total - self._done)
            note = f", {note}" if note else ""
            self._progress.say(f"{self._title}: {self._done}/{self._total}, {left:.0f} s left{note}")

    def finish(self) -> None:
        seconds = time.monotonic() - self._start
        # Quick steps are not worth a line in a log.
        if seconds >= 1.0:
            self._progress.say(f"{self._title}: {self._done}/{self._total} in {seconds:.1f} s")


class _BarStep:
    def __init__(self, bars, bar):  # rich's types, imported only on a terminal
        self._bars, self._bar = bars, bar

    def advance(self, done: int = 1, note: str = "") -> None:
        if note:
            self._bars.update(self._bar, advance=done, note=note)
        else:
            self._bars.update(self._bar, advance=done)
