"""`cxrbench pretrain`: an encoder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...foundation.errors import UserError
from .options import CacheOption, IncludeOption

if TYPE_CHECKING:
    from rich.console import Console

    from ...pretrain.running.plan import Plan
    from ...pretrain.running.pretraining import Finished, Prepared


def pretrain(
    method: Annotated[str, typer.Option(help="Method: a name of `ls methods`.")],
    data: Annotated[
        str,
        typer.Option(
            help="Images: DATASET=FOLDER, a folder, or a list of images, several with commas between; "
            "or phantom[:n=600,size=128,seed=1], DATASET=phantom."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the encoder; --encoder takes it.")],
    arch: Annotated[
        str | None, typer.Option(help="resnet18 to resnet101, or timm:NAME.  (default: resnet50, or that of --init)")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the images.  (default: the method's)")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step, over all devices.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Side of the views in pixels.")] = None,
    ifa: Annotated[
        str | None,
        typer.Option(metavar="BLOCKS", help="Add the IFA loss: 3, or 1,3, or BLOCK:TARGET:WEIGHT, or ifa_released."),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(help="Start from this: a folder of `pretrain` (heads and queue too), an encoder, a checkpoint."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was interrupted in --out.")] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="TASK=FOLDER,...", help="Refuse images that these test on, however they are named."),
    ] = None,
    allow_contamination: Annotated[
        bool, typer.Option("--allow-contamination", help="Train on test images all the same; records will say so.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    name: Annotated[str | None, typer.Option(help="What the encoder is called.  (default: the folder's name)")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: method.temperature=0.1.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings; --set goes before it.")] = None,
    include: IncludeOption = None,
    cache: CacheOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print settings, images, steps and an estimate of the time.")
    ] = False,
) -> None:
    """Pretrain an encoder on images without labels.

    What a task tests on is left out of named datasets. A pretraining that was interrupted goes on with --resume, and
    ends as it would have ended.
    """
    from ...foundation.files import expanded
    from ...foundation.progress import SilentProgress, progress_for_terminal
    from ...foundation.registry import include as include_file
    from ...pretrain.running.plan import Request, make_plan
    from ...pretrain.running.pretraining import prepare, run
    from ...training.torchrun import is_first_process
    from ..pretraining_data import split_entries, training_data
    from ..provenance import provenance
    from .written import output_console

    for file in include or []:
        include_file(file)
    given = {"training.epochs": epochs, "training.batch_size": batch_size, "image_size": image_size, "method.ifa": ifa}
    request = Request(
        method=method,
        out=expanded(out),
        arch=arch,
        init=init or "",
        resume=resume,
        values=_values(given, assign or (), config),
        seed=seed,
        name=name or "",
        licence=licence or "",
    )
    folder = _cache(cache)
    plan = make_plan(request)
    progress = progress_for_terminal() if is_first_process() else SilentProgress()
    console = output_console()
    if _is_done(plan, console):
        return
    tested = split_entries(against) if against else []
    found = training_data(data, tested, allow_contamination=allow_contamination, cache=folder, progress=progress)
    if dry_run:
        _show(plan, sum(map(len, found.radiographs)), found.audit, console)
        return
    prepared = prepare(plan, found.radiographs, folder, progress)
    for sentence in (*found.audit, *_started_from(prepared)):
        progress.say(sentence)
    about = provenance()
    finished = run(prepared, contamination=found.contamination, audit=found.audit, provenance=about, progress=progress)
    if is_first_process():
        _tell(finished, prepared, console)


def _values(given: dict[str, Any], assign: list[str] | tuple[()], config: Path | None) -> dict[str, Any]:
    """Dotted key -> value: of the file, of --set, and of the options that are settings."""
    from ...foundation.settings import flattened, parse_assignment, read_toml

    values = dict(flattened(read_toml(config))) if config is not None else {}
    assigned = dict(parse_assignment(text) for text in assign)
    values.update(assigned)
    for key, value in given.items():
        if value is None:
            continue
        if assigned.get(key, value) != value:
            raise UserError(f"{_option(key)} {value} and --set {key}={assigned[key]} differ; give one of them")
        values[key] = value
    return values


def _option(key: str) -> str:
    return f"--{key.split('.')[-1].replace('_', '-')}"


def _cache(cache: Path | None) -> Path:
    from ..config import run_config

    return run_config({"cache": cache}, needs_grid=False).cache


def _is_done(plan: Plan, console: Console) -> bool:
    """Whether --resume finds a finished folder, which is said."""
    from ...pretrain.running.folder import FolderState
    from ...training.torchrun import is_first_process

    if plan.state is not FolderState.finished:
        return False
    if is_first_process():
        console.print(f"{plan.request.out}: finished; nothing to do", markup=False, highlight=False)
    return True


def _started_from(prepared: Prepared) -> tuple[str, ...]:
    if not prepared.plan.request.init:
        return ()
    taken = ", ".join(prepared.taken) or "nothing"
    drawn = f"; drawn anew: {', '.join(prepared.drawn)}" if prepared.drawn else ""
    return (f"started from {prepared.start.words}", *prepared.start.notes, f"besides the encoder taken: {taken}{drawn}")


def _show(plan: Plan, images: int, audit: tuple[str, ...], console: Console) -> None:
    from json import dumps

    from ...pretrain.running.cost import cost_of
    from ...pretrain.running.settings import shown_settings

    for key, value, origin in shown_settings(plan.request.values, plan.card, plan.settings):
        words = dumps(value, ensure_ascii=False) if value is not None else "none"
        console.print(f"{key} = {words}" + (f"    # {origin}" if origin else ""), markup=False, highlight=False)
    for sentence in audit:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    cost = cost_of(plan, images)
    console.print(
        f"{images:,} images, {cost.steps_per_epoch:,} steps an epoch, {cost.steps:,} in all; "
        f"{cost.parameters:,} parameters, {cost.encoder_parameters:,} of them the encoder's",
        highlight=False,
    )
    console.print(
        f"about {_duration(cost.seconds)} on this machine ({cost.images_per_second:.0f} images/s in one step of "
        f"{cost.timed} images), and the time to decode the images",
        highlight=False,
    )


def _tell(finished: Finished, prepared: Prepared, console: Console) -> None:
    out = finished.out
    synthetic = " (synthetic phantom data)" if prepared.images.synthetic else ""
    lines = (
        f"{out}: {prepared.plan.request.method} on {len(prepared.images):,} images{synthetic}, "
        f"{prepared.steps:,} steps in {_duration(finished.seconds)}, {finished.images_per_second:.0f} images/s",
        f"wrote {', '.join(sorted(each.name for each in out.iterdir() if not each.name.startswith('.')))}",
        f"use it: cxrbench run --encoder {out} --task TASK --data FOLDER",
        f"go on from it: cxrbench pretrain --init {out} ...",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
