"""What every dataset must keep to, ours and plug-ins alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .image_reading import read_image
from .radiographs import SAMPLE_COLUMNS, SPLITS, Radiographs
from .source import Source, load
from .splits import DrawKey, draw_split

FEW = 8


def check_dataset(name: str, source: Source, root: Path) -> Radiographs:
    """Read `source` from `root` and hold it to the contract of `Radiographs`.

    Raises AssertionError with the first thing that is wrong; returns what was read.
    """
    for word in ("title", "licence", "citation"):
        assert getattr(source.card, word).strip(), f"{name}: no {word} on its card"
    assert source.name == name, f"{name}: registered under another name than its own, {source.name}"
    radiographs = load(name, root)
    assert radiographs.labels, f"{name}: no labels"
    same = not source.labels or radiographs.labels == source.labels
    assert same, f"{name}: labels {radiographs.labels}, the source says {source.labels}"
    _check_samples(name, radiographs)
    _check_labels(name, radiographs)
    again = load(name, root)
    assert radiographs.samples.equals(again.samples), f"{name}: two reads of the same folder differ"
    split = draw_split(radiographs, DrawKey(name, 1, 0), 100, 0.1)
    assert len(split.train), f"{name}: no training images"
    for path in radiographs.samples["path"].iloc[:FEW]:
        image = read_image(root / path)
        assert image.ndim == 2, f"{name}: {path} has shape {image.shape}"
    return radiographs


def _check_samples(name: str, radiographs: Radiographs) -> None:
    samples = radiographs.samples
    lacking = [column for column in (*SAMPLE_COLUMNS, *radiographs.labels) if column not in samples]
    assert not lacking, f"{name}: samples lack {', '.join(lacking)}"
    assert radiographs.dataset == name, f"{name}: Radiographs.dataset says {radiographs.dataset}"
    assert len(samples), f"{name}: no samples"
    assert samples["sample_id"].is_unique, f"{name}: sample_id is not unique"
    for column in SAMPLE_COLUMNS:
        assert all(isinstance(value, str) for value in samples[column]), (
            f"{name}: {column} holds something that is no text"
        )
    assert set(samples["split"]) <= set(SPLITS), f"{name}: splits {set(samples['split'])}, known are {SPLITS}"
    assert set(samples["view"]) <= {"frontal", "lateral", "unknown"}, f"{name}: unknown views {set(samples['view'])}"
    absolute = samples["path"].str.startswith("/").any()
    assert not absolute, f"{name}: paths must be relative to the root, so that a copy elsewhere is the same dataset"


def _check_labels(name: str, radiographs: Radiographs) -> None:
    targets = radiographs.targets()
    values = set(np.unique(targets[~np.isnan(targets)]))
    within = all(value == -1.0 or 0.0 <= value <= 1.0 for value in values)
    assert within, f"{name}: label values {sorted(values)}; use 1, 0, -1, NaN, and shares of readers between 0 and 1"
    if radiographs.exclusive:
        assert ((targets == 1).sum(axis=1) == 1).all(), f"{name}: exclusive, but some rows have not exactly one label"
