"""MetaImage files (.mha): a header in words, then the pixels, which may be zlib-compressed."""

from __future__ import annotations

import re
import zlib

import numpy as np

from .image_reading import MAX_PIXELS, DamagedError, check_pixels

_KINDS = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i8",
    "MET_ULONG": "u8",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_BEGIN = re.compile(rb"\s*(?:Comment|ObjectType|ObjectSubType|NDims)\s*=", re.IGNORECASE)
_LINE = re.compile(rb"\s*([A-Za-z_]\w*)\s*=[ \t]*([^\r\n]*)\r?\n")
# As many as the largest radiograph has in 16 bits.
_MAX_BYTES = 2 * MAX_PIXELS
# Longest header that is looked through; real ones have a few hundred bytes.
_HEADER = 1 << 16


def is_metaimage(data: bytes) -> bool:
    """Whether `data` begins as the header of a MetaImage does."""
    return _BEGIN.match(data, 0, 256) is not None


def read_metaimage(data: bytes) -> np.ndarray:
    """The one two-dimensional image in the bytes of a .mha file: uint8 or uint16 [H, W].

    Integers keep their steps; they are moved up where some are negative, so that the least is 0. Integers that span
    more than 16 bits, and real numbers that are not whole, are stretched over 0 to 65535.

    Raises:
        DamagedError: not a grey image of two dimensions, its pixels in another file, truncated, larger than its header
            says, or a size that no radiograph has.
    """
    header, start = _header(data)
    shape = _shape(header)
    kind = _kind(header)
    pixels = _pixels(data, start, header, shape[0] * shape[1] * kind.itemsize)
    return _as_grey(np.frombuffer(pixels, kind).reshape(shape).astype(kind.newbyteorder("=")))


def metaimage_size(data: bytes) -> tuple[int, int]:
    """Height and width from the first 64 KiB of a .mha file, where its header lies. Raises DamagedError."""
    return _shape(_header(data)[0])


def metaimage_bytes(pixels: np.ndarray, compressed: bool = True) -> bytes:
    """The bytes of a .mha file with the grey image `pixels`, uint8, uint16 or int16 [H, W]."""
    kinds = {np.dtype(code): name for name, code in reversed(_KINDS.items())}
    stored = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)).tobytes()
    size = ""
    if compressed:
        stored = zlib.compress(stored, 6)
        size = f"CompressedDataSize = {len(stored)}\n"
    header = (
        "ObjectType = Image\nNDims = 2\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"CompressedData = {compressed}\n{size}ElementSpacing = 1 1\nDimSize = {pixels.shape[1]} {pixels.shape[0]}\n"
        f"ElementType = {kinds[pixels.dtype.newbyteorder('=')]}\nElementDataFile = LOCAL\n"
    )
    return header.encode("ascii") + stored


def _header(data: bytes) -> tuple[dict[str, str], int]:
    """Keys in small letters with their values, and where the pixels begin."""
    header: dict[str, str] = {}
    position = 0
    while (line := _LINE.match(data, position, _HEADER)) is not None:
        key, value = line[1].decode("ascii").lower(), line[2].decode("latin-1").strip()
        header[key] = value
        position = line.end()
        if key == "elementdatafile":
            if value.upper() != "LOCAL":
                raise DamagedError(f"a MetaImage with its pixels in {value[:60]!r}; write both to one .mha file")
            return header, position
    raise DamagedError("damaged MetaImage: its header has no line ElementDataFile")


def _shape(header: dict[str, str]) -> tuple[int, int]:
    """Height and width; a third dimension of one image is taken off."""
    stated = header.get("dimsize", "")
    if not re.fullmatch(r"\d{1,9}(?:\s+\d{1,9})+", stated):
        raise DamagedError(f"damaged MetaImage: DimSize is {stated[:40]!r}")
    width, height, *others = map(int, stated.split())
    if header.get("ndims", "") != str(2 + len(others)):
        raise DamagedError(f"damaged MetaImage: NDims is {header.get('ndims', '')[:40]!r}, DimSize {stated[:40]!r}")
    if any(other != 1 for other in others):
        raise DamagedError(f"an image of {' x '.join(stated.split()[:4])}; a radiograph has two dimensions")
    if header.get("elementnumberofchannels", "1") != "1":
        raise DamagedError(f"{header['elementnumberofchannels'][:20]!r} channels; a grey MetaImage has 1")
    check_pixels(height, width)
    return height, width


def _kind(header: dict[str, str]) -> np.dtype:
    name = header.get("elementtype", "")
    if name.upper() not in _KINDS:
        raise DamagedError(f"pixels of type {name[:40]!r}; known are {', '.join(_KINDS)}")
    if not _yes(header, "binarydata", default=True):
        raise DamagedError("its pixels are written as text; write them as binary data")
    swapped = _yes(header, "binarydatabyteordermsb") or _yes(header, "elementbyteordermsb")
    return np.dtype((">" if swapped else "<") + _KINDS[name.upper()])


def _pixels(data: bytes, start: int, header: dict[str, str], expected: int) -> bytes:
    """The `expected` bytes of pixels, inflated where need be; never more than those."""
    if expected > _MAX_BYTES:
        raise DamagedError(f"its header says {expected} bytes of pixels: no radiograph")
    if not _yes(header, "compresseddata"):
        if len(data) - start < expected:
            raise DamagedError(f"truncated MetaImage: {len(data) - start} of {expected} bytes of pixels")
        return data[start : start + expected]
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(memoryview(data)[start:], expected)
        if len(pixels) == expected and inflater.decompress(inflater.unconsumed_tail, 1):
            raise DamagedError(f"its pixels inflate to more than the {expected} bytes that its header says")
    except zlib.error as error:
        raise DamagedError(f"damaged MetaImage: {error}") from error
    if len(pixels) < expected or not inflater.eof:
        raise DamagedError(f"truncated MetaImage: {len(pixels)} of {expected} bytes of pixels")
    return pixels


def _as_grey(values: np.ndarray) -> np.ndarray:
    if values.dtype in (np.uint8, np.uint16):
        return values
    # Eight bytes, in which no difference of the narrower kinds wraps around.
    wide = values.astype(f"{values.dtype.kind}8")
    low, high = wide.min(), wide.max()
    # In float64 neither does one of the widest integers.
    span = float(high) - float(low)
    if not np.isfinite(span):
        raise DamagedError("pixels that are not numbers")
    whole = values.dtype.kind in "iu" or bool((values == np.rint(values)).all())
    if not whole or span > 65535:
        return np.rint((wide.astype(np.float64) - float(low)) * (65535 / span if span else 0)).astype(np.uint16)
    return (wide - low if low < 0 or high > 65535 else wide).astype(np.uint16)


def _yes(header: dict[str, str], key: str, default: bool = False) -> bool:
    return header.get(key, str(default)).lower() in ("true", "1", "yes")
