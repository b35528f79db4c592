"""Phantoms as DICOM files: each transfer syntax in which public datasets come, and the same bytes each time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.files import writing

if TYPE_CHECKING:
    from pydicom import Dataset

_SYNTAXES = {
    "implicit little endian": "1.2.840.10008.1.2",
    "explicit little endian": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "explicit big endian": "1.2.840.10008.1.2.2",
    "jpeg baseline": "1.2.840.10008.1.2.4.50",
    "jpeg lossless": "1.2.840.10008.1.2.4.70",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg 2000 lossless": "1.2.840.10008.1.2.4.90",
    "jpeg 2000": "1.2.840.10008.1.2.4.91",
    "rle": "1.2.840.10008.1.2.5",
}
_LOSSY = {"jpeg baseline": "ISO_10918_1", "jpeg 2000": "ISO_15444_1"}
# About the size of what archives send; phantoms have no finer detail to lose.
_JPEG_2000_RATIO = 10
_JPEG_QUALITY = 95
_COMPUTED_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"


def write_dicom(
    path: Path,
    pixels: np.ndarray,
    *,
    sop_uid: str | None = None,
    study_uid: str | None = None,
    series_uid: str | None = None,
    patient_id: str = "",
    syntax: str = "explicit little endian",
    photometric: str = "MONOCHROME2",
    bits_stored: int | None = None,
    window: tuple[float, float] | None = None,
    elements: Mapping[str, object] | None = None,
) -> None:
    """Write one grey image as a DICOM file; its folder is made. Equal arguments give equal bytes.

    Args:
        path: the file; a name of any suffix or none.
        pixels: stored values [H, W], uint8, uint16 or int16, all within `bits_stored`. For MONOCHROME1 the
            caller inverts.
        sop_uid, study_uid, series_uid: taken from a hash of the file's name and the pixels where not given.
        patient_id: PatientID; the name is always empty.
        syntax: implicit, explicit or deflated little endian and so on; the keys of `_SYNTAXES`. "jpeg
            baseline" holds 8 bits only, "jpeg lossless" an even number of pixels where they have 8,
            "jpeg 2000" at least 32 x 32 pixels.
        photometric: MONOCHROME1 or MONOCHROME2.
        bits_stored: bits of a pixel that hold its value; all that are allocated by default.
        window: WindowCenter and WindowWidth.
        elements: further elements by DICOM keyword, set last; None takes one out.

    Raises:
        UserError: a full disk, or a folder that cannot be written.
        ValueError: pixels, bits, syntax or a keyword that DICOM or this function does not know.
    """
    from pydicom.uid import UID

    bits = bits_stored or pixels.dtype.itemsize * 8
    _check(pixels, bits, syntax, photometric)
    name_and_pixels = hashlib.sha256(path.name.encode() + pixels.tobytes())
    dataset = _described(pixels, bits, photometric)
    dataset.SOPInstanceUID = sop_uid or _uid("image", name_and_pixels.digest())
    dataset.StudyInstanceUID = study_uid or _uid("study", name_and_pixels.digest())
    dataset.SeriesInstanceUID = series_uid or _uid("series", name_and_pixels.digest())
    dataset.PatientID = patient_id
    if window is not None:
        dataset.WindowCenter, dataset.WindowWidth = (f"{value:.10g}" for value in window)
    _add_pixels(dataset, pixels, syntax)
    _add_elements(dataset, elements or {})
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())


def _check(pixels: np.ndarray, bits: int, syntax: str, photometric: str) -> None:
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16, np.int16):
        raise ValueError(f"pixels of type {pixels.dtype}, shape {pixels.shape}; give uint8, uint16 or int16 [H, W]")
    if syntax not in _SYNTAXES:
        raise ValueError(f"unknown syntax {syntax!r}; known: {', '.join(_SYNTAXES)}")
    if syntax == "jpeg baseline" and pixels.dtype != np.uint8:
        raise ValueError(f"jpeg baseline holds 8 bits, not {pixels.dtype}")
    if syntax == "jpeg lossless" and pixels.nbytes % 2:
        raise ValueError("GDCM writes no odd number of 8-bit pixels as jpeg lossless")
    if syntax.startswith("jpeg 2000") and min(pixels.shape) < 32:
        raise ValueError(f"{syntax} needs 32 x 32 pixels or more, not {pixels.shape[1]} x {pixels.shape[0]}")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"unknown photometric interpretation {photometric!r}; write MONOCHROME1 or MONOCHROME2")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if pixels.dtype == np.int16 else (0, (1 << bits) - 1)
    if not low <= int(pixels.min()) <= int(pixels.max()) <= high:
        raise ValueError(f"pixels from {pixels.min()} to {pixels.max()} do not fit into {bits} bits stored")


def _described(pixels: np.ndarray, bits: int, photometric: str) -> Dataset:
    from pydicom.dataset import Dataset, FileMetaDataset

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = _COMPUTED_RADIOGRAPHY
    dataset.Modality = "CR"
    dataset.PatientName = ""
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype == np.int16)
    return dataset


def _add_pixels(dataset: Dataset, pixels: np.ndarray, syntax: str) -> None:
    from pydicom.uid import UID

    uid = UID(_SYNTAXES[syntax])
    if syntax in _LOSSY:
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionMethod = _LOSSY[syntax]
    if syntax == "jpeg baseline":
        _encapsulate(dataset, _jpeg(pixels))
    elif syntax in ("jpeg lossless", "jpeg-ls"):
        _encapsulate(dataset, _gdcm(pixels, dataset.BitsStored, syntax))
    elif syntax == "jpeg 2000":
        dataset.compress(uid, pixels, "pylibjpeg", generate_instance_uid=False, j2k_cr=[_JPEG_2000_RATIO])
    elif uid.is_encapsulated:
        dataset.compress(uid, pixels, "pylibjpeg", generate_instance_uid=False)
    else:
        order = ">" if syntax == "explicit big endian" else "<"
        stored = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        dataset.PixelData = stored + bytes(len(stored) % 2)
        dataset["PixelData"].VR = "OB" if pixels.dtype == np.uint8 else "OW"
    dataset.file_meta.TransferSyntaxUID = uid


def _encapsulate(dataset: Dataset, frame: bytes) -> None:
    from pydicom.encaps import encapsulate

    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _jpeg(pixels: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()


def _gdcm(pixels: np.ndarray, bits: int, syntax: str) -> bytes:
    """One frame of lossless JPEG (process 14, first-order prediction) or JPEG-LS."""
    import gdcm

    # GDCM frees what its filters were given, so the image must be one that GDCM itself made and holds.
    holder = gdcm.ImageReader()
    image = holder.GetImage()
    image.SetNumberOfDimensions(2)
    image.SetDimension(0, pixels.shape[1])
    image.SetDimension(1, pixels.shape[0])
    monochrome = gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    image.SetPhotometricInterpretation(monochrome)
    signed = int(pixels.dtype == np.int16)
    image.SetPixelFormat(gdcm.PixelFormat(1, pixels.dtype.itemsize * 8, bits, bits - 1, signed))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.ExplicitVRLittleEndian))
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetByteStringValue(pixels.tobytes())
    image.SetDataElement(element)
    types = gdcm.TransferSyntax
    target = types.JPEGLSLossless if syntax == "jpeg-ls" else types.JPEGLosslessProcess14_1
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(target))
    change.SetInput(image)
    if not change.Change():
        raise ValueError(f"GDCM cannot write {pixels.dtype} of {bits} bits as {syntax}")
    fragments = change.GetOutput().GetDataElement().GetSequenceOfFragments()
    frame = fragments.GetFragment(0).GetByteValue().GetBuffer()
    # SWIG hands bytes over as text where they happen to be UTF-8.
    return frame.encode("utf-8", "surrogateescape") if isinstance(frame, str) else bytes(frame)


def _add_elements(dataset: Dataset, elements: Mapping[str, object]) -> None:
    from pydicom.datadict import tag_for_keyword

    for keyword, value in elements.items():
        if tag_for_keyword(keyword) is None:
            raise ValueError(f"{keyword!r} is no DICOM keyword")
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            del dataset[keyword]


def _uid(kind: str, digest: bytes) -> str:
    """A UID below 2.25, where any 128 bits may stand (PS3.5 B.2)."""
    return f"2.25.{int.from_bytes(hashlib.sha256(kind.encode() + digest).digest()[:16])}"
