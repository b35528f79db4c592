"""`cxrbench data splits`: who trains, validates and tests, as a CSV file for others and from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import (
    AssignOption,
    CacheOption,
    DataOption,
    IncludeOption,
    PresetOption,
    SkipOption,
    TaskOption,
)
from .task_data import task_data

if TYPE_CHECKING:
    import numpy as np

    from ....data.split_files import DrawName, SplitsOf
    from ....data.splits import Split
    from ...config import RunConfig
    from ...plan import TaskData

app = typer.Typer(help="Write and read who trains, validates and tests.", no_args_is_help=True)


@app.command("export")
def export_splits(
    out: Annotated[Path, typer.Argument(help="CSV file to write; packed where its name ends in .gz.")],
    task: TaskOption,
    data: DataOption,
    fractions: Annotated[str | None, typer.Option(help="Per cent of the training patients, such as 1,10,50.")] = None,
    replicates: Annotated[int | None, typer.Option(min=1, help="Random draws a fraction.")] = None,
    variant: Annotated[str | None, typer.Option(help="Versions of the task, comma-separated.")] = None,
    preset: PresetOption = None,
    assign: AssignOption = None,
    skip_unreadable: SkipOption = False,
    cache: CacheOption = None,
    include: IncludeOption = None,
) -> None:
    """Write the draws of a task, with the hash of every image and of its labels; without options the task's plan."""
    from ....data.split_files import write_splits
    from ....foundation.progress import progress_for_terminal
    from ...config import parse_fractions, parse_list

    grid = {
        "fractions": parse_fractions(fractions),
        "replicates": replicates,
        "variants": parse_list("--variant", variant),
        "skip_unreadable": skip_unreadable or None,
    }
    config, found = task_data(task, data, preset, assign, cache, include, progress_for_terminal(), grid)
    of, hashes = _about(config, found)
    draws = _draws(config, found)
    write_splits(out, found.radiographs, draws, of, hashes)
    for name, split in draws.items():
        typer.echo(_line(name, len(split.train), len(split.validation), len(split.test)))
    typer.echo(f"{out}: {_draws_in_words(len(draws))} of {task}; no patient on two sides")


@app.command("import")
def import_splits(
    file: Annotated[Path, typer.Argument(help="CSV file that `data splits export` wrote.")],
    task: TaskOption,
    data: DataOption,
    preset: PresetOption = None,
    assign: AssignOption = None,
    skip_unreadable: SkipOption = False,
    cache: CacheOption = None,
    include: IncludeOption = None,
) -> None:
    """Check a file against your copy of the dataset: ids, patients, images, labels. `run --splits FILE` uses it."""
    from ....data.imported_splits import compare_splits, refusal, refuse_other
    from ....data.split_files import read_splits
    from ....foundation.progress import progress_for_terminal

    read = read_splits(file)
    more = {"skip_unreadable": skip_unreadable or None}
    config, found = task_data(task, data, preset, assign, cache, include, progress_for_terminal(), more)
    refuse_other(read, found.task.meta.name, found.radiographs.dataset)
    of, hashes = _about(config, found)
    held = _draws_in_words(len(read.draws))
    typer.echo(f"{file}: {held} of {read.of.task}, version {read.of.version}, on {read.of.dataset}")
    for name, ids in read.draws.items():
        typer.echo(_line(name, len(ids["train"]), len(ids["validation"]), len(ids["test"])))
    findings = compare_splits(read, found.radiographs, of, hashes)
    for note in findings.notes:
        typer.echo(f"note: {note}")
    if findings.mismatches:
        raise refusal(read, findings)
    samples = read.table["sample_id"].nunique()
    have = "image has the id, patient," if samples == 1 else "images have the ids, patients,"
    typer.echo(f"{samples} {have} labels and contents that the file states; no patient on two sides")


def _about(config: RunConfig, found: TaskData) -> tuple[SplitsOf, np.ndarray]:
    """What splits of this task are of, and the content hash of each image."""
    from ....data.fingerprint import content_hashes
    from ....data.split_files import SplitsOf

    meta = found.task.meta
    of = SplitsOf(meta.name, meta.version, found.radiographs.dataset, found.fingerprint)
    return of, content_hashes(found.radiographs, config.cache)


def _draws(config: RunConfig, found: TaskData) -> dict[DrawName, Split]:
    from ....data.split_files import DrawName
    from ....tasks.trial import Trial
    from ...plan import cells

    meta = found.task.meta
    draws = {}
    for variant, protocol, planned in cells(config, found.task):
        for fraction, replicate in planned:
            trial = Trial("any", meta.name, variant, protocol, fraction, replicate)
            draws[DrawName(variant, fraction, replicate)] = found.task.split(found.radiographs, trial)
    return draws


def _draws_in_words(count: int) -> str:
    return "1 draw" if count == 1 else f"{count} draws"


def _line(name: DrawName, train: int, validation: int, test: int) -> str:
    return f"  {name}: {train} train, {validation} validation, {test} test"
