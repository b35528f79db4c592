"""What an image looks like, in 4 KiB: a hash of its decoded pixels, and a thumbnail that no tone curve changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...foundation.errors import UserError
from ...foundation.files import sha256_of_json
from ...foundation.progress import Progress, SilentProgress
from ..image_reading import read_with_padding
from ..parallel import cores, in_order
from ..resumable_array import fill

# Part of the cache's key: raised when the same file would give another digest or thumbnail.
_VERSION = 1
THUMBNAIL = 64
_DIGEST = 32
_LEVELS = 256
# What lies above this percentile is clipped before ranks are taken: side markers, not anatomy.
_BRIGHTEST = 99.5
_CHUNK_ROWS = 64


@dataclass(frozen=True)
class Pixels:
    """Of each file: hash and thumbnail.

    Attributes:
        digests: SHA-256 of type, shape and decoded pixels, bytes [N] of length 32 (numpy void); equal for any lossless
            way of storing the same picture. All zero where the file cannot be read.
        thumbnails: uint8 [N, 64, 64], see `thumbnail`; on disk, mapped into memory.
    """

    digests: np.ndarray
    thumbnails: np.ndarray

    @property
    def readable(self) -> np.ndarray:
        """Which files could be read, bool [N]."""
        return self.digests != np.zeros(1, self.digests.dtype)


def scan(
    paths: Sequence[Path],
    contents: np.ndarray,
    cache: Path,
    progress: Progress | None = None,
    workers: int | None = None,
    about: str = "",
) -> Pixels:
    """Decode each file once; remembered in `<cache>/audit/` by what the files hold.

    Args:
        paths: N files.
        contents: SHA-256 of the bytes of each, as text [N].
        cache: folder for what can be made again.
        workers: threads that decode; one a core where None.
        about: what the files are of, for whoever lists caches.

    Raises UserError where the cache cannot be written. A file that cannot be read gets a digest of zeros.
    """
    if not len(paths):
        return Pixels(np.zeros(0, f"V{_DIGEST}"), np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8))
    folder = cache / "audit" / sha256_of_json([_VERSION, contents.tolist()])[:32]
    width = _DIGEST + THUMBNAIL * THUMBNAIL
    decoding = _Decoding(paths, workers or cores())
    stored = fill(
        folder,
        (len(paths), width),
        np.uint8,
        _CHUNK_ROWS,
        decoding.produce,
        title=f"looking at {len(paths)} {'image' if len(paths) == 1 else 'images'}",
        progress=progress or SilentProgress(),
        about={"of": about, "images": len(paths)} if about else None,
    )
    assert stored is not None, "every chunk is produced"
    digests = np.ascontiguousarray(stored[:, :_DIGEST]).view(f"V{_DIGEST}")[:, 0]
    return Pixels(digests, stored[:, _DIGEST:].reshape(-1, THUMBNAIL, THUMBNAIL))


def why_unreadable(path: Path) -> str:
    """The error of a file that `scan` could not read, in one line that names it."""
    try:
        read_with_padding(path)
    except UserError as error:
        return str(error)
    return f"{path}: could not be read when it was looked at; delete the folder audit/ in the cache"


def thumbnail(image: np.ndarray, size: int = THUMBNAIL) -> np.ndarray:
    """Ranks of grey values in a small square, uint8 [size, size]: 0 darkest, 255 brightest, ties in their middle.

    Ranks stay the same under any rising tone curve (window, contrast stretch, gamma, 16 bits to 8). Pixels are averaged
    over their areas, and 256 levels below the 99.5th percentile are told apart, so that noise in the flat border of an
    image is not spread over many ranks.
    """
    height, width = image.shape
    shrinks = height >= size and width >= size
    # OpenCV averages 16-bit values exactly only as floats.
    small = cv2.resize(
        image.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    low, high = float(small.min()), float(np.percentile(small, _BRIGHTEST))
    scaled = (np.minimum(small, high) - low) * ((_LEVELS - 1) / max(high - low, 1e-6))
    levels = np.rint(scaled).astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=_LEVELS)
    middle = np.cumsum(counts) - (counts + 1) / 2
    table = np.rint(middle * (255 / max(size * size - 1, 1))).clip(0, 255).astype(np.uint8)
    return cv2.LUT(levels, table)


class _Decoding:
    """Decodes chunks of `paths` in threads."""

    def __init__(self, paths: Sequence[Path], workers: int):
        self._paths, self._workers = paths, workers

    def produce(self, missing: Sequence[slice]) -> Iterator[np.ndarray]:
        return in_order(self._chunk, missing, self._workers)

    def _chunk(self, rows: slice) -> np.ndarray:
        found = np.zeros((rows.stop - rows.start, _DIGEST + THUMBNAIL * THUMBNAIL), np.uint8)
        for row in range(rows.start, rows.stop):
            try:
                image = read_with_padding(self._paths[row])[0]
            except UserError:
                continue
            found[row - rows.start, :_DIGEST] = np.frombuffer(_digest(image), np.uint8)
            found[row - rows.start, _DIGEST:] = thumbnail(image).ravel()
        return found


def _digest(image: np.ndarray) -> bytes:
    digest = hashlib.sha256(f"{image.dtype} {image.shape}\n".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()
