"""A progress that remembers."""

from __future__ import annotations

from cxrbench.foundation.progress import SilentProgress


class Told(SilentProgress):
    """Remembers what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)
