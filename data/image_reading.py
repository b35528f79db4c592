"""PNG, JPEG, BMP, TIFF and DICOM files as grey arrays; a damaged file is an error, never half an image."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np

from ..foundation.errors import UserError

# The largest radiographs have about 30 million pixels; a file that claims far more is damaged or hostile.
MAX_PIXELS = 1 << 27

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\x00", b"MM\x00*")
# Start of frame: baseline, extended, progressive, lossless, arithmetic. C4, C8 and CC are other segments.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_OTHER_FORMATS = {
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"\x00\x00\x00\x0cjP": "JPEG 2000",
    b"%PDF": "PDF",
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
}


class DamagedError(ValueError):
    """Why the bytes of a file are no radiograph; the reader adds the file's name."""


def read_image(path: Path | str) -> np.ndarray:
    """Read one radiograph as a grey array [H, W], uint8 or uint16, in which bright is dense.

    PNG (1 to 16 bits; grey, RGB, RGBA, palette), JPEG, BMP and single-page TIFF are read by OpenCV: the
    orientation in the file's EXIF is applied, alpha is ignored, and colour becomes its luma (ITU-R
    BT.601, within one level), which is the channel itself where all three are equal. DICOM is read by
    `dicom.read_dicom`; its padding pixels get the darkest value of the others.

    Raises:
        UserError: one line that names the file: missing, empty, no image, truncated, damaged, several
            frames, or 16 bits with the same value everywhere.
    """
    return read_with_padding(path)[0]


def read_with_padding(path: Path | str) -> tuple[np.ndarray, np.ndarray | None]:
    """As `read_image`, with a bool mask [H, W] of the pixels that are padding, or None where there are none."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        image, padding = _decode(data, path)
        if image.dtype == np.uint16 and image.min() == image.max():
            raise DamagedError(f"constant value {image.flat[0]} everywhere: no radiograph")
    except DamagedError as error:
        raise UserError(f"{path}: {error}") from error
    return image, padding


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width of a JPEG stream, after checking that it goes on to its end.

    Decoders fill what is missing of a truncated JPEG with grey and report nothing. Raises DamagedError.
    """
    size = None
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise DamagedError(f"damaged JPEG: no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte before a marker
            position += 1
            continue
        if marker in _START_OF_FRAME and position + 9 <= len(data):
            size = int.from_bytes(data[position + 5 : position + 7]), int.from_bytes(data[position + 7 : position + 9])
        if marker == 0xDA:
            # From here on 0xFF is followed by 0xD9 at the end of the image only; a thumbnail's lies before.
            if data.rfind(b"\xff\xd9", position) < 0:
                break
            if size is None:
                raise DamagedError("damaged JPEG: no frame header")
            return size
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    raise DamagedError(f"truncated JPEG: {len(data)} bytes without an end of image")


def check_pixels(height: int, width: int) -> None:
    """Raise DamagedError for a size that no radiograph has, before anything is allocated for it."""
    if height * width == 0 or height * width > MAX_PIXELS:
        raise DamagedError(f"its header says {width} x {height} pixels: no radiograph")


def _decode(data: bytes, path: Path | str) -> tuple[np.ndarray, np.ndarray | None]:
    if data.startswith(_PNG):
        data = _checked_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        check_pixels(*jpeg_size(data))
    elif data.startswith(_TIFF):
        if cv2.imcount(str(path)) > 1:
            raise DamagedError("a TIFF of several pages; write each radiograph to a file of its own")
    elif data.startswith(b"BM"):
        _check_bmp(data)
    elif is_dicom(data):
        from .dicom import read_dicom

        return read_dicom(data)
    else:
        raise DamagedError(_not_an_image(data))
    return _decode_with_opencv(data), None


def is_dicom(data: bytes) -> bool:
    """Whether `data` has a DICOM preamble, or begins as files do that were written without one."""
    # Without a preamble the first element is of group 0002 or 0008, with a small element number.
    return data[128:132] == b"DICM" or (data[:2] in (b"\x02\x00", b"\x08\x00") and data[3:4] == b"\x00")


def _decode_with_opencv(data: bytes) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise DamagedError(f"damaged image: {error.err or error}") from error
    if image is None:
        raise DamagedError("damaged image: its pixels cannot be decoded")
    if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
        raise DamagedError(f"pixels of type {image.dtype} {image.shape}; expected 8 or 16 bits, one to four channels")
    return image


def _checked_png(data: bytes) -> bytes:
    """Walk the chunks to the end: each must be whole and have its checksum, and there must be one frame.

    Returns the PNG without its colour profile, which grey pixels have no use for and libpng warns about.
    """
    position = len(_PNG)
    profile = slice(0, 0)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            break
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise DamagedError(f"damaged PNG: wrong checksum in its {kind!r} chunk at byte {position}")
        if kind == b"IHDR":
            width, height = (int.from_bytes(data[at : at + 4]) for at in (position + 8, position + 12))
            check_pixels(height, width)
        elif kind == b"acTL":
            raise DamagedError("an animated PNG; a radiograph has one frame")
        elif kind == b"iCCP":
            profile = slice(position, end)
        elif kind == b"IEND":
            return data[: profile.start] + data[profile.stop :] if profile.stop else data
        position = end
    raise DamagedError(f"truncated PNG: {len(data)} bytes without an end of image")


def _check_bmp(data: bytes) -> None:
    if len(data) < 54 or int.from_bytes(data[2:6], "little") > len(data):
        raise DamagedError(f"truncated BMP: {len(data)} bytes")


def _not_an_image(data: bytes) -> str:
    if not data:
        return "empty file (0 bytes)"
    for begin, name in _OTHER_FORMATS.items():
        if data.startswith(begin):
            return f"a {name} file; PNG, JPEG, BMP, TIFF and DICOM can be read"
    begin = data[:24].split(b"\n")[0].strip()
    shown = repr(begin.decode()) if begin.isascii() and begin.decode().isprintable() else repr(begin)[1:]
    return f"not an image: it begins with {shown}"
