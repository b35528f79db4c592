"""Where a view lies in its image: crop, mirror image and rotation, with one interpolation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .key_numbers import between, numbers, whole_between
from .recipe import Recipe

_TRIES = 10
_STREAM = 1


@dataclass(frozen=True)
class Places:
    """Where the views of a batch lie.

    Attributes:
        boxes: int64 [B, 4]: left, top, width, height of the crop in pixels of the image.
        flipped: bool [B].
        degrees: float64 [B], counter-clockwise; 0 where nothing is rotated.
    """

    boxes: np.ndarray
    flipped: np.ndarray
    degrees: np.ndarray


def draw_places(recipe: Recipe, keys: np.ndarray, side: int) -> Places:
    """Places in images of `side` pixels, one a key.

    The crop is RandomResizedCrop's (torchvision): area and aspect ratio are drawn up to 10 times until the crop
    fits, and the whole image is taken where none does.
    """
    unit = numbers(keys, _STREAM, 5 + 2 * _TRIES)
    flipped = unit[:, 0] < recipe.flip
    degrees = np.where(unit[:, 1] < recipe.rotation, between(unit[:, 2], -recipe.degrees, recipe.degrees), 0.0)
    return Places(_boxes(recipe, unit[:, 3:], side), flipped, degrees)


def cut(image: np.ndarray, places: Places, row: int, size: int) -> np.ndarray:
    """The view [size, size] of `image` [C, C] that `places` has in row `row`; a copy, uint8.

    Enlarged by linear interpolation and reduced by area means, so that nothing aliases. The corners that a rotation
    turns in are what the image has there, and black outside of the image.
    """
    left, top, width, height = places.boxes[row].tolist()
    degrees = float(places.degrees[row])
    if degrees == 0.0:
        view = _resized(image[top : top + height, left : left + width], size, size)
        return cv2.flip(view, 1) if places.flipped[row] else view
    source, box = _reduced(image, (left, top, width, height), size)
    matrix = _matrix(box, bool(places.flipped[row]), degrees, size)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(source, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0.0)


def _boxes(recipe: Recipe, unit: np.ndarray, side: int) -> np.ndarray:
    """Left, top, width and height [B, 4] from numbers [B, 2 + 2 * _TRIES]."""
    boxes = np.zeros((len(unit), 4), dtype=np.int64)
    if recipe.area is None:
        boxes[:, 2:] = side
        return boxes
    area = side * side * between(unit[:, 2 : 2 + _TRIES], *recipe.area)
    ratio = np.exp(between(unit[:, 2 + _TRIES :], math.log(recipe.ratio[0]), math.log(recipe.ratio[1])))
    sides = np.rint(np.sqrt(np.stack([area * ratio, area / ratio], axis=-1))).astype(np.int64)
    fits = (sides.min(axis=-1) > 0) & (sides.max(axis=-1) <= side)
    first = fits.argmax(axis=1)
    chosen = np.take_along_axis(sides, first[:, None, None], axis=1)[:, 0]
    boxes[:, 2:] = np.where(fits.any(axis=1)[:, None], chosen, side)
    boxes[:, :2] = whole_between(unit[:, :2], 0, side - boxes[:, 2:])
    return boxes


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """A copy of `image` of the given size."""
    rows, columns = image.shape
    if (rows, columns) == (height, width):
        return image.copy()
    # OpenCV takes area means only where neither side grows.
    if rows > height or columns > width:
        image = _resized_to(image, min(width, columns), min(height, rows), cv2.INTER_AREA)
    return _resized_to(image, width, height, cv2.INTER_LINEAR)


def _resized_to(image: np.ndarray, width: int, height: int, interpolation: int) -> np.ndarray:
    if image.shape == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=interpolation)


def _reduced(
    image: np.ndarray, box: tuple[int, int, int, int], size: int
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """The image, made smaller where the crop is larger than the view, and the box in it."""
    left, top, width, height = box
    rows, columns = image.shape
    if width <= size and height <= size:
        return image, (left, top, width, height)
    new_columns = round(columns * min(1.0, size / width))
    new_rows = round(rows * min(1.0, size / height))
    across, down = new_columns / columns, new_rows / rows
    return _resized(image, new_columns, new_rows), (left * across, top * down, width * across, height * down)


def _matrix(box: tuple[float, float, float, float], flipped: bool, degrees: float, size: int) -> np.ndarray:
    """Position in the view -> position in the image, [2, 3]; both count from the middle of the first pixel.

    The view is the resized crop, rotated about its middle, then mirrored.
    """
    left, top, width, height = box
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down, mirror = width / size, height / size, -1.0 if flipped else 1.0
    linear = np.array([[across * cosine * mirror, -across * sine], [down * sine * mirror, down * cosine]])
    middle = (size - 1) / 2
    target = np.array([left + width / 2 - 0.5, top + height / 2 - 0.5])
    return np.column_stack([linear, target - linear @ np.array([middle, middle])])
