"""Options that several commands have, so that they read alike everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .choice import choice_option


class Protocol(StrEnum):
    """Which trials are shown."""

    frozen = "frozen"
    finetune = "finetune"


SETTINGS = typer.Option(help="Settings hashes to keep where a task has records of several, comma-separated.")
HOW_TO_WRITE = "How to write it.  (default: by the suffix of --out, else text)"

StoreOption = Annotated[Path | None, typer.Option(help="Folder of records.  (default: cxrbench-results)")]
OutOption = Annotated[Path | None, typer.Option(help="File to write instead of the terminal.")]
ProtocolOption = Annotated[Protocol | None, choice_option(Protocol, "--protocol", "Only trials of this protocol.")]
SettingsOption = Annotated[str | None, SETTINGS]
SkipOption = Annotated[bool, typer.Option("--skip-unreadable", help="Go on without images that are missing or broken.")]
TaskOption = Annotated[str, typer.Option(help="Task that draws and decodes: a name of `ls tasks`.")]
DataOption = Annotated[str, typer.Option(help="Folder of its dataset, or phantom.")]
PresetOption = Annotated[str | None, typer.Option(help="Settings of a paper, by name.")]
AssignOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")]
CacheOption = Annotated[Path | None, typer.Option(help="Folder for what can be made again.")]
IncludeOption = Annotated[
    list[Path] | None, typer.Option(help="Python file that registers encoders, datasets or tasks.")
]
