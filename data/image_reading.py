"""PNG, JPEG, BMP, TIFF, MetaImage, DICOM and raw JSRT files as grey arrays; a damaged file is an error."""

from __future__ import annotations

import zlib
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..foundation.errors import UserError
from .preprocessing import spare_factor

# The largest radiographs have about 30 million pixels; a file that claims far more is damaged or hostile.
MAX_PIXELS = 1 << 27

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\x00", b"MM\x00*")
# Start of frame: baseline, extended, progressive, lossless, arithmetic. C4, C8 and CC are other segments.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
# Frames of discrete cosine transforms, which can be decoded at 1/2, 1/4 and 1/8: baseline, extended, progressive.
_SCALABLE = frozenset({0xC0, 0xC1, 0xC2})
_SCALED = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_OTHER_FORMATS = {
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"\x00\x00\x00\x0cjP": "JPEG 2000",
    b"%PDF": "PDF",
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
}
# JSRT's .IMG files have no header: 12 bits in big-endian words (Shiraishi 2000, doi:10.2214/ajr.174.1.1740071).
JSRT_SIDE = 2048
JSRT_MAX = 4095
_JSRT_BYTES = 2 * JSRT_SIDE**2


class DamagedError(ValueError):
    """Why the bytes of a file are no radiograph; the reader adds the file's name."""


def read_image(path: Path | str) -> np.ndarray:
    """Read one radiograph as a grey array [H, W], uint8 or uint16, in which bright is dense.

    PNG (1 to 16 bits; grey, RGB, RGBA, palette), JPEG, BMP and single-page TIFF are read by OpenCV: the
    orientation in the file's EXIF is applied, alpha is ignored, and colour becomes its luma (ITU-R
    BT.601, within one level), which is the channel itself where all three are equal. DICOM is read by
    `dicom.read_dicom`; its padding pixels get the darkest value of the others. MetaImage (.mha) is read by
    `metaimage.read_metaimage`. A file of 8,388,608 bytes called *.IMG is one of JSRT's, which show lungs bright: its
    12-bit values x become 4095 - x, the same function for every file.

    Raises:
        UserError: one line that names the file: missing, empty, no image, truncated, damaged, several
            frames, or 16 bits with the same value everywhere.
    """
    return read_with_padding(path)[0]


def read_with_padding(path: Path | str, shrinks_to: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """As `read_image`, with a bool mask [H, W] of the pixels that are padding, or None where there are none.

    With `shrinks_to`, the side that `preprocess` will bring it to, a JPEG may come smaller by 2, 4 or 8, up to its
    `spare_factor`: the decoder averages (in the frequency domain), in less time, what would be averaged anyway.
    """
    try:
        # Twice as fast for small files as a buffered reader.
        with FileIO(path) as file:
            data = file.readall()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        image, padding = _decode(data, path, shrinks_to)
        if image.dtype == np.uint16 and image.min() == image.max():
            raise DamagedError(f"constant value {image.flat[0]} everywhere: no radiograph")
    except DamagedError as error:
        raise UserError(f"{path}: {error}") from error
    return image, padding


class JpegFrame(NamedTuple):
    """What a JPEG's frame header says: its marker (0xC0 baseline, ...), bits a sample, and size."""

    marker: int
    bits: int
    height: int
    width: int


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width of a JPEG stream, checked as by `jpeg_frame`."""
    frame = jpeg_frame(data)
    return frame.height, frame.width


def jpeg_frame(data: bytes) -> JpegFrame:
    """The frame header of a JPEG stream, after checking that the stream goes on to its end.

    Decoders fill what is missing of a truncated JPEG with grey and report nothing. Raises DamagedError.
    """
    frame = None
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise DamagedError(f"damaged JPEG: no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte before a marker
            position += 1
            continue
        if marker in _START_OF_FRAME and position + 9 <= len(data):
            height, width = (int.from_bytes(data[at : at + 2]) for at in (position + 5, position + 7))
            frame = JpegFrame(marker, data[position + 4], height, width)
        if marker == 0xDA:
            # From here on 0xFF is followed by 0xD9 at the end of the image only; a thumbnail's lies before.
            if data.rfind(b"\xff\xd9", position) < 0:
                break
            if frame is None:
                raise DamagedError("damaged JPEG: no frame header")
            return frame
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    raise DamagedError(f"truncated JPEG: {len(data)} bytes without an end of image")


def check_pixels(height: int, width: int) -> None:
    """Raise DamagedError for a size that no radiograph has, before anything is allocated for it."""
    if height * width == 0 or height * width > MAX_PIXELS:
        raise DamagedError(f"its header says {width} x {height} pixels: no radiograph")


def _decode(data: bytes, path: Path | str, shrinks_to: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    if str(path)[-4:].lower() == ".img" and (image := _read_jsrt(data)) is not None:
        return image, None
    if data.startswith(_PNG):
        data = _checked_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        frame = jpeg_frame(data)
        check_pixels(frame.height, frame.width)
        if shrinks_to is not None and frame.marker in _SCALABLE and frame.bits == 8:
            return _decode_scaled(data, frame, min(8, spare_factor(frame.height, frame.width, shrinks_to))), None
    elif data.startswith(_TIFF):
        if cv2.imcount(str(path)) > 1:
            raise DamagedError("a TIFF of several pages; write each radiograph to a file of its own")
    elif data.startswith(b"BM"):
        _check_bmp(data)
    elif is_dicom(data):
        from .dicom import read_dicom

        return read_dicom(data)
    else:
        from .metaimage import is_metaimage, read_metaimage

        if is_metaimage(data):
            return read_metaimage(data), None
        raise DamagedError(_not_an_image(data, path))
    return _decode_with_opencv(data), None


def is_dicom(data: bytes) -> bool:
    """Whether `data` has a DICOM preamble, or begins as files do that were written without one."""
    # Without a preamble the first element is of group 0002 or 0008, with a small element number.
    return data[128:132] == b"DICM" or (data[:2] in (b"\x02\x00", b"\x08\x00") and data[3:4] == b"\x00")


def _read_jsrt(data: bytes) -> np.ndarray | None:
    """A raw file of JSRT as uint16 [2048, 2048], dense = bright; None where `data` are none of its bytes."""
    if len(data) != _JSRT_BYTES:
        return None
    stored = np.frombuffer(data, ">u2").reshape(JSRT_SIDE, JSRT_SIDE)
    if (brightest := int(stored.max())) > JSRT_MAX:
        raise DamagedError(f"values up to {brightest}; JSRT's 12 bits end at {JSRT_MAX}: were its bytes swapped?")
    return (JSRT_MAX - stored).astype(np.uint16)


def _decode_scaled(data: bytes, frame: JpegFrame, factor: int) -> np.ndarray:
    """A JPEG at 1 / `factor` of its size, without the boxes at its end that are not full."""
    height, width = frame.height // factor, frame.width // factor
    full = (height * factor, width * factor) == (frame.height, frame.width)
    if not full and b"Exif\0" in data:
        # It may be turned, and then its end lies at another side.
        return _decode_with_opencv(data)
    image = _decode_with_opencv(data, _SCALED[factor])
    return image if full else np.ascontiguousarray(image[:height, :width])


def _decode_with_opencv(data: bytes, flags: int = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
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


def _not_an_image(data: bytes, path: Path | str) -> str:
    if not data:
        return "empty file (0 bytes)"
    if Path(path).suffix.lower() == ".img":
        return f"truncated or no raw image of JSRT: {len(data)} of {_JSRT_BYTES} bytes"
    for begin, name in _OTHER_FORMATS.items():
        if data.startswith(begin):
            return f"a {name} file; PNG, JPEG, BMP, TIFF, DICOM and MetaImage can be read"
    begin = data[:24].split(b"\n")[0].strip()
    shown = repr(begin.decode()) if begin.isascii() and begin.decode().isprintable() else repr(begin)[1:]
    return f"not an image: it begins with {shown}"
