"""Views against kornia on one core, images a second of every preset.

Seconds are the processor's, of the one thread that works: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import cv2
import numpy as np
import torch
from timing import report, verdict
from torch import Tensor, nn

from cxrbench.data.keys import fold
from cxrbench.data.views import VIEW_PRESETS, Views

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 224], help="sides of images and views")
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for size in options.sizes:
        against_kornia(size, options.rounds)
    for size in options.sizes:
        every_preset(size, options.rounds)


def against_kornia(size: int, rounds: int) -> None:
    """Two views of MoCo v2 of a uint8 batch; kornia needs floats, and ours become floats where the network is."""
    images = smooth_images(size)
    keys = fold(0, np.arange(BATCH))
    views, pipeline = Views("moco", size), kornia_moco(size)

    def floats(found: dict[str, np.ndarray]) -> list[Tensor]:
        return [torch.from_numpy(found[name]).unsqueeze(1).float() / 255 for name in ("one", "two")]

    def theirs() -> list[Tensor]:
        batch = torch.from_numpy(images).unsqueeze(1).float() / 255
        return [pipeline(batch) for _ in range(2)]

    ways: dict[str, Callable[[], object]] = {
        "cxrbench": lambda: views(images, keys),
        "cxrbench, made floats on the processor": lambda: floats(views(images, keys)),
        "kornia": theirs,
    }
    title = f"moco, two views of {BATCH} images of {size} px, one core"
    medians = report(title, in_turn(ways, rounds), BATCH / 1e6, "us an image")
    verdict("kornia against cxrbench", medians["kornia"] / medians["cxrbench"], 5, at_least=True)


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of every way in every round; the ways take turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    for _ in range(rounds):
        for name, work in ways.items():
            start = time.thread_time()
            work()
            found[name].append(time.thread_time() - start)
    return found


def kornia_moco(size: int) -> nn.Module:
    """MoCo v2's transforms for grey images: each image of a batch with draws of its own."""
    from kornia import augmentation as k

    # The kernel covers three standard deviations to either side, as OpenCV's for 8-bit images.
    scale = size / 224
    kernel = 2 * int(3 * 2.0 * scale + 0.5) + 1
    return nn.Sequential(
        k.RandomResizedCrop((size, size), scale=(0.2, 1.0)),
        k.RandomBrightness((0.6, 1.4), p=0.8),
        k.RandomContrast((0.6, 1.4), p=0.8),
        k.RandomGaussianBlur((kernel, kernel), (0.1 * scale, 2.0 * scale), p=0.5),
        k.RandomHorizontalFlip(p=0.5),
    )


def every_preset(size: int, rounds: int) -> None:
    images, keys = smooth_images(size), fold(0, np.arange(BATCH))
    made = {preset: Views(preset, size) for preset in VIEW_PRESETS}
    found = in_turn({preset: lambda views=views: views(images, keys) for preset, views in made.items()}, rounds)
    medians = report(f"All views of an image of {size} px, one core", found, BATCH / 1e6, "us an image")
    rates = ", ".join(f"{preset} {BATCH / seconds:,.0f}" for preset, seconds in medians.items())
    print(f"  images a second: {rates}")


def smooth_images(size: int) -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 400, (BATCH, size, size))
    return np.stack([np.clip(cv2.GaussianBlur(image, (0, 0), 3), 0, 255) for image in noise]).astype(np.uint8)


if __name__ == "__main__":
    main()
