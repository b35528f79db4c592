"""Batches of grey images, checked once for all metrics, and metrics of pairs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

# Pixels of a step on a GPU, which is slow at little work.
_PIXELS_OF_A_STEP = 2**24
# Images that are brought to one type of numbers at a time.
_IMAGES_OF_A_STEP = 64


def grey_images(images: Tensor, name: str = "images") -> Tensor:
    """Images [N, 1, H, W] or [N, H, W] as [N, H, W].

    Raises ValueError for another shape, images without pixels, other than floats, NaN, and values outside [0, 1].
    """
    images = _of_one_shape(images, name)
    if len(images) and not _inside(*images.detach().aminmax()):
        raise _outside(images, name)
    return images


def pairs_of_images(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two batches of one shape as [N, H, W]. Raises ValueError as `grey_images` does, and where shapes differ."""
    _check_alike(a, b)
    return grey_images(a, "a"), grey_images(b, "b")


def values_of_pairs(
    a: Tensor,
    b: Tensor,
    of_images: Callable[[np.ndarray, np.ndarray], float],
    of_batch: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """A metric of each pair of images, float64 [N] on their device; memory does not grow with their number.

    Args:
        a, b: floats [N, 1, H, W] or [N, H, W] in [0, 1].
        of_images: two images [H, W] -> number. On a processor they come one after the other, in as many threads as
            torch may use, because their pixels stay in its cache; float64 where one of them is, else float32.
        of_batch: images [n, H, W] of float64 -> [n], used on a GPU.

    Raises ValueError as `pairs_of_images` does.
    """
    _check_alike(a, b)
    a, b = _of_one_shape(a.detach(), "a"), _of_one_shape(b.detach(), "b")
    if a.device.type != "cpu":
        pairs_of_images(a, b)
        size = max(1, _PIXELS_OF_A_STEP // (a.shape[1] * a.shape[2]))
        steps = zip(a.split(size), b.split(size), strict=True)
        parts = [of_batch(x.double(), y.double()) for x, y in steps if len(x)]
        return torch.cat(parts) if parts else a.new_empty(0, dtype=torch.float64)

    def of_pair(x: np.ndarray, y: np.ndarray) -> float:
        # While they are in the cache. The check of all images at once would read them a second time.
        for images, values, name in ((a, x, "a"), (b, y, "b")):
            if not _inside(values.min(), values.max()):
                raise _outside(images, name)
        return of_images(x, y)

    threads = min(torch.get_num_threads(), len(a))
    if threads < 2:
        found = [of_pair(x, y) for step in _steps(a, b) for x, y in zip(*step, strict=True)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            found = [value for step in _steps(a, b) for value in pool.map(of_pair, *step)]
    return torch.tensor(found, dtype=torch.float64)


def _steps(a: Tensor, b: Tensor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some images of both at a time, as arrays of one type."""
    dtype = torch.float64 if torch.float64 in (a.dtype, b.dtype) else torch.float32
    for x, y in zip(a.split(_IMAGES_OF_A_STEP), b.split(_IMAGES_OF_A_STEP), strict=True):
        yield x.to(dtype).numpy(), y.to(dtype).numpy()


def _check_alike(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"images {list(a.shape)} and {list(b.shape)} differ in shape")


def _of_one_shape(images: Tensor, name: str) -> Tensor:
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3 or 0 in images.shape[1:] or not images.is_floating_point():
        raise ValueError(
            f"{name} must be grey images as floats [N, 1, H, W] or [N, H, W], not {images.dtype} {list(images.shape)}"
        )
    return images


def _inside(lowest: Tensor | np.floating, highest: Tensor | np.floating) -> bool:
    # NaN is neither.
    return bool(lowest >= 0) and bool(highest <= 1)


def _outside(images: Tensor, name: str) -> ValueError:
    images = images.detach()
    outside = ~((images >= 0) & (images <= 1)).flatten(1).all(dim=1)
    row = int(torch.nonzero(outside)[0])
    pixels = images[row].flatten()
    what = "NaN" if pixels.isnan().any() else f"{float(pixels.min()):.6g} to {float(pixels.max()):.6g}"
    return ValueError(
        f"{name} must lie in [0, 1]; image {row} holds {what} ({int(outside.sum())} of {len(images)} images)"
    )
