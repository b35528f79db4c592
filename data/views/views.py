"""Views of images: the same image seen under several random changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...foundation.errors import UserError, unknown_name
from ..augmentation import Augmentation
from ..keys import fold
from .cropping import Places, cut, draw_places
from .hiding import Hidden
from .key_numbers import numbers
from .presets import PRESETS, Preset
from .recipe import REFERENCE_SIZE, TRANSFORMS, Recipe
from .shading import Shades, draw_shades, shade

# Raised whenever a preset would give other views.
VIEWS_VERSION = 1

# Of the small views, in 224; a multiple of 32, because encoders halve an image five times.
_LOCAL_SIZE = 96
_LEAST_SIZE = 16
_HIDING_STREAM = 3


class Views:
    """A preset, applied to a batch; each image's draws depend on its key and on nothing else.

    Args:
        preset: a name of `VIEW_PRESETS`.
        size: side of the views in pixels.
        threads: images worked on at a time; it does not change the result.

    Raises:
        UserError: an unknown preset, a size below 16, or fewer than one thread.
    """

    def __init__(self, preset: str, size: int, threads: int = 1):
        if preset not in PRESETS:
            raise unknown_name("preset of views", preset, PRESETS)
        if size < _LEAST_SIZE:
            raise UserError(f"views of {size} pixels: needs at least {_LEAST_SIZE}")
        if threads < 1:
            raise UserError(f"threads of views must be 1 or more, not {threads}")
        self.preset = preset
        self.size = size
        self.threads = threads
        self.local_size = max(32, round(_LOCAL_SIZE / REFERENCE_SIZE * size / 32) * 32)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._augmentations = {name: Augmentation(name) for name in _named(PRESETS[preset])}

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> dict[str, np.ndarray]:
        """Views of every image.

        Args:
            images: uint8 [B, C, C], never written to; C may differ from `size`.
            keys: int64 [B]; `keys.fold(seed, epoch, row)` gives another draw every epoch.

        Returns:
            `one`, `two`: uint8 [B, S, S].
            `clean_one`, `clean_two`: uint8 [B, S, S], pixel for pixel the same crop, rotation and mirror image,
            before grey values changed and parts were hidden; where the preset has restoration targets.
            `transform_one`, `transform_two`: float32 [B, 4], 1 for each of `TRANSFORMS` that was done; pcrl_v1.
            `local`: uint8 [B, 6, s, s], small views of s = 96 / 224 S, a multiple of 32; pcrl_v2.

        Raises:
            UserError: images of another type or shape, or not one key an image.
        """
        _check(images, keys)
        preset = PRESETS[self.preset]
        found: dict[str, np.ndarray] = {}
        jobs: list[_Job] = []
        sides = (("one", preset.one), ("two", preset.two or preset.one))
        for number, (name, recipe) in enumerate(sides):
            clean = np.empty((len(images), self.size, self.size), np.uint8) if preset.clean else None
            job = self._job(recipe, images, fold(keys, number), self.size, clean)
            jobs.append(job)
            found[name] = job.out
            if clean is not None:
                found[f"clean_{name}"] = clean
            if preset.flags:
                found[f"transform_{name}"] = job.flags()
        if preset.local is not None:
            many = fold(keys[:, None], 2, np.arange(preset.local_views)).ravel()
            job = self._job(preset.local, images, many, self.local_size, None)
            jobs.append(job)
            found["local"] = job.out.reshape(len(images), preset.local_views, self.local_size, self.local_size)
        self._work(jobs, len(images))
        return {name: found[name] for name in self.names}

    @property
    def names(self) -> tuple[str, ...]:
        """What a call gives, in order."""
        preset = PRESETS[self.preset]
        return (
            *("one", "two"),
            *(("clean_one", "clean_two") if preset.clean else ()),
            *(("local",) if preset.local is not None else ()),
            *(("transform_one", "transform_two") if preset.flags else ()),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Views, (self.preset, self.size, self.threads)

    def __repr__(self) -> str:
        return f"Views({self.preset!r}, {self.size})"

    def _job(self, recipe: Recipe, images: np.ndarray, keys: np.ndarray, size: int, clean: np.ndarray | None) -> _Job:
        hidden = tuple(
            hiding.draw(numbers(keys, _HIDING_STREAM + number, hiding.numbers), size)
            for number, hiding in enumerate(recipe.hiding)
        )
        return _Job(
            recipe,
            images,
            keys,
            draw_places(recipe, keys, images.shape[1]),
            draw_shades(recipe, keys, size),
            hidden,
            np.empty((len(keys), size, size), np.uint8),
            clean,
            self._augmentations.get(recipe.named),
        )

    def _work(self, jobs: list[_Job], n_images: int) -> None:
        parts = [part for part in np.array_split(np.arange(n_images), self.threads) if len(part)]
        if len(parts) < 2:
            for part in parts:
                _fill_all(jobs, part)
            return
        with self._lock:
            # Kept, because the threads hold transforms that are slow to make.
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="views")
        list(self._pool.map(lambda part: _fill_all(jobs, part), parts))


@dataclass(frozen=True)
class _Job:
    """One kind of view of a batch: what was drawn, and where it goes. There may be several keys an image."""

    recipe: Recipe
    images: np.ndarray
    keys: np.ndarray
    places: Places
    shades: Shades
    hidden: tuple[Hidden, ...]
    out: np.ndarray
    clean: np.ndarray | None
    augmentation: Augmentation | None

    def flags(self) -> np.ndarray:
        """float32 [B, 4]: what of `TRANSFORMS` is done."""
        done = {"flip": self.places.flipped, "rotation": self.places.degrees != 0}
        for hiding, hidden in zip(self.recipe.hiding, self.hidden, strict=True):
            done[hiding.flag] = hidden.done != 0
        never = np.zeros(len(self.keys), bool)
        return np.stack([done.get(name, never) for name in TRANSFORMS], axis=1).astype(np.float32)

    def fill(self, part: np.ndarray) -> None:
        """Make all views of the images with the numbers `part`."""
        size, each = self.out.shape[1], len(self.keys) // len(self.images)
        hiding = list(zip(self.recipe.hiding, self.hidden, strict=True))
        for image in part.tolist():
            pixels = self.images[image]
            for row in range(image * each, (image + 1) * each):
                view = cut(pixels, self.places, row, size)
                if self.clean is not None:
                    self.clean[row] = view
                if self.augmentation is not None:
                    view = self.augmentation(view[None], self.keys[row : row + 1])[0]
                view = shade(view, self.shades, row)
                for way, hidden in hiding:
                    way.apply(view, hidden, row)
                self.out[row] = view


def _fill_all(jobs: list[_Job], part: np.ndarray) -> None:
    for job in jobs:
        job.fill(part)


def _named(preset: Preset) -> Iterator[str]:
    return (recipe.named for recipe in (preset.one, preset.two) if recipe is not None and recipe.named)


def _check(images: np.ndarray, keys: np.ndarray) -> None:
    square = images.ndim == 3 and images.shape[1] == images.shape[2]
    if images.dtype != np.uint8 or not square or len(images) != len(keys):
        raise UserError(
            f"views are made of uint8 [B, C, C] and B keys, not of {images.dtype} {images.shape} and {len(keys)} keys"
        )
