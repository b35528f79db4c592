"""Decoding in threads and in processes, and JPEGs at a part of their size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cxrbench.data.decoding import Decoding, Request, decode
from cxrbench.data.image_reading import read_image, read_with_padding
from cxrbench.data.preprocessing import preprocess
from cxrbench.foundation.errors import UserError


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """What a radiograph is like to a decoder: coarse shapes, an edge, fine noise; uint8 [height, width]."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.uniform(30, 220, (9, 7)), (width, height), interpolation=cv2.INTER_CUBIC)
    coarse[: height // 8, : width // 6] = 250
    return np.clip(coarse + random.normal(0, 4, (height, width)), 0, 255).astype(np.uint8)


def written(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, quality=90, **options)
    return path


def decoded_to(path: Path, size: int) -> np.ndarray:
    image = decode(Request([str(path)], size, "default")).images
    assert image is not None
    return image[0].astype(int)


@pytest.mark.parametrize(
    ("height", "width", "size", "factor"),
    [
        (1024, 1024, 128, 4),
        (1024, 1024, 256, 2),
        (1024, 1024, 32, 8),
        (896, 1344, 224, 2),
        (895, 1344, 224, 1),
        (1025, 1799, 224, 2),
        (300, 300, 224, 1),
    ],
)
def test_a_jpeg_is_decoded_at_a_part_of_its_size_where_that_keeps_the_boxes(
    tmp_path: Path, height: int, width: int, size: int, factor: int
):
    path = written(tmp_path / "a.jpg", smooth(height, width))
    image, padding = read_with_padding(path, shrinks_to=size)
    assert image.shape == (height // factor, width // factor)
    assert padding is None
    assert read_image(path).shape == (height, width)


@pytest.mark.parametrize(("height", "width"), [(896, 896), (1792, 2000), (449, 673), (903, 1111), (1151, 899)])
def test_scaled_decoding_changes_pixels_by_a_few_grey_levels(tmp_path: Path, height: int, width: int):
    path = written(tmp_path / "a.jpg", smooth(height, width))
    assert read_with_padding(path, shrinks_to=112)[0].shape < (height, width)
    difference = np.abs(decoded_to(path, 112) - preprocess(read_image(path), 112))
    assert difference.max() <= 5
    assert difference.mean() < 0.7


def test_lossless_and_sixteen_bit_files_are_decoded_whole(tmp_path: Path):
    for name, pixels in (("a.png", smooth(512, 512)), ("b.png", smooth(512, 512).astype(np.uint16) * 200)):
        Image.fromarray(pixels).save(tmp_path / name)
        np.testing.assert_array_equal(read_with_padding(tmp_path / name, shrinks_to=64)[0], pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_in_a_scaled_jpeg_is_applied(tmp_path: Path, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = written(tmp_path / "a.jpg", smooth(448, 896), exif=exif)
    scaled = read_with_padding(path, shrinks_to=112)[0]
    whole = read_image(path)
    # An image that ends within a box, and may be turned, is decoded whole.
    odd = written(tmp_path / "odd.jpg", smooth(449, 897), exif=exif)
    np.testing.assert_array_equal(read_with_padding(odd, shrinks_to=112)[0], read_image(odd))
    assert scaled.shape == (whole.shape[0] // 2, whole.shape[1] // 2)
    boxes = cv2.resize(whole, scaled.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(boxes.astype(int) - scaled).max() < 25


def test_a_colour_and_a_progressive_jpeg_are_scaled_alike(tmp_path: Path):
    pixels = smooth(896, 896)
    grey = decoded_to(written(tmp_path / "grey.jpg", pixels), 112)
    colour = decoded_to(written(tmp_path / "colour.jpg", np.dstack([pixels] * 3)), 112)
    progressive = decoded_to(written(tmp_path / "progressive.jpg", pixels, progressive=True), 112)
    assert np.abs(colour - grey).max() <= 2
    np.testing.assert_array_equal(progressive, grey)


def test_a_truncated_jpeg_is_an_error_when_it_is_scaled_too(tmp_path: Path):
    path = written(tmp_path / "a.jpg", smooth(896, 896))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="truncated JPEG"):
        read_with_padding(path, shrinks_to=112)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Seventy files, two of which are no images."""
    (tmp_path / "files").mkdir()
    for number in range(70):
        written(tmp_path / "files" / f"{number:02}.jpg", smooth(64, 96, number))
    (tmp_path / "files" / "05.jpg").write_bytes(b"")
    (tmp_path / "files" / "69.jpg").write_text("<html>")
    return tmp_path / "files"


def test_threads_and_processes_find_the_same_images_and_failures(files: Path):
    missing = [slice(start, min(start + 8, 70)) for start in range(0, 70, 8)]
    found = []
    for processes in (False, True):
        decoding = Decoding(files, [f"{i:02}.jpg" for i in range(70)], 32, "default", 2, processes)
        found.append((list(decoding.produce(missing)), decoding.failures))
    (in_threads, failures), (in_processes, again) = found
    assert failures == again == {5: "empty file (0 bytes)", 69: "not an image: it begins with '<html>'"}
    assert [each is None for each in in_threads] == [True, *[False] * 7, True]
    for first, second in zip(in_threads, in_processes, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_decoding_that_is_stopped_gives_no_images(files: Path):
    found = decode(Request([str(files / "00.jpg")], 32, "default"), stopped=lambda: True)
    assert found.images is None
    assert not found.failures
