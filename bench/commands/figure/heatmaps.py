"""`cxrbench figure heatmaps`: where fine-tuned encoders look, and how often that is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ....foundation.errors import UserError
from ..options import AssignOption, CacheOption, IncludeOption, PresetOption, SkipOption, StoreOption
from .options import OutOption

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...heatmaps import HeatmapRequest, HeatmapsOfTrials

Given = TypeVar("Given")

MOST_IMAGES = 20


def heatmaps(
    task: Annotated[str, typer.Option(help="Classification task of a dataset with boxes: nih14, vindr.")],
    encoder: Annotated[str, typer.Option(help="Encoders, comma-separated, in this order; as in `run`.")],
    out: OutOption,
    data: Annotated[str | None, typer.Option(help="Folder of its dataset, or phantom[:n=600,size=128,seed=1].")] = None,
    fraction: Annotated[str, typer.Option(help="Per cent of the training patients.")] = "1",
    replicate: Annotated[int, typer.Option(min=0, max=999, help="Which random draw.")] = 0,
    variant: Annotated[str | None, typer.Option(help="Version of the task.  (default: its first)")] = None,
    label: Annotated[
        str | None, typer.Option(help="Only boxes of these labels, comma-separated.  (default: all)")
    ] = None,
    images: Annotated[int, typer.Option(min=1, max=MOST_IMAGES, help="Images to show.")] = 4,
    tolerance: Annotated[float, typer.Option(min=0, help="Pixels beside a box that still count as in it.")] = 0.0,
    numbers: Annotated[Path | None, typer.Option(help="CSV file of the scores of every label.")] = None,
    preset: PresetOption = None,
    assign: AssignOption = None,
    splits: Annotated[Path | None, typer.Option(help="Use the splits of this file instead of drawing them.")] = None,
    skip_unreadable: SkipOption = False,
    store: StoreOption = None,
    cache: CacheOption = None,
    include: IncludeOption = None,
    config: Annotated[Path | None, typer.Option(help="Configuration file.  (default: cxrbench.toml)")] = None,
) -> None:
    """Draw Grad-CAM heatmaps of encoders fine-tuned on a few patients, with their pointing-game score over all boxes.

    The trials are those of `run` with --protocol finetune. A record keeps no weights, so each is trained again, once,
    and its network stays in the cache. Where the store has a record of it, both are compared. Nobody picks the images.
    """
    from ....foundation.progress import progress_for_terminal
    from ....results.figures.export import figure_files
    from ....results.pointing_numbers import as_csv
    from ...config import parse_data, parse_fractions, parse_list, run_config
    from ...heatmaps import HeatmapRequest, heatmaps_of_trials
    from ..written import refuse_unwritable, write
    from .options import save

    files = figure_files(out)
    refuse_unwritable("--numbers", numbers)
    per_cent = _single("--fraction", parse_fractions(fraction, "--fraction")) or (1.0,)
    settled = run_config(
        {
            "encoders": parse_list("--encoder", encoder),
            "tasks": _single("--task", parse_list("--task", task)),
            "data": parse_data(data),
            "store": store,
            "cache": cache,
            "variants": _single("--variant", parse_list("--variant", variant)),
            "protocol": "finetune",
            "preset": preset,
            "splits": splits,
            "skip_unreadable": skip_unreadable or None,
            "include": include,
        },
        assign or (),
        config,
    )
    request = HeatmapRequest(
        fraction=per_cent[0],
        replicate=replicate,
        labels=parse_list("--label", label) or (),
        images=images,
        tolerance=tolerance,
    )
    found = heatmaps_of_trials(settled, request, progress_for_terminal())
    save(_figure(found, request), files)
    if numbers is not None:
        write(as_csv(found.numbers, _about(found, request)), numbers)


def _single(option: str, given: tuple[Given, ...] | None) -> tuple[Given, ...] | None:
    """`given` as it is. Raises UserError for more than one."""
    if given is not None and len(given) > 1:
        raise UserError(f"{option}: a figure shows one, not {len(given)}; draw one figure each")
    return given


def _figure(found: HeatmapsOfTrials, request: HeatmapRequest) -> Figure:
    from ....results.figures.heatmaps import draw_heatmaps
    from ....results.figures.titles import trials_in_words

    trial, mean, meta = found.trials[0].trial, found.mean, found.data.task.meta
    labels = [row.label for row in found.numbers if row.encoder == mean.encoder][:-2]
    over = f"mean over {len(labels)} labels" if len(labels) > 1 else labels[0].replace("_", " ")
    tolerance = f" or at most {request.tolerance:g} pixels beside it" if request.tolerance else ""
    notes = [
        f"Pointing game: share of maps whose maximum lies in a box of the label{tolerance}; {over}, all {mean.cases} "
        f"boxed pairs of test image and label, {mean.patients} patients. Below it: 95 % interval.",
        f"Replicate {trial.replicate}. Images in the order of a hash of their ids.",
        *_silent(found),
    ]
    return draw_heatmaps(
        found.shown,
        found.columns,
        mean.chance,
        title=trials_in_words(meta.title, trial.variant, trial.protocol, trial.fraction),
        synthetic=found.data.radiographs.synthetic,
        notes=notes,
    )


def _silent(found: HeatmapsOfTrials) -> list[str]:
    """How many maps of each encoder hold nothing for the label: such a score says little."""
    totals = {row.encoder: row for row in found.numbers if row.label == found.mean.label}
    silent = {name: row.cases - row.for_label for name, row in totals.items() if row.for_label < row.cases}
    words = ", ".join(f"{count} of {totals[name].cases} of {name}" for name, count in silent.items())
    return [f"Nothing in the image speaks for the label in maps: {words}."] if silent else []


def _about(found: HeatmapsOfTrials, request: HeatmapRequest) -> dict[str, object]:
    """Columns that are the same in every line of the numbers."""
    trial, radiographs = found.trials[0].trial, found.data.radiographs
    return {
        "task": trial.task,
        "variant": trial.variant,
        "fraction": trial.fraction,
        "replicate": trial.replicate,
        "dataset": radiographs.dataset,
        "synthetic": radiographs.synthetic,
        "tolerance": request.tolerance,
    }
