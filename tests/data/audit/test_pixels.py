"""What is remembered of an image: its pixels' hash whatever file holds them, and ranks that no tone curve changes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cxrbench.data.audit.pixels import scan, thumbnail, why_unreadable


def test_ranks_are_those_counted_by_hand() -> None:
    # A quarter of the picture each: 0, 10, 10 and 200. Middle ranks of 0-1023, 1024-3071 and 3072-4095, of 0-4095.
    image = np.repeat(np.repeat(np.array([[0, 10], [10, 200]], np.uint8), 32, axis=0), 32, axis=1)
    small = thumbnail(image)
    expected = np.rint(np.array([511.5, 2047.5, 3583.5]) * 255 / 4095)
    assert np.unique(small).tolist() == expected.astype(int).tolist()


def test_tone_curves_and_depth_leave_ranks_alone(phantoms: np.ndarray) -> None:
    image = phantoms[0]
    before = thumbnail(image).astype(int)
    deeper = thumbnail(image.astype(np.uint16) * 57 + 900).astype(int)
    stretched = thumbnail(np.rint(255 * (image / 255.0) ** 0.8).astype(np.uint8)).astype(int)
    assert np.abs(deeper - before).max() <= 2
    assert np.quantile(np.abs(stretched - before), 0.99) <= 6


def test_equal_pixels_have_equal_digests_in_any_lossless_file(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8)
    colour = np.repeat(image[:, :, None], 3, axis=2)
    names = ["slow.png", "quick.png", "three.png", "plain.bmp", "deep.png", "other.png"]
    pictures = [image, image, colour, image, image.astype(np.uint16), image[:, ::-1]]
    for name, picture, level in zip(names, pictures, (9, 1, 5, 0, 5, 5), strict=True):
        cv2.imwrite(str(tmp_path / name), picture, [cv2.IMWRITE_PNG_COMPRESSION, level])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    paths = [tmp_path / name for name in (*names, "broken.png")]
    contents = np.array([f"{number:064x}" for number in range(len(paths))])
    found = scan(paths, contents, tmp_path / "cache")
    assert np.unique(found.digests[:4]).size == 1
    assert np.unique(found.digests).size == 4
    assert found.readable.tolist() == [True] * 6 + [False]
    assert str(tmp_path / "broken.png") in why_unreadable(tmp_path / "broken.png")
    for path in paths:
        path.unlink()
    # Remembered: the files are not read again.
    again = scan(paths, contents, tmp_path / "cache")
    assert again.readable.tolist() == found.readable.tolist()
