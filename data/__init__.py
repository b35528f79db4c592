"""Radiographs: datasets as they lie on disk, their images, and who trains on what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation.handing_on import lazily

if TYPE_CHECKING:
    from .image_reading import read_image
    from .images import Images, prepare_images
    from .radiographs import Radiographs
    from .source import datasets, load
    from .splits import DrawKey, Split, draw_split

__all__ = [
    "DrawKey",
    "Images",
    "Radiographs",
    "Split",
    "datasets",
    "draw_split",
    "load",
    "prepare_images",
    "read_image",
]

# Name -> module; looked up on use, because most of them import pandas.
_HOMES = {
    "DrawKey": "splits",
    "Images": "images",
    "Radiographs": "radiographs",
    "Split": "splits",
    "datasets": "source",
    "draw_split": "splits",
    "load": "source",
    "prepare_images": "images",
    "read_image": "image_reading",
}

__getattr__ = lazily(__name__, _HOMES)
