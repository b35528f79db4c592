"""DICOM radiographs as grey arrays: stored values, padding, rescale, window, inversion."""

from __future__ import annotations

import numpy as np

from ..image_reading import DamagedError
from .elements import ImageElements, parse, read_elements
from .pixels import stored_values
from .presentation import presented


def read_dicom(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode the one frame in the bytes of a DICOM file.

    Stored values (overlays in the bits above them cut off) -> modality LUT or rescale -> VOI LUT or first
    window (PS3.3 C.11) -> MONOCHROME1 inverted as `max - x` -> uint8 where 8 bits were stored and nothing was
    applied, otherwise uint16. Integer values keep their steps; fractional ones (a window) are stretched over
    16 bits. A window of width 0 or less is taken as absent. Colour becomes its luma (BT.601), without window.

    Private elements, overlays in elements of their own and all that names a patient are never taken in, and
    no message quotes what an element holds, numbers apart.

    Returns:
        Grey pixels [H, W], bright = dense, and the mask [H, W] of padding (PixelPaddingValue to
        PixelPaddingRangeLimit) or None. Padding has the darkest value of the other pixels.

    Raises:
        DamagedError: no pixel data, several frames, palette colours, a transfer syntax that cannot be read,
            truncated, undecodable, or of another size than its header says.
    """
    dataset = parse(data)
    elements = read_elements(dataset)
    stored = stored_values(dataset, elements)
    if elements.samples == 3:
        return stored, None
    padding = _padding(stored, elements)
    if padding is not None:
        if padding.all():
            raise DamagedError("every pixel is padding")
        stored = np.where(padding, stored[~padding].min(), stored)
    image = presented(stored, elements)
    if elements.photometric == "MONOCHROME1":
        image = image.max() - image
    if padding is not None:
        image[padding] = image[~padding].min()
    return image, padding


def _padding(stored: np.ndarray, elements: ImageElements) -> np.ndarray | None:
    if elements.padding is None:
        return None
    # Files disagree on the sign of these; the bits are what is meant.
    ends = np.array(elements.padding, dtype=np.uint16).view(np.int16)
    if stored.itemsize == 1 and not ((ends >= -128) & (ends <= 255)).all():
        return None
    ends = ends.astype(stored.dtype)
    mask = (stored >= ends.min()) & (stored <= ends.max())
    return mask if mask.any() else None
