"""Phantoms as the DICOM files of public datasets: bits, syntax, inversion and excess bytes vary from file to file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..phantom.dicom_file import write_dicom


@dataclass(frozen=True)
class DicomLook:
    """How one file holds its pixels.

    Attributes:
        bits: stored bits; 8 are allocated as 8, more as 16.
        syntax: as `write_dicom` names it.
        inverted: MONOCHROME1.
        windowed: whether a window over all values is named.
        excess: bytes of pixel data beyond the image; only in files that are not compressed.
    """

    bits: int = 12
    syntax: str = "explicit little endian"
    inverted: bool = False
    windowed: bool = False
    excess: int = 0


def write_phantom_dicom(
    path: Path, pixels: np.ndarray, look: DicomLook, patient_id: str = "", study_uid: str | None = None
) -> None:
    """Write uint8 [H, W], bright = dense, as `look` says; `read_image` gives it back, scaled to the stored bits."""
    stored = pixels if look.bits == 8 else pixels.astype(np.uint16) << (look.bits - 8)
    if look.inverted:
        stored = stored.max() - stored
    elements = {}
    if look.excess:
        data = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
        elements["PixelData"] = data + bytes(look.excess + (len(data) + look.excess) % 2)
    full = float(1 << look.bits)
    write_dicom(
        path,
        stored,
        study_uid=study_uid,
        patient_id=patient_id,
        syntax=look.syntax,
        photometric="MONOCHROME1" if look.inverted else "MONOCHROME2",
        bits_stored=look.bits,
        window=(full / 2, full) if look.windowed else None,
        elements=elements,
    )
