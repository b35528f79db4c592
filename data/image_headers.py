"""The size of an image as the header of its file states it, without its pixels."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import BinaryIO

from .image_reading import JSRT_SIDE, DamagedError, check_pixels
from .metaimage import is_metaimage, metaimage_size

_JSRT_BYTES = 2 * JSRT_SIDE**2
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = {b"II*\x00": "<", b"MM\x00*": ">"}
_EXIF = b"Exif\x00\x00"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_START_OF_SCAN = 0xDA
_METAIMAGE_HEADER = 1 << 16
# Tags of TIFF, which EXIF is made of, and their two kinds of whole numbers.
_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274
_NUMBERS = {3: "H", 4: "I"}
# Orientations that leave height and width as they are: as stored, mirrored, upside down, both.
_NOT_TURNED = (1, 2, 3, 4)


def stated_size(file: BinaryIO, name: str) -> tuple[int, int] | None:
    """Height and width of the image in `file`, read from its beginning; DICOM is not known here.

    None where the header does not tell: it turns the image (then what a decoder does about it counts), it is damaged,
    of another kind, or states a size that no radiograph has. `name` tells JSRT's files, which have no header.
    """
    with suppress(DamagedError, struct.error, ValueError):
        size = _stated(file, name)
        if size is not None:
            check_pixels(*size)
            return size
    return None


def _stated(file: BinaryIO, name: str) -> tuple[int, int] | None:
    if name[-4:].lower() == ".img" and os.fstat(file.fileno()).st_size == _JSRT_BYTES:
        return JSRT_SIDE, JSRT_SIDE
    head = file.read(64)
    if head.startswith(_PNG):
        return _of_png(file)
    if head.startswith(_JPEG):
        return _of_jpeg(file)
    if head[:4] in _TIFF:
        tags = _tags(file, 0)
        return (tags[_HEIGHT], tags[_WIDTH]) if _upright(tags) and {_HEIGHT, _WIDTH} <= set(tags) else None
    if head.startswith(b"BM") and struct.unpack("<I", head[14:18])[0] >= 40:
        width, height = struct.unpack("<ii", head[18:26])
        # A negative height says that the upper row comes first.
        return abs(height), width
    if is_metaimage(head):
        file.seek(0)
        return metaimage_size(file.read(_METAIMAGE_HEADER))
    return None


def _of_png(file: BinaryIO) -> tuple[int, int] | None:
    """From the first chunk; all others are passed over, because the orientation may stand behind the pixels."""
    size = None
    position = len(_PNG)
    while True:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IHDR":
            width, height = struct.unpack(">II", file.read(8))
            size = height, width
        elif kind == b"eXIf" and not _upright(_tags(file, position + 8)):
            return None
        elif kind == b"IEND":
            return size
        position += 12 + length


def _of_jpeg(file: BinaryIO) -> tuple[int, int] | None:
    position, size = 2, None
    while True:
        file.seek(position)
        sign, marker, length = struct.unpack(">BBH", file.read(4))
        if sign != 0xFF or marker == _START_OF_SCAN:
            return size
        if marker == 0xFF:  # fill byte before a marker
            position += 1
            continue
        if marker in _START_OF_FRAME:
            _, height, width = struct.unpack(">BHH", file.read(5))
            size = height, width
        elif marker == 0xE1 and file.read(6) == _EXIF and not _upright(_tags(file, position + 10)):
            return None
        position += 2 + length


def _upright(tags: dict[int, int]) -> bool:
    return tags.get(_ORIENTATION, 1) in _NOT_TURNED


def _tags(file: BinaryIO, start: int) -> dict[int, int]:
    """Width, height and orientation from the first directory of the TIFF structure that begins at `start`.

    One that is of another kind than a whole number is 0. Raises struct.error or ValueError where it is damaged.
    """
    file.seek(start)
    head = file.read(8)
    order = _TIFF.get(head[:4])
    if order is None:
        raise ValueError("no TIFF structure")
    file.seek(start + struct.unpack(f"{order}I", head[4:])[0])
    (count,) = struct.unpack(f"{order}H", file.read(2))
    entries = file.read(12 * count)
    tags = {}
    for at in range(0, 12 * count, 12):
        tag, kind, many = struct.unpack_from(f"{order}HHI", entries, at)
        if tag in (_WIDTH, _HEIGHT, _ORIENTATION):
            whole = kind in _NUMBERS and many == 1
            tags[tag] = struct.unpack_from(f"{order}{_NUMBERS[kind]}", entries, at + 8)[0] if whole else 0
    return tags
