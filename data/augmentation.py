"""Random changes of training images that leave their labels true: the presets that the papers name."""

from __future__ import annotations

import math
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..foundation.errors import UserError, unknown_name

if TYPE_CHECKING:
    import albumentations

PRESETS = ("none", "ifa")
# Raised whenever a preset would change an image.
AUGMENTATION_VERSION = 1


@dataclass(frozen=True)
class Augmentation:
    """A preset, applied to a batch; each image's draws depend on its key and on nothing else.

    Attributes:
        preset: `none`, or `ifa` (Cho 2024, doi:10.1007/s10278-024-01032-x).
        threads: images worked on at a time; it does not change the result.

    Raises:
        UserError: an unknown preset, or fewer than one thread.
    """

    preset: str = "none"
    threads: int = 1
    _own: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise unknown_name("augmentation", self.preset, PRESETS)
        if self.threads < 1:
            raise UserError(f"augmentation threads must be 1 or more, not {self.threads}")

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Augmented copies.

        Args:
            images: uint8 [B, S, S], never written to.
            keys: int64 [B]; `keys.fold(seed, epoch, sample)` gives another draw every epoch.

        Returns:
            uint8 [B, S, S]; `images` itself under `none`.

        Raises:
            UserError: images of another type or shape, or not one key an image.
        """
        if images.dtype != np.uint8 or images.ndim != 3 or len(images) != len(keys):
            raise UserError(
                f"augmentation takes uint8 [B, S, S] and B keys, not {images.dtype} {images.shape} and {len(keys)}"
            )
        if self.preset == "none":
            return images
        changed = np.empty_like(images)
        parts = [part for part in np.array_split(np.arange(len(images)), self.threads) if len(part)]
        if len(parts) > 1:
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(lambda part: self._fill(changed, images, keys, part), parts))
        elif parts:
            self._fill(changed, images, keys, parts[0])
        return changed

    def __reduce__(self) -> tuple[Any, ...]:
        return Augmentation, (self.preset, self.threads)

    def _fill(self, changed: np.ndarray, images: np.ndarray, keys: np.ndarray, rows: np.ndarray) -> None:
        pipeline = self._pipeline()
        for row in rows:
            pipeline.restart(int(keys[row]))
            changed[row] = pipeline.change(images[row])

    def _pipeline(self) -> _Pipeline:
        """This thread's transforms: they hold random state, so no two threads may share them."""
        if not hasattr(self._own, "pipeline"):
            self._own.pipeline = _Pipeline(_transforms(self.preset))
        return self._own.pipeline


class _Pipeline:
    """Albumentations transforms that all draw from one pair of generators, restarted for each image.

    Their own `set_random_seed` would give every transform the same stream, so that all of them fire together.
    """

    def __init__(self, transforms: albumentations.Compose):
        self._compose = transforms
        self._bits = np.random.Philox(key=0)
        self._start = self._bits.state
        self._python = random.Random(0)
        transforms.set_random_state(np.random.Generator(self._bits), self._python)

    def restart(self, key: int) -> None:
        self._start["state"]["key"][0] = key
        self._bits.state = self._start
        self._python.seed(key)

    def change(self, image: np.ndarray) -> np.ndarray:
        return self._compose(image=image)["image"]


def _transforms(preset: str) -> albumentations.Compose:
    # Without this, importing the library asks the network for a newer version.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    steps = {"ifa": _ifa}[preset]
    return albumentations.Compose(list(steps()))


def _ifa() -> Iterator[albumentations.BasicTransform | albumentations.BaseCompose]:
    """The ten transforms that the IFA paper names, with the magnitudes of CheSS' released code.

    Where that code states none, the defaults of the Albumentations of its time (1.x) are written out, because 2.0
    changed several (GaussNoise is 16 times stronger by default, borders are black, Affine scales each axis alone).
    Of Cutout neither paper nor code states anything: 1.x' eight holes of 8 pixels in 224, as often as the others.
    Inside a OneOf, p weighs the choice.
    """
    import albumentations as a
    import cv2

    mirrored = cv2.BORDER_REFLECT_101
    yield a.OneOf(
        [
            a.MedianBlur(blur_limit=(3, 3), p=0.1),
            a.MotionBlur(blur_limit=(3, 7), p=0.2),
            a.Sharpen(alpha=(0.2, 0.5), lightness=(0.5, 1.0), p=0.2),
        ],
        p=0.2,
    )
    # ShiftScaleRotate by its present name: one scale for both axes.
    yield a.Affine(
        scale=(0.8, 1.2),
        translate_percent=(-0.0625, 0.0625),
        rotate=(-10.0, 10.0),
        keep_ratio=True,
        border_mode=mirrored,
        p=0.2,
    )
    yield a.OpticalDistortion(distort_limit=(-0.05, 0.05), border_mode=mirrored, p=0.2)
    yield a.RandomBrightnessContrast(brightness_limit=(-0.1, 0.1), contrast_limit=(-0.2, 0.1), p=0.6)
    yield a.OneOf(
        [
            a.GaussNoise(std_range=(_asked_deviation(10) / 255, _asked_deviation(50) / 255), p=0.2),
            a.MultiplicativeNoise(multiplier=(0.9, 1.1), p=0.2),
        ],
        p=0.2,
    )
    yield a.CoarseDropout(
        num_holes_range=(8, 8), hole_height_range=(8 / 224, 8 / 224), hole_width_range=(8 / 224, 8 / 224), fill=0, p=0.2
    )


def _asked_deviation(variance: float) -> float:
    """The standard deviation to ask GaussNoise for, so that 8-bit images get noise of `variance`.

    Albumentations 2.0 cuts the noise to whole numbers towards zero, after which a variance of s^2 is
    s^2 - s * sqrt(2 / pi) + 1 / 3: 7.8 instead of 10. This is that equation solved for s.
    """
    half = math.sqrt(2 / math.pi) / 2
    return half + math.sqrt(half**2 + variance - 1 / 3)
