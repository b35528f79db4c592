"""`cxrbench figure detections`: true boxes and detections on the same test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..options import (
    AssignOption,
    CacheOption,
    IncludeOption,
    PresetOption,
    ProtocolOption,
    SettingsOption,
    StoreOption,
)
from .options import (
    EncoderOption,
    FractionOption,
    ImagesOption,
    OutOption,
    ReplicateOption,
    SampleOption,
    ShownDataOption,
    TaskOption,
    VariantOption,
)

if TYPE_CHECKING:
    import numpy as np

    from ....tasks.predictions import Predictions


def detections(
    task: TaskOption,
    out: OutOption,
    data: ShownDataOption = None,
    encoder: EncoderOption = None,
    sample: SampleOption = None,
    images: ImagesOption = None,
    score: Annotated[float, typer.Option(help="Least score of a detection that is drawn.")] = 0.3,
    fraction: FractionOption = None,
    replicate: ReplicateOption = None,
    protocol: ProtocolOption = None,
    variant: VariantOption = None,
    settings: SettingsOption = None,
    preset: PresetOption = None,
    assign: AssignOption = None,
    store: StoreOption = None,
    cache: CacheOption = None,
    include: IncludeOption = None,
) -> None:
    """Draw true boxes and detections of several encoders on the same test images, which no result chooses."""
    from ....foundation.errors import UserError
    from ....foundation.progress import progress_for_terminal
    from ....results.figures.detections import COLUMNS, draw_detections
    from ....results.figures.export import figure_files
    from .options import save
    from .shown_images import Asked, shown_panels
    from .shown_trials import shown_trials

    files = figure_files(out)
    if not 0 <= score <= 1:
        raise UserError(f"--score {score:g}: scores lie between 0 and 1")
    progress = progress_for_terminal()
    trials = shown_trials(task, encoder, protocol, variant, settings, fraction, store, include)
    asked = Asked(sample, images, replicate, data, preset, assign, cache, include)
    panels = shown_panels(asked, trials, COLUMNS, _has_box, progress)
    figure = draw_detections(
        panels.images,
        panels.rows,
        panels.names,
        panels.predictions,
        panels.results,
        title=trials.title,
        least_score=score,
        synthetic=trials.synthetic,
        notes=panels.notes,
    )
    save(figure, files)


def _has_box(predictions: Predictions) -> np.ndarray:
    return (predictions.table["truth"].map(len) > 0).to_numpy()
