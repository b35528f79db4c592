"""`cxrbench data cache`: what lies in the cache folder; list it, check it, remove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ....data.cache_folders import CacheEntry

app = typer.Typer(help="What lies in the cache folder: list it, check it, remove it.", no_args_is_help=True)

CacheOption = Annotated[
    Path | None, typer.Option(help="Cache folder.  (default: that of cxrbench.toml, else the user's)")
]
KindOption = Annotated[
    str | None, typer.Option(metavar="KIND", help="Only images, features, phantoms, ... or building (half there).")
]
KeysArgument = Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Names, or their beginnings.")]
OlderOption = Annotated[
    float | None, typer.Option("--older-than", metavar="DAYS", min=0, help="Only what was made so many days ago.")
]


@app.command("ls")
def list_entries(kind: KindOption = None, older_than: OlderOption = None, cache: CacheOption = None) -> None:
    """List what the cache holds: kind, key, what it was made from, size, age."""
    from ....data.cache_folders import cache_entries, chosen
    from ..written import output_console

    folder = _folder(cache)
    console = output_console()
    entries = chosen(cache_entries(folder), kind=kind, older_than=older_than)
    if entries:
        console.print(_table(entries))
    console.print(_summary(folder, entries), style="dim", soft_wrap=True, highlight=False, markup=False)


@app.command()
def verify(keys: KeysArgument = None, kind: KindOption = None, cache: CacheOption = None) -> None:
    """Read every byte and compare it with its checksum; exit 1 where one has changed."""
    from ....data.cache_folders import cache_entries, chosen
    from ....foundation.errors import RefusedError
    from ....foundation.progress import progress_for_terminal

    folder, progress = _folder(cache), progress_for_terminal()
    entries = chosen(cache_entries(folder), tuple(keys or ()), kind)
    whole = [entry for entry in entries if entry.has_checksums]
    damaged: dict[CacheEntry, list[str]] = {}
    with progress.step("checking the cache (MB)", sum(_megabytes(entry.size) for entry in whole)) as step:
        for entry in whole:
            read = 0
            for size, wrong in entry.damage():
                if wrong:
                    damaged.setdefault(entry, []).append(wrong)
                before, read = read, read + size
                step.advance(_megabytes(read) - _megabytes(before), str(entry)[:24])
    rest = len(entries) - len(whole)
    skipped = f"; {rest} not checked: phantoms and what is half there have no checksums" if rest else ""
    if damaged:
        lines = [f"{entry}: {_shown(wrong)}" for entry, wrong in damaged.items()]
        names = " ".join(str(entry) for entry in damaged)
        place = f" --cache {cache}" if cache is not None else ""
        raise RefusedError(
            "\n".join([f"{len(damaged)} of {len(whole)} entries of {folder} are damaged{skipped}", *lines])
            + f"\nremove them, and they are made again when needed: cxrbench data cache rm {names}{place}"
        )
    total = sum(entry.size for entry in whole)
    typer.echo(f"{folder}: {len(whole)} entries, {_size(total)}, every byte as it was written{skipped}")


@app.command("rm")
def remove_entries(
    keys: KeysArgument = None,
    kind: KindOption = None,
    older_than: OlderOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that `ls` lists.")] = False,
    cache: CacheOption = None,
) -> None:
    """Remove what can be made again, without asking; what is being made right now stays."""
    from ....data.cache_folders import cache_entries, chosen, remove
    from ....foundation.errors import RefusedError, UserError

    named = tuple(keys or ())
    if not (named or kind or older_than is not None or everything):
        raise UserError("nothing named to remove: give keys, --kind KIND, --older-than DAYS or --all")
    if everything and (named or kind or older_than is not None):
        raise UserError("--all removes everything; leave it away to remove what the other options name")
    folder = _folder(cache)
    freed, removed, refused = 0, 0, []
    for entry in chosen(cache_entries(folder), named, kind, older_than):
        try:
            remove(folder, entry)
        except RefusedError as error:
            refused.append(str(error))
            continue
        freed, removed = freed + entry.size, removed + 1
        typer.echo(f"removed {entry}  {_size(entry.size)}  {entry.about}".rstrip())
    typer.echo(f"{folder}: {removed} {'entry' if removed == 1 else 'entries'} removed, {_size(freed)} freed")
    if refused:
        raise RefusedError("\n".join(refused))


def _folder(cache: Path | None) -> Path:
    from ....foundation.errors import UserError
    from ...config import run_config

    folder = run_config({"cache": cache}, needs_grid=False).cache
    if cache is not None and not folder.is_dir():
        raise UserError(f"--cache {cache}: no such folder")
    return folder


def _table(entries: list[CacheEntry]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("kind", no_wrap=True)
    grid.add_column("key", overflow="ellipsis", no_wrap=True, min_width=8, max_width=40)
    grid.add_column("made from", overflow="fold", ratio=1)
    grid.add_column("size", justify="right", no_wrap=True)
    grid.add_column("age", justify="right", no_wrap=True)
    for number, entry in enumerate(entries):
        last = number + 1 == len(entries) or entries[number + 1].kind != entry.kind
        first = number == 0 or entries[number - 1].kind != entry.kind
        about = Text(entry.about)
        if entry.building:
            about = Text.assemble(("half there  ", "yellow"), about)
        cells = Text(entry.kind if first else "", style="bold"), Text(entry.key, style="cyan"), about
        grid.add_row(*cells, Text(_size(entry.size)), Text(_age(entry.days), style="dim"), end_section=last)
    return grid


def _summary(folder: Path, entries: list[CacheEntry]) -> str:
    import shutil

    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.kind] = sums.get(entry.kind, 0) + entry.size
    parts = ", ".join(f"{kind} {_size(size)}" for kind, size in sums.items())
    shown = f"{_size(sum(sums.values()))} ({parts})" if entries else "nothing"
    try:
        return f"{folder}: {shown}; {_size(shutil.disk_usage(folder).free)} free on its disk"
    except OSError:
        return f"{folder}: {shown}"


def _shown(wrong: list[str]) -> str:
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")


def _megabytes(size: int) -> int:
    return round(size / 1e6)


def _size(size: int) -> str:
    if size < 1e6:
        return f"{size / 1e3:,.1f} kB"
    return f"{size / 1e6:,.1f} MB" if size < 1e10 else f"{size / 1e9:,.1f} GB"


def _age(days: float) -> str:
    if days >= 2:
        return f"{days:.0f} days"
    hours = days * 24
    return f"{hours:.0f} h" if hours >= 2 else f"{max(hours, 0) * 60:.0f} min"
