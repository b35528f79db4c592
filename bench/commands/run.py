"""`cxrbench run`: pass encoders over tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...foundation.errors import UserError
from .options import IncludeOption, SkipOption

if TYPE_CHECKING:
    from rich.console import Console

    from ...results.store import Store
    from ..config import RunConfig
    from ..plan import Plan


def run(
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoders, comma-separated: names of `ls encoders`, timm:NAME, hf:ORG/NAME, a folder of `pretrain`, "
            "or NAME=PATH of a checkpoint."
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Tasks, comma-separated: names of `ls tasks`.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Folder of the dataset, TASK=PATH,TASK=PATH, or phantom[:n=600,size=128,seed=1]."),
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Folder for the records.  (default: cxrbench-results)")] = None,
    fractions: Annotated[str | None, typer.Option(help="Per cent of the training patients, such as 1,10,50.")] = None,
    replicates: Annotated[int | None, typer.Option(help="Random draws a fraction.")] = None,
    variant: Annotated[str | None, typer.Option(help="Versions of the task, comma-separated.")] = None,
    protocol: Annotated[str | None, typer.Option(help="frozen (probe on fixed features) or finetune.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings of a paper, by name; the task's TOML has them.")] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: training.lr=1e-4.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Fine-tuning trials at a time.  (default: 1)")] = None,
    splits: Annotated[
        Path | None, typer.Option(help="Use the splits of this file (`data splits export`) instead of drawing them.")
    ] = None,
    skip_unreadable: SkipOption = False,
    hash_ids: Annotated[
        str | None,
        typer.Option(
            metavar="SALT",
            help="Store ids hashed with this secret text (8 or more characters).",
        ),
    ] = None,
    include: IncludeOption = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded images and features.")] = None,
    config: Annotated[Path | None, typer.Option(help="Configuration file.  (default: cxrbench.toml)")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the trials and what they may cost.")] = False,
) -> None:
    """Run encoders over tasks; finished trials are never run again.

    The same command goes on where an earlier one stopped, whatever stopped it.
    """
    from ...results.store import Store
    from ..config import parse_data, parse_fractions, parse_list, run_config

    settled = run_config(
        {
            "encoders": parse_list("--encoder", encoder),
            "tasks": parse_list("--task", task),
            "data": parse_data(data),
            "store": store,
            "cache": cache,
            "fractions": parse_fractions(fractions),
            "replicates": replicates,
            "variants": parse_list("--variant", variant),
            "protocol": protocol,
            "preset": preset,
            "jobs": jobs,
            "splits": splits,
            "skip_unreadable": skip_unreadable or None,
            "hash_ids": hash_ids,
            "include": include,
        },
        assign or (),
        config,
    )
    _run(settled, Store(settled.store), dry_run)


def _run(config: RunConfig, store: Store, dry_run: bool) -> None:
    from rich.console import Console

    from ...foundation.progress import progress_for_terminal
    from ..executor import execute
    from ..plan import make_plan

    console = Console(stderr=True)
    progress = progress_for_terminal()
    if store.path.exists() and not store.path.is_dir():
        raise UserError(f"--store {store.path} is a file; name a folder")
    try:
        plan = make_plan(config, store, progress)
    except KeyboardInterrupt:
        raise _InterruptedError("interrupted while planning; nothing was run") from None
    if dry_run:
        _show_plan(plan, store, Console())
        return
    store.writable()
    done = len(plan.trials) - len(plan.pending)
    _announce(plan, done, console)
    if not plan.pending:
        store.tidy()
        return
    try:
        failures = execute(config, plan, store, progress)
    except KeyboardInterrupt:
        kept = sum(store.has(each.place) for each in plan.trials)
        raise _InterruptedError(
            f"interrupted; {kept} of {len(plan.trials)} trials are in {store.path}, the same command goes on there"
        ) from None
    store.tidy()
    if failures:
        raise UserError("\n".join(dict.fromkeys(failures)))
    console.print(f"{_trials(len(plan.pending))} done. See: cxrbench table --store {store.path}", highlight=False)


class _InterruptedError(UserError):
    exit_code = 130


def _announce(plan: Plan, done: int, console: Console) -> None:
    from ...data.tables import first_three

    synthetic = any(group.data.radiographs.synthetic for group in plan.groups)
    total = len(plan.trials)
    words = f"{_trials(total)}, {done} done before" if done else _trials(total)
    if done == total:
        words += ": nothing to run"
    console.print(words + (" (synthetic phantom data)" if synthetic else ""), highlight=False)
    for data in {id(group.data): group.data for group in plan.groups}.values():
        left_out = data.radiographs.left_out
        if left_out is not None:
            # Where ids are private, none is shown.
            shown = "" if data.salt else f": {first_three(left_out['sample_id'])}"
            console.print(
                f"{data.radiographs.dataset}: {len(left_out)} left out (--skip-unreadable){shown}", markup=False
            )


def _trials(number: int) -> str:
    return f"{number} trial{'' if number == 1 else 's'}"


def _show_plan(plan: Plan, store: Store, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..cost import cost_in_seconds, time_one_image

    console.print(f"Plan into {store.path}", style="bold", highlight=False, markup=False)
    shown = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("encoder", "task", "variant", "protocol", "fractions (%)"):
        shown.add_column(column, overflow="fold")
    for column in ("trials", "done", "to run"):
        shown.add_column(column, justify="right")
    for group in plan.groups:
        one = group.trials[0].trial
        counts: dict[float, int] = {}
        for each in group.trials:
            counts[each.trial.fraction] = counts.get(each.trial.fraction, 0) + 1
        draws = ", ".join(f"{fraction:g} x {count}" for fraction, count in counts.items())
        done = len(group.trials) - len(group.pending)
        cells = (one.encoder, one.task, one.variant, one.protocol, draws)
        shown.add_row(*map(Text, cells), str(len(group.trials)), str(done), str(len(group.pending)))
    console.print(shown)
    data = {group.data.radiographs.root: group.data.radiographs for group in plan.groups}
    for radiographs in data.values():
        kind = ", synthetic phantom" if radiographs.synthetic else ""
        console.print(f"{radiographs.dataset}: {len(radiographs)} images are used{kind}", highlight=False)
    seconds = cost_in_seconds(plan, time_one_image)
    console.print(
        f"{len(plan.pending)} of {len(plan.trials)} trials to run; about {_duration(seconds)} of passes through the "
        "networks on this machine at most (early stopping and cached features make it less), and the probes",
        highlight=False,
    )


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
