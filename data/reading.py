"""What a dataset's reader is given beside the folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..foundation.progress import Progress, SilentProgress
from .problems import Problems


@dataclass(frozen=True)
class Reading:
    """Where a reader puts what it finds wrong, says how far it is, and remembers what took long.

    Attributes:
        problems: of single rows and files; a reader adds to it and goes on. What makes the whole folder unreadable
            (no table, a column missing) it raises as UserError.
        progress: for what takes over two seconds.
        cache: folder of what can be made again, or None where nothing may be remembered.
    """

    problems: Problems = field(default_factory=Problems)
    progress: Progress = field(default_factory=SilentProgress)
    cache: Path | None = None
