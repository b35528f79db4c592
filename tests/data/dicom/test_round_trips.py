"""Known arrays in each transfer syntax, depth, sign and interpretation, with and without window, come back.

What must come back is worked by hand here from the stored values; pydicom's own pipeline is asked as well.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import get_frame
from pydicom.pixels.processing import apply_rescale, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from cxrbench.data.dicom import read_dicom
from cxrbench.data.phantom.dicom_file import write_dicom

from ..dicom_files import radiograph_dataset

NATIVE = ["implicit little endian", "explicit little endian", "explicit big endian", "deflated"]
LOSSLESS = [*NATIVE, "jpeg lossless", "jpeg-ls", "jpeg 2000 lossless", "rle"]
DEPTHS = {"uint8": 8, "uint10": 10, "uint12": 12, "uint14": 14, "uint16": 16, "int12": 12, "int16": 16}


def known(depth: str) -> np.ndarray:
    """All of the range of `depth`, its ends included, in no order [32, 40]."""
    bits = DEPTHS.get(depth, 8)
    low = -(1 << bits - 1) if depth.startswith("int") else 0
    values = np.random.default_rng(bits).permutation(np.linspace(low, low + (1 << bits) - 1, 32 * 40).astype(np.int64))
    kind = "int" if depth.startswith("int") else "uint"
    return values.reshape(32, 40).astype(f"{kind}{8 if bits == 8 else 16}")


def treatments(stored: np.ndarray) -> list[dict[str, Any]]:
    """Rescales and windows that cut a part of the range of `stored` off on both sides."""
    low, high = int(stored.min()), int(stored.max())
    window = {"WindowCenter": float(round(0.55 * low + 0.45 * high)), "WindowWidth": float(round((high - low) / 2))}
    half = {"RescaleSlope": 0.5, "RescaleIntercept": 3}
    return [
        {},
        {"RescaleSlope": 1, "RescaleIntercept": -1024},
        half,
        {"RescaleSlope": -1, "RescaleIntercept": high},
        window,
        window | {"VOILUTFunction": "LINEAR_EXACT"},
        window | {"VOILUTFunction": "SIGMOID"},
        half | {name: value / 2 + 3 * (name == "WindowCenter") for name, value in window.items()},
    ]


def by_hand(stored: np.ndarray, photometric: str, tags: dict[str, Any]) -> np.ndarray:
    """PS3.3 C.11.1.1.2 and C.11.2.1; MONOCHROME1 as `max - x`; fractions over 16 bits, else from 0 or the least."""
    y = stored.astype(np.float64) * tags.get("RescaleSlope", 1) + tags.get("RescaleIntercept", 0)
    if "WindowCenter" in tags:
        center, width = tags["WindowCenter"], tags["WindowWidth"]
        function = tags.get("VOILUTFunction", "LINEAR")
        if function == "SIGMOID":
            y = 1 / (1 + np.exp(-4 * (y - center) / width))
        else:
            exact = function == "LINEAR_EXACT"
            middle, width = (center, width) if exact else (center - 0.5, width - 1)
            y = np.where(y <= middle - width / 2, 0, np.where(y > middle + width / 2, 1, (y - middle) / width + 0.5))
    fractions = (y != np.rint(y)).any()
    y = (y - y.min()) / (y.max() - y.min()) * 65535 if fractions else y - min(y.min(), 0)
    return y.max() - y if photometric == "MONOCHROME1" else y


def check(dataset: Dataset, stored: np.ndarray, photometric: str, tags: dict[str, Any]) -> None:
    buffer = BytesIO()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(buffer, enforce_file_format=True)
    for keyword in tags:
        delattr(dataset, keyword)
    image, padding = read_dicom(buffer.getvalue())
    assert padding is None
    assert image.dtype == (np.uint8 if stored.dtype == np.uint8 and not tags else np.uint16)
    np.testing.assert_allclose(image, by_hand(stored, photometric, tags), rtol=0, atol=1 if tags else 0)
    np.testing.assert_allclose(unit(image), unit(by_pydicom(buffer.getvalue())), rtol=0, atol=1.01 / 65535)


def by_pydicom(data: bytes) -> np.ndarray:
    dataset = dcmread(BytesIO(data))
    rescaled = apply_rescale(pixel_array(dataset), dataset)
    image = apply_voi_lut(rescaled, dataset).astype(np.float64)
    # With a negative slope pydicom's output range, and with it the picture of a window, is turned round.
    if dataset.get("RescaleSlope", 1) < 0 and "WindowWidth" in dataset:
        image = -image
    return image.max() - image if dataset.PhotometricInterpretation == "MONOCHROME1" else image


def unit(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float64)
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_grey(tmp_path: Path, syntax: str, depth: str, photometric: str):
    stored = known(depth)
    path = tmp_path / "a.dcm"
    write_dicom(path, stored, syntax=syntax, bits_stored=DEPTHS[depth], photometric=photometric)
    dataset = dcmread(path)
    for tags in treatments(stored):
        check(dataset, stored, photometric, tags)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", ["jpeg baseline", "jpeg 2000"])
def test_grey_with_loss_is_what_pillow_decodes(tmp_path: Path, syntax: str, photometric: str):
    ramp = np.add.outer(np.arange(64), 2 * np.arange(64)).astype(np.uint8)
    write_dicom(tmp_path / "a.dcm", ramp, syntax=syntax, photometric=photometric)
    dataset = dcmread(tmp_path / "a.dcm")
    stored = np.array(Image.open(BytesIO(get_frame(dataset.PixelData, 0, number_of_frames=1))))
    for tags in treatments(stored):
        check(dataset, stored, photometric, tags)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
        RLELossless,
    ],
)
def test_grey_of_eight_signed_bits(syntax: UID, photometric: str):
    stored = known("int8")
    assert stored.dtype == np.int8
    dataset = radiograph_dataset(stored, PhotometricInterpretation=photometric)
    in_syntax(dataset, syntax)
    for tags in treatments(stored):
        check(dataset, stored, photometric, tags)


COLOUR = np.random.default_rng(5).integers(0, 256, (32, 40, 3)).astype(np.uint8)
# Of YBR_FULL_422 neighbours share their chroma.
SHARED = COLOUR.copy()
SHARED[:, 1::2, 1:] = SHARED[:, ::2, 1:]
COLOUR_SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless]


def in_syntax(dataset: Dataset, syntax: UID) -> None:
    if syntax.is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax


def grey(dataset: Dataset) -> np.ndarray:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    image, padding = read_dicom(buffer.getvalue())
    assert padding is None
    assert image.dtype == np.uint8
    # The luma of what pydicom makes RGB; its rounding and clipping of YBR costs up to a level or two.
    rgb = pixel_array(dcmread(BytesIO(buffer.getvalue())))
    inside = ((rgb > 0) & (rgb < 255)).all(axis=2)
    luma = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(image[inside], luma[inside], rtol=0, atol=1.5)
    return image


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("syntax", COLOUR_SYNTAXES)
def test_colour_becomes_its_luma(syntax: UID, photometric: str, planar: int):
    dataset = radiograph_dataset(COLOUR, PhotometricInterpretation=photometric)
    if planar and not syntax.is_encapsulated:
        dataset.PlanarConfiguration = 1
        dataset.PixelData = COLOUR.transpose(2, 0, 1).tobytes()
    in_syntax(dataset, syntax)
    if photometric == "YBR_FULL":
        # Y is the luma (PS3.3 C.7.6.3.1.2), nothing to be worked out.
        np.testing.assert_array_equal(grey(dataset), COLOUR[..., 0])
    else:
        np.testing.assert_allclose(grey(dataset), COLOUR @ [0.299, 0.587, 0.114], rtol=0, atol=0.5001)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_uncompressed_ybr_full_422(syntax: UID):
    dataset = radiograph_dataset(SHARED, PhotometricInterpretation="YBR_FULL_422")
    luma, chroma = SHARED[..., 0].reshape(32, 20, 2), SHARED[:, ::2, 1:]
    dataset.PixelData = np.concatenate([luma, chroma], axis=2).tobytes()
    in_syntax(dataset, syntax)
    np.testing.assert_array_equal(grey(dataset), SHARED[..., 0])


@pytest.mark.parametrize(("photometric", "subsampling"), [("YBR_FULL", 0), ("YBR_FULL_422", 1)])
def test_jpeg_of_ybr(photometric: str, subsampling: int):
    """The luma of a JPEG is what Pillow's draft of it in grey holds: its first channel."""
    from pydicom.encaps import encapsulate

    smooth = np.repeat(np.repeat(COLOUR[::8, ::8], 8, axis=0), 8, axis=1)
    buffer = BytesIO()
    Image.fromarray(smooth).save(buffer, "JPEG", quality=95, subsampling=subsampling)
    dataset = radiograph_dataset(smooth, PhotometricInterpretation=photometric)
    dataset.PixelData = encapsulate([buffer.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    opened = Image.open(buffer)
    opened.draft("L", None)
    np.testing.assert_allclose(grey(dataset), np.array(opened), rtol=0, atol=1.5)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_RCT"])
def test_jpeg_2000_of_colour(photometric: str):
    dataset = radiograph_dataset(COLOUR)
    dataset.PhotometricInterpretation = photometric
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    np.testing.assert_allclose(grey(dataset), COLOUR @ [0.299, 0.587, 0.114], rtol=0, atol=0.5001)
