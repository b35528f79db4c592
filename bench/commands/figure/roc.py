"""`cxrbench figure roc`: ROC curves of several encoders."""

from __future__ import annotations

from typing import Annotated

import typer

from ..options import IncludeOption, ProtocolOption, SettingsOption, StoreOption
from .options import EncoderOption, FractionOption, OutOption, TaskOption, VariantOption


def roc(
    task: TaskOption,
    out: OutOption,
    label: Annotated[
        str | None, typer.Option(help="One label or class, against the rest.  (default: the mean over them)")
    ] = None,
    fraction: FractionOption = None,
    encoder: EncoderOption = None,
    protocol: ProtocolOption = None,
    variant: VariantOption = None,
    settings: SettingsOption = None,
    store: StoreOption = None,
    include: IncludeOption = None,
) -> None:
    """Draw ROC curves on the test images, averaged over replicates, with AUC and 95 % interval."""
    from ....foundation.progress import progress_for_terminal
    from ....results.figures.export import figure_files
    from ....results.figures.roc import draw_roc
    from ....results.figures.roc_lines import averaged_over, roc_lines
    from .options import save
    from .shown_trials import shown_trials

    files = figure_files(out)
    trials = shown_trials(task, encoder, protocol, variant, settings, fraction, store, include)
    predictions = {name: [trials.store.predictions(each) for each in trials.of(name)] for name in trials.encoders}
    lines = roc_lines(trials.task, predictions, trials.fraction / 100, label, progress_for_terminal())
    one = predictions[trials.encoders[0]][0]
    figure = draw_roc(
        lines,
        trials.names(),
        title=trials.title if label is None else f"{trials.title}; {label}",
        synthetic=trials.synthetic,
        notes=averaged_over(trials.task, one, label),
    )
    save(figure, files)
