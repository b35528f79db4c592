"""`cxrbench encoders inspect`: what a file with weights is, and whether its normalisation fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import IncludeOption
from .numbers import ArchOption, LikeOption, MeanOption, StdOption, parse_numbers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ....pretrain.inspecting import Inspection
    from ....pretrain.normalisation_check import NormalisationCheck
    from ....pretrain.zoo_entry import ZooEntry

DOES_NOT_FIT = 1
# Candidates that are shown; the stated one always is.
_MOST = 5
_MOST_NAMES = 6


def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Checkpoint, or a folder that `cxrbench pretrain` wrote.")
    ],
    arch: ArchOption = None,
    like: LikeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    include: IncludeOption = None,
) -> None:
    """Say what a file with weights is: layout, architecture, channels, what is loaded and what is not.

    Then phantom images pass through its first layers: where what reaches the batch normalisations is far from what
    their running statistics expect, the normalisation is wrong, and the one that fits best is named. Nothing in the
    file is run. Exit code 1 where it does not fit its architecture.
    """
    from ....foundation.files import expanded
    from ....foundation.registry import include as include_file
    from ....pretrain.inspecting import inspect_weights
    from ..written import output_console

    for each in include or []:
        include_file(each)
    path, entry = _file_and_entry(expanded(file), like)
    found = inspect_weights(
        path,
        arch=arch or "",
        mean=parse_numbers("--mean", mean),
        std=parse_numbers("--std", std, above_zero=True),
        entry=entry,
    )
    console = output_console()
    _print_file(found, _published(found, entry), console)
    _print_match(found, console)
    if found.check is not None:
        _print_check(found.check, console)
    if not found.fits:
        raise typer.Exit(DOES_NOT_FIT)


def entry_of(name: str) -> ZooEntry:
    """What the zoo says about `name`. Raises UserError where it is a plug-in or unknown."""
    from ....foundation.errors import UserError
    from ....pretrain.source import encoders
    from ....pretrain.zoo_entry import ZooSource

    source = encoders.get(name)
    if not isinstance(source, ZooSource):
        raise UserError(f"--like {name}: a plug-in, which is not described by a TOML; give --arch, --mean and --std")
    return source.entry


def _file_and_entry(path: Path, like: str | None) -> tuple[Path, ZooEntry | None]:
    from ....foundation.errors import UserError
    from ....pretrain.specs import DESCRIPTION, description_in
    from ....pretrain.weights_files import require_weights
    from ....pretrain.zoo_entry import read_zoo_entry

    if not path.is_dir():
        return path, entry_of(like) if like else None
    described = description_in(path)
    if described is None:
        raise UserError(f"{path}: a folder without {DESCRIPTION}; name a file with weights")
    entry = read_zoo_entry(described).entry
    if entry.weights is None:
        raise UserError(f"{described}: describes random weights; there is no file to look at")
    found = require_weights(entry.weights, path, path.name)
    return found.path, entry_of(like) if like else entry


def _published(found: Inspection, entry: ZooEntry | None) -> list[tuple[str, str]]:
    """What is known of the hash that its authors publish."""
    from ....pretrain.weights_files import doubt_of

    if entry is None or entry.weights is None:
        return []
    kind, known = entry.weights.published
    if not kind:
        return [("published", "no hash, so nothing can say whether this is the file of the authors")]
    other = doubt_of(entry.weights, found.path)
    words = f"ANOTHER hash: {kind} {known}; records would be marked unverified" if other else f"the same hash ({kind})"
    return [("published", words)]


def _print_file(found: Inspection, published: list[tuple[str, str]], console: Console) -> None:
    from ....pretrain.normalisation_check import pair_in_words

    kind = "safetensors" if found.safetensors else "written by torch.save; read without running anything"
    console.print(str(found.path), style="bold", highlight=False, markup=False, soft_wrap=True)
    rows = [
        ("file", f"{found.size / 1e6:,.1f} MB, {kind}"),
        ("SHA-256", found.sha256),
        *published,
        ("holds", f"{found.tensors} tensors, {found.numbers:,} numbers"),
    ]
    if found.says:
        about = (str(found.says.get(key, "not stated")) for key in ("trained_on", "licence"))
        rows.append(("says", ", licence ".join(about)))
    channels = f"{found.channels} channel{'s' * (found.channels > 1)}"
    rows += [
        ("layout", found.match.fit.layout),
        ("arch", f"{found.arch} ({found.arch_from}), {channels}"),
        (
            "input",
            f"{pair_in_words(found.mean, found.std)}, {found.input_size} pixels ({found.normalisation_from})",
        ),
    ]
    _print_rows(rows, console)


def _print_match(found: Inspection, console: Console) -> None:
    from ....pretrain.key_maps import summary

    fit = found.match.fit
    rows = [("loaded", f"{len(fit.names)} tensors")]
    if fit.left_out:
        rows.append(("left out", f"{len(fit.left_out)} tensors: {summary(fit.left_out)}"))
    for words, names in found.match.problems.items():
        shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        rows.append((words, f"{len(names)}: {shown}"))
    _print_rows(rows, console)
    if found.fits:
        console.print("fits: all weights of the network are in the file", style="green", highlight=False)
    else:
        console.print(
            "DOES NOT FIT: it would not be loaded; another --arch, or another file", style="red", highlight=False
        )


def _print_check(check: NormalisationCheck, console: Console) -> None:
    dim, mean, sd, dead = check.features
    console.print()
    console.print("On synthetic radiographs", style="bold")
    still = f"; {dead} of them are the same for all images" if dead else ""
    _print_rows([("features", f"{dim}, mean {mean:.3g}, SD {sd:.3g}{still}")], console)
    if check.reason:
        console.print(f"normalisation not checked: {check.reason}", style="yellow", highlight=False)
        return
    console.print(_layers(check))
    console.print()
    console.print(_candidates(check))
    console.print()
    if check.warning:
        console.print(f"WARNING: {check.warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    else:
        console.print("the normalisation fits the weights", style="green", highlight=False)
    console.print(
        "Contrast: SD before a batch normalisation over the one that its running statistics expect; 1 is right. Shift: "
        "distance of the means in SDs. Medians over channels. Another kind of image moves them a little, another scale "
        "far.",
        style="dim",
        highlight=False,
    )


def _layers(check: NormalisationCheck) -> Table:
    shown = _table(("first batch normalisations", "contrast", "shift"))
    for layer in check.layers:
        shown.add_row(layer.name, f"{layer.contrast:.3g}", f"{layer.shift:.2f}")
    return shown


def _candidates(check: NormalisationCheck) -> Table:
    from rich.text import Text

    from ....pretrain.normalisation_check import pair_in_words

    shown = _table(("normalisation, best first", "contrast", "shift"), ("", ""))
    for place, each in enumerate(check.candidates):
        if place >= _MOST and not each.stated:
            continue
        here = "<- stated" if each.stated else ""
        words = Text.assemble(each.words, (f"  {pair_in_words(each.mean, each.std)}", "dim"))
        numbers = f"{each.first.contrast:.3g}", f"{each.first.shift:.2f}"
        shown.add_row(words, *numbers, here, style="bold" if each.stated else "")
    return shown


def _table(titles: tuple[str, str, str], more: tuple[str, ...] = ()) -> Table:
    from rich.table import Table

    shown = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column(titles[0], overflow="fold")
    for title in titles[1:]:
        shown.add_column(title, justify="right", no_wrap=True)
    if more:
        shown.add_column("", no_wrap=True)
    return shown


def _print_rows(rows: list[tuple[str, str]], console: Console) -> None:
    from rich.text import Text

    for name, words in rows:
        # Texts, not strings: nothing in a name is markup.
        console.print(Text.assemble((f"  {name:<18}", "dim"), words), soft_wrap=True)
