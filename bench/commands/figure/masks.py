"""`cxrbench figure masks`: true masks and decisions on the same test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def masks(
    task: TaskOption,
    out: OutOption,
    data: ShownDataOption = None,
    encoder: EncoderOption = None,
    sample: SampleOption = None,
    images: ImagesOption = None,
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
    """Draw true masks and decisions of several encoders on the same test images, with the Dice of each."""
    from ....foundation.progress import progress_for_terminal
    from ....results.figures.export import figure_files
    from ....results.figures.masks import COLUMNS, draw_masks
    from .options import save
    from .shown_images import Asked, shown_panels
    from .shown_trials import shown_trials

    files = figure_files(out)
    trials = shown_trials(task, encoder, protocol, variant, settings, fraction, store, include)
    asked = Asked(sample, images, replicate, data, preset, assign, cache, include)
    panels = shown_panels(asked, trials, COLUMNS, _has_mask, progress_for_terminal())
    figure = draw_masks(
        panels.images,
        panels.rows,
        panels.names,
        panels.predictions,
        panels.results,
        title=trials.title,
        synthetic=trials.synthetic,
        notes=panels.notes,
    )
    save(figure, files)


def _has_mask(predictions: Predictions) -> np.ndarray:
    # One count is one run of zeros; with two or more there is a run of ones.
    return predictions.table["truth"].str.contains(" ").to_numpy()
