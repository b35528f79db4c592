"""The option `--protocol` of commands that show results."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """Which trials are shown."""

    frozen = "frozen"
    finetune = "finetune"
