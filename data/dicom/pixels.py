"""The stored values of a DICOM file: the size of its pixel data is checked first, then one decoder a syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..image_reading import DamagedError, jpeg_frame
from .elements import GREY, ImageElements, raw_bytes

if TYPE_CHECKING:
    from pydicom import Dataset

_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_RLE = "1.2.840.10008.1.2.5"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", _BIG_ENDIAN)
# One decoder a syntax, so that every machine gets the same pixels.
_DECODERS = {
    _JPEG_BASELINE: "gdcm",  # in colour; one channel is OpenCV's (equal values, and it lets other threads run)
    "1.2.840.10008.1.2.4.51": "gdcm",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "gdcm",
    "1.2.840.10008.1.2.4.81": "gdcm",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
    _RLE: "pylibjpeg",
}
# Start of frame of the lossless processes and of JPEG-LS.
_MARKERS = {
    "1.2.840.10008.1.2.4.57": (0xC3,),
    "1.2.840.10008.1.2.4.70": (0xC3,),
    "1.2.840.10008.1.2.4.80": (0xF7,),
    "1.2.840.10008.1.2.4.81": (0xF7,),
}
# ITU-R BT.601, as OpenCV weighs RGB files.
_LUMA = np.array([0.299, 0.587, 0.114])


def stored_values(dataset: Dataset, elements: ImageElements) -> np.ndarray:
    """The one frame [H, W], uint8, uint16, int8 or int16; colour as its luma (BT.601), uint8 or uint16.

    Bits above those stored, where old files keep overlays, are no pixels: they are cut off, and signed values
    take their sign from the highest bit stored.

    Raises:
        DamagedError: an unknown transfer syntax, pixel data of another size than the header says, truncated
            or undecodable.
    """
    if elements.syntax in _NATIVE:
        _fit_uncompressed(dataset, elements)
        if elements.samples == 1 and elements.syntax != _BIG_ENDIAN:
            return _uncompressed_grey(dataset, elements)
    elif elements.syntax == _RLE:
        _check_run_lengths(dataset, elements)
    elif elements.syntax in _DECODERS:
        frame = _frame(dataset)
        _check_compressed(frame, elements)
        if elements.syntax == _JPEG_BASELINE and elements.samples == 1 and elements.bits_allocated == 8:
            return _jpeg(frame, elements)
    else:
        raise DamagedError(
            f"its transfer syntax, {_name(elements)}, cannot be read; write it uncompressed, as with gdcmconv --raw"
        )
    return _decoded(dataset, elements)


def _fit_uncompressed(dataset: Dataset, elements: ImageElements) -> None:
    """Check the length of uncompressed pixel data and cut off what some archives pad."""
    expected = elements.rows * elements.columns * elements.samples * elements.bits_allocated // 8
    if elements.photometric == "YBR_FULL_422":
        expected = expected * 2 // 3
    pixels = raw_bytes(dataset, "PixelData")
    found = len(pixels)
    if found < expected:
        raise DamagedError(f"truncated DICOM: {found} of {expected} bytes of pixel data")
    if found > 2 * expected + 65536:
        raise DamagedError(f"{found} bytes of pixel data where its header says {expected}")
    if found > expected + expected % 2:
        dataset.PixelData = pixels[: expected + expected % 2]


def _uncompressed_grey(dataset: Dataset, elements: ImageElements) -> np.ndarray:
    kind = np.dtype(f"<{'i' if elements.signed else 'u'}{elements.bits_allocated // 8}")
    shape = elements.rows, elements.columns
    values = np.frombuffer(raw_bytes(dataset, "PixelData"), kind, shape[0] * shape[1]).reshape(shape)
    # The highest bit stored comes to the top, so that the way back down brings its sign along.
    values = values << (elements.bits_allocated - 1 - elements.high_bit)
    values >>= elements.bits_allocated - elements.bits_stored
    return values


def _frame(dataset: Dataset) -> bytes:
    from pydicom.encaps import get_frame

    try:
        return get_frame(raw_bytes(dataset, "PixelData"), 0, number_of_frames=1)
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise DamagedError("truncated or damaged DICOM pixel data: no whole frame") from error


def _check_run_lengths(dataset: Dataset, elements: ImageElements) -> None:
    pixels = elements.rows * elements.columns * elements.samples * elements.bits_allocated // 8
    there = len(raw_bytes(dataset, "PixelData"))
    # PackBits: two bytes stand for 128 at most.
    if 64 * there < pixels:
        raise DamagedError(f"truncated run lengths: {there} bytes for {pixels}")


def _check_compressed(frame: bytes, elements: ImageElements) -> None:
    """Compare the size in the compressed stream with the header's before anything is decoded."""
    if frame.startswith(b"\xff\xd8"):
        size = _jpeg_size(frame, elements)
    elif frame.startswith(b"\xff\x4f\xff\x51"):
        size = _jpeg_2000_size(frame, elements)
    else:
        raise DamagedError("its pixel data do not begin as its transfer syntax does")
    if size != (elements.rows, elements.columns):
        said = f"{elements.columns} x {elements.rows} pixels"
        raise DamagedError(f"its header says {said}, its compressed image is {size[1]} x {size[0]}")


def _jpeg_size(frame: bytes, elements: ImageElements) -> tuple[int, int]:
    """GDCM ends the whole process over a process or a precision that its decoder of the syntax does not have."""
    said = jpeg_frame(frame)
    if said.marker not in _MARKERS.get(elements.syntax, (said.marker,)):
        raise DamagedError(f"its pixel data are not {_name(elements)}, which its transfer syntax is")
    if not 2 <= said.bits <= elements.bits_allocated:
        raise DamagedError(f"its header says {elements.bits_allocated} bits, its compressed image has {said.bits}")
    return said.height, said.width


def _jpeg_2000_size(frame: bytes, elements: ImageElements) -> tuple[int, int]:
    """SIZ: the extent of the reference grid less its offset, and the channels (ISO 15444-1, A.5.1)."""
    right, bottom, left, top = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
    if b"\xff\xd9" not in frame[-64:]:
        raise DamagedError("truncated JPEG 2000 pixel data")
    channels = int.from_bytes(frame[40:42])
    if channels != elements.samples:
        raise DamagedError(f"its header says {elements.samples} channels, its compressed image has {channels}")
    return bottom - top, right - left


def _jpeg(frame: bytes, elements: ImageElements) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise DamagedError("damaged JPEG pixel data")
    return image.view(np.int8) if elements.signed else image


def _decoded(dataset: Dataset, elements: ImageElements) -> np.ndarray:
    from pydicom.pixels.utils import pixel_array

    below = elements.high_bit + 1 - elements.bits_stored
    # Luma is what YBR's first channel holds, so uncompressed YBR needs no way over RGB.
    luma = elements.photometric in ("YBR_FULL", "YBR_FULL_422") and elements.syntax in (*_NATIVE, _RLE)
    try:
        if below:
            # pydicom takes the lowest bit for the pixel's; the bits below it are cut off here.
            dataset.BitsStored = elements.high_bit + 1
        values = pixel_array(dataset, raw=luma, decoding_plugin=_DECODERS.get(elements.syntax, ""))
    except BaseException as error:
        # Decoders raise whatever they stumble over, and the panics of the one in Rust are no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise DamagedError(f"cannot decode its pixel data ({_name(elements)}): {_first_line(error)}") from error
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 2:
        raise DamagedError(f"its pixel data are {values.dtype}; a radiograph has 8 or 16 bits")
    # Big-endian files keep their byte order in pydicom's array.
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if below:
        values = values >> below
    if elements.photometric in GREY:
        return values
    if values.dtype.kind != "u":
        raise DamagedError("colour pixels with a sign")
    return values[..., 0] if luma else np.rint(values @ _LUMA).astype(values.dtype)


def _name(elements: ImageElements) -> str:
    from pydicom.uid import UID

    uid = UID(elements.syntax, validation_mode=0)
    if not uid.is_valid:
        return "which is no UID"
    return f"{uid.name} ({uid})" if uid.name != uid else f"{uid} (private)" if uid.is_private else str(uid)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
