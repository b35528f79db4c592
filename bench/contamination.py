"""Whether an encoder saw images of a task's dataset in pretraining."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data import datasets
from ..data.audit import shared_ids

if TYPE_CHECKING:
    import pandas as pd

    from ..data.audit import SharedIds
    from ..data.radiographs import Radiographs
    from ..pretrain.encoder import EncoderMeta


@dataclass(frozen=True)
class Seen:
    """What an encoder is known to have seen.

    Attributes:
        datasets: registered names, the task's own among them where its images were seen.
        notes: sentences for the record: which images, and how that is known.
    """

    datasets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def seen_in_pretraining(meta: EncoderMeta, radiographs: Radiographs) -> Seen:
    """What the encoder's own list of datasets, and its list of pretraining images, say about `radiographs`.

    Datasets that share a source (RSNA and SIIM-ACR took their images from NIH ChestX-ray14) count as seen with it. A
    list of images is looked at image by image: it contaminates a dataset where it holds test images of it,
    or other images of patients that are tested on.

    Raises UserError where the list cannot be read.
    """
    name = radiographs.dataset
    found = list(meta.contamination)
    notes = []
    sources = _with_sources(name)
    for other in meta.contamination:
        shared = sorted(sources & _with_sources(other))
        if other != name and shared:
            notes.append(f"pretrained on {other}, which has images of {', '.join(shared)} in common with {name}")
            found.append(name)
    if meta.pretraining_images is not None:
        listed = shared_ids(radiographs, Path(meta.pretraining_images))
        if listed.images.get("test") or listed.patients.get("test"):
            found.append(name)
        if listed.any:
            notes.append(_in_words(meta, radiographs, listed))
    return Seen(tuple(dict.fromkeys(found)), tuple(notes))


def _in_words(meta: EncoderMeta, radiographs: Radiographs, listed: SharedIds) -> str:
    sizes = radiographs.samples["split"].value_counts()
    images = _of_splits(listed.images, sizes)
    patients = _of_splits(listed.patients, sizes)
    return f"the list of pretraining images of {meta.name} holds {images or 'no image'} of {radiographs.dataset}" + (
        f"; {patients} are of patients in it" if patients else ""
    )


def _of_splits(counts: dict[str, int], sizes: pd.Series) -> str:
    """`30 of 37 test images, 2 of 123 train images`."""
    return ", ".join(f"{count} of {sizes[split]} {split} images" for split, count in counts.items() if count)


def _with_sources(name: str) -> set[str]:
    """The dataset, and those that its images were taken from."""
    if name not in datasets.names():
        return {name}
    return {name, *datasets.get(name).card.drawn_from}
