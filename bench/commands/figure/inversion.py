"""`cxrbench figure inversion`: images rebuilt by a generator, and what is left."""

from __future__ import annotations

from ..options import CacheOption, IncludeOption, ProtocolOption, SettingsOption, StoreOption
from .options import (
    EncoderOption,
    FractionOption,
    MadeImagesOption,
    OutOption,
    ReplicateOption,
    SampleOption,
    TaskOption,
    VariantOption,
)


def inversion(
    task: TaskOption,
    out: OutOption,
    encoder: EncoderOption = None,
    sample: SampleOption = None,
    images: MadeImagesOption = None,
    fraction: FractionOption = None,
    replicate: ReplicateOption = None,
    protocol: ProtocolOption = None,
    variant: VariantOption = None,
    settings: SettingsOption = None,
    store: StoreOption = None,
    cache: CacheOption = None,
    include: IncludeOption = None,
) -> None:
    """Draw test images, what each encoder's inversion rebuilt of them, and the residuals with one scale of colours."""
    from ....results.figures.export import figure_files
    from ....results.figures.made_images import INVERSION
    from .options import save
    from .shown_made_images import AskedMade, made_images_figure
    from .shown_trials import shown_trials

    files = figure_files(out)
    trials = shown_trials(task, encoder, protocol, variant, settings, fraction, store, include)
    save(made_images_figure(AskedMade(sample, images, replicate, cache), trials, INVERSION), files)
