"""DICOM radiographs as grey arrays: stored values, rescale, window, inversion, padding."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .image_reading import MAX_PIXELS, DamagedError, check_pixels, jpeg_size

if TYPE_CHECKING:
    from pydicom import Dataset

# One decoder a syntax, so that every machine gets the same pixels. JPEG baseline with one channel is
# left to OpenCV (equal values, and it lets other threads run).
_DECODERS = {"1.2.840.10008.1.2.5": "pylibjpeg"}
_DEFAULT_DECODER = "gdcm"
_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
# ITU-R BT.601, as OpenCV weighs RGB files.
_LUMA = np.array([0.299, 0.587, 0.114])


def read_dicom(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode the one frame in the bytes of a DICOM file.

    Stored values -> modality LUT or rescale -> VOI LUT or first window (PS3.3 C.11) -> MONOCHROME1
    inverted as `max - x` -> uint8 where 8 bits were stored and nothing was applied, otherwise uint16.
    Integer values keep their steps; fractional ones (a window) are stretched over 16 bits. A window of
    width 0 or less is taken as absent.

    Returns:
        Grey pixels [H, W], bright = dense, and the mask [H, W] of padding (PixelPaddingValue to
        PixelPaddingRangeLimit) or None. Padding has the darkest value of the other pixels.

    Raises:
        DamagedError: no pixel data, several frames, truncated, undecodable, or larger than its header says.
    """
    dataset = _parse(data)
    _check_header(dataset)
    stored = _stored_values(dataset)
    if stored.ndim == 3:
        return _grey_of_colour(stored, dataset), None
    padding = _padding(stored, dataset)
    if padding is not None:
        if padding.all():
            raise DamagedError("every pixel is padding")
        stored = np.where(padding, stored[~padding].min(), stored)
    image = _presented(stored, dataset)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        image = image.max() - image
        if padding is not None:
            image[padding] = image[~padding].min()
    return image, padding


def _parse(data: bytes) -> Dataset:
    from pydicom import dcmread
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if _DEFLATED in data[:2048]:
        _check_deflated(data)
    try:
        dataset = dcmread(BytesIO(data), force=True)
        if not hasattr(dataset, "file_meta"):
            dataset.file_meta = FileMetaDataset()
        if "TransferSyntaxUID" not in dataset.file_meta:
            implicit = dataset.original_encoding[0] is not False
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise DamagedError(f"damaged DICOM: {_first_line(error)}") from error
    return dataset


def _check_deflated(data: bytes) -> None:
    """Refuse a deflated dataset that inflates beyond any radiograph, before pydicom inflates all of it."""
    start = 144 + int.from_bytes(data[140:144], "little")
    limit = 2 * MAX_PIXELS
    try:
        inflated = len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], limit + 1))
    except zlib.error as error:
        raise DamagedError(f"damaged DICOM: {error}") from error
    if inflated > limit:
        raise DamagedError(f"its {len(data)} bytes inflate to more than {limit}: no radiograph")


def _check_header(dataset: Dataset) -> None:
    """One frame of 1 to 16 bits, with pixel data as large as rows and columns say."""
    if "PixelData" not in dataset:
        kind = "a DICOM file without pixel data" if len(dataset) else "not an image: no DICOM elements"
        raise DamagedError(f"{kind}, or cut off before them")
    try:
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
        bits, samples = int(dataset.BitsAllocated), int(dataset.SamplesPerPixel)
        compressed = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    except Exception as error:
        raise DamagedError(f"damaged DICOM header: {_first_line(error)}") from error
    check_pixels(rows, columns)
    if frames != 1:
        raise DamagedError(f"{frames} frames; a radiograph has one")
    if bits > 16:
        raise DamagedError(f"{bits} bits a pixel; a radiograph has 8 to 16")
    if samples not in (1, 3):
        raise DamagedError(f"{samples} channels; expected 1 or 3")
    if compressed:
        _check_compressed(dataset, rows, columns)
    else:
        _check_uncompressed(dataset, rows * columns * samples * bits)


def _check_uncompressed(dataset: Dataset, bits: int) -> None:
    expected, found = (bits + 7) // 8, len(dataset.PixelData)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        expected = expected * 2 // 3
    if found < expected:
        raise DamagedError(f"truncated DICOM: {found} of {expected} bytes of pixel data")
    if found > 2 * expected + 65536:
        raise DamagedError(f"{found} bytes of pixel data where its header says {expected}")
    # Some archives pad beyond the even byte the standard asks for.
    if found > expected + expected % 2:
        dataset.PixelData = dataset.PixelData[: expected + expected % 2]


def _check_compressed(dataset: Dataset, rows: int, columns: int) -> None:
    """Compare the size in the compressed stream with the header's before anything is decoded."""
    frame = _frame(dataset)
    if frame.startswith(b"\xff\xd8"):
        size = jpeg_size(frame)
    elif frame.startswith(b"\xff\x4f\xff\x51"):
        # JPEG 2000, SIZ: extent of the reference grid less its offset (ISO 15444-1, A.5.1).
        right, bottom, left, top = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
        size = bottom - top, right - left
        if b"\xff\xd9" not in frame[-64:]:
            raise DamagedError("truncated JPEG 2000 pixel data")
    else:
        return
    if size != (rows, columns):
        raise DamagedError(f"its header says {columns} x {rows} pixels, its compressed image is {size[1]} x {size[0]}")


def _frame(dataset: Dataset) -> bytes:
    from pydicom.encaps import get_frame

    try:
        return get_frame(dataset.PixelData, 0, number_of_frames=1)
    except Exception as error:
        raise DamagedError(f"truncated or damaged DICOM pixel data: {_first_line(error)}") from error


def _stored_values(dataset: Dataset) -> np.ndarray:
    """Decoded pixels [H, W] or, for colour, RGB [H, W, 3]."""
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == _JPEG_BASELINE and dataset.SamplesPerPixel == 1 and dataset.BitsAllocated == 8:
        image = cv2.imdecode(np.frombuffer(_frame(dataset), np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise DamagedError("damaged JPEG pixel data")
        return image
    decoder = _DECODERS.get(syntax, _DEFAULT_DECODER) if syntax.is_encapsulated else ""
    try:
        values = pixel_array(dataset, decoding_plugin=decoder)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            values = apply_color_lut(values, dataset)
    except Exception as error:  # decoders raise whatever they stumble over
        raise DamagedError(f"cannot decode its pixel data ({syntax.name}): {_first_line(error)}") from error
    # Big-endian files keep their byte order in pydicom's array.
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    value = dataset.get("PixelPaddingValue")
    if value is None or stored.ndim != 2:
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    # Files disagree on the sign of these; the bits are what is meant.
    ends = np.array([value, value if limit is None else limit], dtype=np.int64).astype(stored.dtype)
    mask = (stored >= ends.min()) & (stored <= ends.max())
    return mask if mask.any() else None


def _presented(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Rescale and window, worked out once for each value that can occur and looked up for each pixel."""
    low, high = int(stored.min()), int(stored.max())
    values = np.arange(low, high + 1)
    presented = _modality_and_window(values, dataset)
    if presented is values and low >= 0:
        return stored
    presented = presented.astype(np.float64)
    darkest, brightest = presented.min(), presented.max()
    if not np.isfinite(presented).all():
        raise DamagedError("its rescale or window gives values that are not numbers")
    if brightest == darkest:
        raise DamagedError("constant after its rescale and window: no radiograph")
    if brightest - darkest > 65535 or (presented != np.rint(presented)).any():
        presented = (presented - darkest) * (65535 / (brightest - darkest))
    elif darkest < 0 or brightest > 65535:
        presented = presented - darkest
    return np.rint(presented).astype(np.uint16)[stored.astype(np.int64) - low]


def _modality_and_window(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """`values` itself where the file names neither a rescale nor a window."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None or intercept is None or (slope == 1 and intercept == 0):
        for keyword in ("RescaleSlope", "RescaleIntercept"):
            if keyword in dataset:
                del dataset[keyword]
        slope = None
    if not _has_window(dataset):
        for keyword in ("WindowCenter", "WindowWidth"):
            if keyword in dataset:
                del dataset[keyword]
    try:
        rescaled = values
        if slope is not None or dataset.get("ModalityLUTSequence"):
            rescaled = apply_modality_lut(values, dataset)
        if not (dataset.get("VOILUTSequence") or _has_window(dataset)):
            return rescaled
        windowed = apply_voi_lut(rescaled, dataset)
    except Exception as error:  # as above: malformed tables raise anything
        raise DamagedError(f"its rescale or window cannot be applied: {_first_line(error)}") from error
    # A negative slope turns pydicom's output range round, and the picture with it.
    return -windowed if slope is not None and slope < 0 and not dataset.get("VOILUTSequence") else windowed


def _has_window(dataset: Dataset) -> bool:
    width, center = dataset.get("WindowWidth"), dataset.get("WindowCenter")
    first = width[0] if isinstance(width, (list, tuple)) or hasattr(width, "insert") else width
    return first is not None and center is not None and first > 0


def _grey_of_colour(rgb: np.ndarray, dataset: Dataset) -> np.ndarray:
    if rgb.shape[2] != 3 or rgb.dtype not in (np.uint8, np.uint16):
        raise DamagedError(f"pixels of type {rgb.dtype}, shape {rgb.shape} ({dataset.PhotometricInterpretation})")
    return np.rint(rgb @ _LUMA).astype(rgb.dtype)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
