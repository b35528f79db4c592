"""`cxrbench data validate`: is a dataset's folder whole and right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import IncludeOption


def validate(
    name: Annotated[str, typer.Argument(help="The dataset: a name of `ls datasets`.")],
    path: Annotated[Path, typer.Argument(help="Its folder, in any of its layouts.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Decode 200 images instead of all, and look for no bit-equal ones.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Also write all that was found to this file, as JSON.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder where it is remembered which files can be read.")] = None,
    include: IncludeOption = None,
) -> None:
    """Check counts, files, labels, boxes, masks and splits of a dataset's folder. Exit code 1 where one is wrong.

    A copy of which only a part was downloaded is reported as partial, and is not wrong.
    """
    from ....data.reading import Reading
    from ....data.validation import validate as validated
    from ....foundation.files import expanded
    from ....foundation.progress import progress_for_terminal
    from ....foundation.registry import include as include_file
    from ...config import run_config
    from ..written import output_console, refuse_unwritable, write
    from .validation_page import print_report

    refuse_unwritable("--json", json)
    for file in include or []:
        include_file(file)
    folder = run_config({"cache": cache}, needs_grid=False).cache
    reading = Reading(progress=progress_for_terminal(), cache=folder)
    report = validated(name, expanded(path), quick=quick, reading=reading)
    print_report(report, output_console(), json)
    if json is not None:
        write(report.to_json(), json)
    if not report.ok:
        raise typer.Exit(1)
