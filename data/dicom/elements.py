"""What a DICOM file says of its pixels: the few elements that are needed, checked; no other element is kept."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from ..image_reading import MAX_PIXELS, DamagedError, check_pixels
from .quietness import silence_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

_DEFLATED = "1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF
# Nothing else is taken out of the file, so that no name or id of a patient can reach a message.
_ELEMENTS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
)


@dataclass(frozen=True)
class LookupTable:
    """A modality or VOI LUT: `entries` [N] for the values from `first` on; what lies outside takes the nearest."""

    first: int
    entries: np.ndarray


@dataclass(frozen=True)
class Window:
    """The first window of a file; `function` is LINEAR, LINEAR_EXACT or SIGMOID (PS3.3 C.11.2.1)."""

    center: float
    width: float
    function: str


@dataclass(frozen=True)
class ImageElements:
    """How the stored values of one frame are laid out and what is to be done with them.

    `padding` holds PixelPaddingValue and its range limit as they stand in the file, whose sign may be wrong.
    """

    syntax: str
    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    padding: tuple[int, int] | None
    rescale: tuple[float, float] | None
    modality_table: LookupTable | None
    window: Window | None
    voi_table: LookupTable | None


def parse(data: bytes) -> Dataset:
    """The elements of a DICOM file that concern its pixels, as pydicom reads them.

    A missing preamble is allowed; where no transfer syntax is named it is implicit little endian, or explicit if
    the elements look so. Raises DamagedError.
    """
    from pydicom import dcmread
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    silence_pydicom()
    try:
        _check_deflated(data)
        dataset = dcmread(BytesIO(data), force=True, specific_tags=_tags())
        if not hasattr(dataset, "file_meta"):
            dataset.file_meta = FileMetaDataset()
        if not dataset.file_meta.get("TransferSyntaxUID"):
            implicit = dataset.original_encoding[0] is not False
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    except DamagedError:
        raise
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise DamagedError(f"damaged DICOM: its elements cannot be read ({type(error).__name__})") from error
    pixels = dataset.get_item("PixelData", keep_deferred=True)
    if pixels is None:
        kind = "a DICOM file without pixel data" if len(dataset) else "not an image: no DICOM elements"
        raise DamagedError(f"{kind}, or cut off before them")
    found, length = len(raw_bytes(dataset, "PixelData")), getattr(pixels, "length", _UNDEFINED)
    if length not in (_UNDEFINED, found):
        raise DamagedError(f"truncated DICOM: {found} of {length} bytes of pixel data")
    return dataset


def read_elements(dataset: Dataset) -> ImageElements:
    """The elements that `parse` kept, as numbers; nothing is decoded yet.

    Raises:
        DamagedError: an element that is missing or no number, several frames, palette colours, more than 16
            bits, or a size that no radiograph has.
    """
    rows, columns = _whole(dataset, "Rows"), _whole(dataset, "Columns")
    check_pixels(rows, columns)
    _check_frames(dataset)
    allocated = _whole(dataset, "BitsAllocated")
    stored = _whole(dataset, "BitsStored", allocated)
    high = _whole(dataset, "HighBit", stored - 1)
    if allocated not in (8, 16):
        raise DamagedError(f"{allocated} bit{'s' * (allocated != 1)} a pixel; a radiograph has 8 or 16")
    if not 1 <= stored <= high + 1 <= allocated:
        raise DamagedError(f"damaged DICOM header: {stored} bits stored up to bit {high} of {allocated}")
    samples = _whole(dataset, "SamplesPerPixel", 1)
    signed = bool(_whole(dataset, "PixelRepresentation", 0))
    return ImageElements(
        syntax=str(dataset.file_meta.TransferSyntaxUID),
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=_photometric(dataset, samples),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=signed,
        padding=_padding(dataset),
        rescale=_rescale(dataset),
        modality_table=_table(dataset, "ModalityLUTSequence"),
        window=_window(dataset),
        voi_table=_table(dataset, "VOILUTSequence"),
    )


@cache
def _tags() -> list[int]:
    from pydicom.tag import Tag

    return [Tag(keyword) for keyword in _ELEMENTS]


def raw_bytes(dataset: Dataset, keyword: str) -> bytes:
    """The element as it stands in the file, empty where it is missing.

    pydicom's own conversion would quote in warnings what a damaged file holds there. Raises DamagedError.
    """
    # pydicom takes empty elements for deferred ones, and would convert them here.
    element = dataset.get_item(keyword, keep_deferred=True)
    value = None if element is None else element.value
    if value is not None and not isinstance(value, bytes):
        raise DamagedError(f"damaged DICOM header: {keyword} cannot be read")
    return value or b""


def _check_deflated(data: bytes) -> None:
    """Refuse a deflated dataset that inflates beyond any radiograph, before pydicom inflates all of it."""
    from pydicom.filereader import read_dataset, read_preamble

    file = BytesIO(data)
    read_preamble(file, force=True)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    if str(meta.get("TransferSyntaxUID")) != _DEFLATED:
        return
    limit = 2 * MAX_PIXELS
    try:
        inflated = len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[file.tell() :], limit + 1))
    except zlib.error as error:
        raise DamagedError(f"damaged DICOM: {error}") from error
    if inflated > limit:
        raise DamagedError(f"its {len(data)} bytes inflate to more than {limit}: no radiograph")


def _whole(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """A number of 16 bits without sign (VR US or SS)."""
    value = raw_bytes(dataset, keyword)
    if not value and default is not None:
        return default
    if not value:
        raise DamagedError(f"damaged DICOM header: {keyword} is missing")
    if len(value) != 2:
        raise DamagedError(f"damaged DICOM header: {keyword} is not one whole number")
    return int.from_bytes(value, "little" if _little_endian(dataset) else "big")


def _text(dataset: Dataset, keyword: str) -> str:
    """The first of one or several values; empty where there is none."""
    return raw_bytes(dataset, keyword).decode("latin-1").split("\\")[0].strip(" \0")


def _decimal(dataset: Dataset, keyword: str) -> float | None:
    text = _text(dataset, keyword)
    try:
        number = float(text) if text else None
    except ValueError as error:
        raise DamagedError(f"damaged DICOM header: {keyword} is no number") from error
    if number is not None and not np.isfinite(number):
        raise DamagedError(f"damaged DICOM header: {keyword} is no finite number")
    return number


def _little_endian(dataset: Dataset) -> bool:
    return dataset.original_encoding[1] is not False


def _check_frames(dataset: Dataset) -> None:
    frames = _decimal(dataset, "NumberOfFrames") or 1
    if frames != 1:
        raise DamagedError(f"{frames:g} frames; a radiograph has one: write the one that is meant to a file of its own")


def _photometric(dataset: Dataset, samples: int) -> str:
    name = _text(dataset, "PhotometricInterpretation")
    expected = {1: GREY, 3: COLOUR}.get(samples)
    if name == "PALETTE COLOR":
        raise DamagedError("palette colours, which are no densities; export the image as greyscale")
    if expected is None:
        raise DamagedError(f"{samples} channels; expected 1 or 3")
    if name not in expected:
        raise DamagedError(f"{samples}-channel pixels whose photometric interpretation is not {' or '.join(expected)}")
    return name


def _padding(dataset: Dataset) -> tuple[int, int] | None:
    if not raw_bytes(dataset, "PixelPaddingValue"):
        return None
    value = _whole(dataset, "PixelPaddingValue")
    return value, _whole(dataset, "PixelPaddingRangeLimit", value)


def _rescale(dataset: Dataset) -> tuple[float, float] | None:
    slope, intercept = _decimal(dataset, "RescaleSlope"), _decimal(dataset, "RescaleIntercept")
    if slope is None or intercept is None or (slope == 1 and intercept == 0):
        return None
    return slope, intercept


def _window(dataset: Dataset) -> Window | None:
    """The first window; one of width 0 or less, which some writers put in for none, is no window."""
    center, width = _decimal(dataset, "WindowCenter"), _decimal(dataset, "WindowWidth")
    if center is None or width is None or width <= 0:
        return None
    function = _text(dataset, "VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise DamagedError("damaged DICOM header: VOILUTFunction is not LINEAR, LINEAR_EXACT or SIGMOID")
    if function == "LINEAR" and width < 1:
        raise DamagedError(f"damaged DICOM header: WindowWidth {width:g} of a linear window; at least 1 is allowed")
    return Window(center, width, function)


def _table(dataset: Dataset, keyword: str) -> LookupTable | None:
    """The first table of a sequence (PS3.3 C.11.1.1, C.11.2.1.1)."""
    if keyword not in dataset:
        return None
    try:
        if not dataset[keyword].value:
            return None
        item = dataset[keyword].value[0]
        count, first, bits = (int(each) for each in item.LUTDescriptor)
        count = count or 1 << 16
        entries = _entries(item["LUTData"].value, count, _little_endian(dataset))
    except Exception as error:  # malformed tables raise anything
        raise DamagedError(f"damaged DICOM header: {keyword} holds no lookup table") from error
    if len(entries) < count or not 8 <= bits <= 16:
        raise DamagedError(f"damaged DICOM header: {keyword} has {len(entries)} of {count} entries, of {bits} bits")
    return LookupTable(first, entries[:count])


def _entries(values: Any, count: int, little_endian: bool) -> np.ndarray:
    """LUTData as whole numbers; entries of 8 bits may stand two in a word."""
    if not isinstance(values, (bytes, bytearray)):
        return np.atleast_1d(np.asarray(values, dtype=np.int64))
    one_byte_each = len(values) < 2 * count
    order = "u1" if one_byte_each else "<u2" if little_endian else ">u2"
    return np.frombuffer(values[: len(values) // 2 * 2], order).astype(np.int64)
