"""`cxrbench figure fractions`: learning curves."""

from __future__ import annotations

from typing import Annotated

import typer

from ..options import IncludeOption, ProtocolOption, SettingsOption, StoreOption
from .options import EncoderOption, OutOption, TaskOption, VariantOption


def fractions(
    task: TaskOption,
    out: OutOption,
    metric: Annotated[str | None, typer.Option(help="Metric instead of the task's main one.")] = None,
    encoder: EncoderOption = None,
    protocol: ProtocolOption = None,
    variant: VariantOption = None,
    settings: SettingsOption = None,
    store: StoreOption = None,
    include: IncludeOption = None,
) -> None:
    """Draw a metric against the fraction of training patients: a line an encoder, a band of one SD over replicates."""
    from ....results.figures.export import figure_files
    from ....results.figures.fractions import draw_fractions, learning_curves
    from ....results.figures.shown_records import in_order, shown_records
    from ....results.figures.titles import trials_in_words
    from ....results.table import tables
    from ....tasks.registry import tasks
    from ...config import parse_list
    from ..stored import stored_records
    from .options import save

    files = figure_files(out)
    encoders, hashes = parse_list("--encoder", encoder), parse_list("--settings", settings) or ()
    shown_protocol = None if protocol is None else protocol.value
    records = shown_records(stored_records(store, include, task)[1], encoders, shown_protocol, variant, hashes)
    meta = tasks.get(task).meta
    metric = metric or meta.main_metric
    (table,) = tables(records, {task: metric})
    words = tasks.get(task).about(metric)
    figure = draw_fractions(
        learning_curves(table, in_order(records, encoders)),
        metric,
        title=trials_in_words(meta.title, table.variant, table.protocol),
        higher_is_better=meta.higher_is_better(metric),
        synthetic=table.synthetic,
        notes=[f"{words[:1].upper()}{words[1:]}."] if words else [],
    )
    save(figure, files)
