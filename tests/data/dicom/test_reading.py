"""DICOM files of each syntax and oddity; expected values are worked by hand or are what was written."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import cv2
import gdcm
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from cxrbench.data.image_reading import read_image, read_with_padding
from cxrbench.foundation.errors import UserError

from ..dicom_files import radiograph_dataset, write, write_encapsulated, write_with_gdcm

RANDOM = np.random.default_rng(3)
EIGHT = cv2.GaussianBlur(RANDOM.integers(0, 256, (48, 64)).astype(np.uint8), (0, 0), 2)
TWELVE = RANDOM.integers(0, 4096, (48, 64)).astype(np.uint16)
RAMP = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100


def read(dataset: Dataset, folder: Path) -> np.ndarray:
    return read_image(write(dataset, folder / "image.dcm"))


def message(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_image(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_eight_bits_stay_eight(tmp_path: Path):
    image = read(radiograph_dataset(EIGHT), tmp_path)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, EIGHT)


@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEG2000Lossless, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian]
)
@pytest.mark.parametrize("bits", [8, 12])
def test_syntaxes_without_loss_give_the_stored_pixels(tmp_path: Path, syntax: UID, bits: int):
    pixels = EIGHT if bits == 8 else TWELVE
    dataset = radiograph_dataset(pixels, bits)
    if syntax.is_encapsulated:
        dataset.compress(syntax)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    image = read(dataset, tmp_path)
    assert image.dtype == pixels.dtype
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize(
    "syntax",
    [
        gdcm.TransferSyntax.JPEGLosslessProcess14,
        gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        gdcm.TransferSyntax.JPEGLSLossless,
    ],
)
@pytest.mark.parametrize("bits", [8, 12])
def test_lossless_jpeg_gives_the_stored_pixels(tmp_path: Path, syntax: int, bits: int):
    pixels = EIGHT if bits == 8 else TWELVE
    path = write_with_gdcm(radiograph_dataset(pixels, bits), tmp_path / "image.dcm", syntax)
    np.testing.assert_array_equal(read_image(path), pixels)


def test_baseline_jpeg_gives_what_the_jpeg_holds(tmp_path: Path):
    frame = cv2.imencode(".jpg", EIGHT)[1].tobytes()
    path = write_encapsulated(radiograph_dataset(EIGHT), frame, tmp_path / "image.dcm", JPEGBaseline8Bit)
    np.testing.assert_array_equal(read_image(path), cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_GRAYSCALE))


def test_lossy_jpeg_2000_is_near(tmp_path: Path):
    dataset = radiograph_dataset(EIGHT)
    dataset.compress(JPEG2000, j2k_cr=[4])
    assert np.abs(read(dataset, tmp_path).astype(int) - EIGHT).mean() < 3


def test_big_endian(tmp_path: Path):
    dataset = radiograph_dataset(RAMP)
    dataset.PixelData = RAMP.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    image = read(dataset, tmp_path)
    assert image.dtype == np.dtype(np.uint16)
    np.testing.assert_array_equal(image, RAMP)


@pytest.mark.parametrize("implicit", [True, False])
def test_no_preamble_and_no_syntax(tmp_path: Path, implicit: bool):
    dataset = radiograph_dataset(TWELVE, 12)
    del dataset.file_meta
    path = tmp_path / "image.dicom"
    dataset.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_image(path), TWELVE)


def test_dicom_is_recognised_without_its_suffix(tmp_path: Path):
    np.testing.assert_array_equal(read_image(write(radiograph_dataset(EIGHT), tmp_path / "000001")), EIGHT)


def test_monochrome1_is_inverted_once_by_its_maximum(tmp_path: Path):
    image = read(radiograph_dataset(RAMP, 12, PhotometricInterpretation="MONOCHROME1"), tmp_path)
    np.testing.assert_array_equal(image, 1100 - RAMP)


def test_signed_values_are_shifted_to_zero(tmp_path: Path):
    image = read(radiograph_dataset(RAMP.astype(np.int16) - 500), tmp_path)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, RAMP)


def test_bits_above_those_stored_are_not_pixels(tmp_path: Path):
    overlaid = RAMP | np.where(RAMP == 300, 0x8000, 0).astype(np.uint16)
    np.testing.assert_array_equal(read(radiograph_dataset(overlaid, 12), tmp_path), RAMP)


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        (1, 0, RAMP),
        (1, -200, RAMP),  # -200 .. 900, shifted to 0
        (2, 10, RAMP * 2 + 10),
        (-1, 1100, 1100 - RAMP),
        (0.5, 0, np.rint(RAMP / 1100 * 65535)),  # fractions, stretched over 16 bits
    ],
)
def test_rescale(tmp_path: Path, slope: float, intercept: float, expected: np.ndarray):
    image = read(radiograph_dataset(RAMP, 12, RescaleSlope=slope, RescaleIntercept=intercept), tmp_path)
    np.testing.assert_array_equal(image, expected)


def windowed(function: str, center: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3 on RAMP with output 0 to 1, stretched to 16 bits."""
    x = RAMP.astype(float)
    if function == "LINEAR":
        y = np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    elif function == "LINEAR_EXACT":
        y = np.clip((x - center) / width + 0.5, 0, 1)
    else:
        y = 1 / (1 + np.exp(-4 * (x - center) / width))
    return (y - y.min()) / (y.max() - y.min()) * 65535


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("several", [False, True])
def test_first_window_is_applied(tmp_path: Path, function: str, several: bool):
    tags: dict[str, Any] = {"WindowCenter": 500, "WindowWidth": 600, "VOILUTFunction": function}
    if several:
        tags |= {"WindowCenter": [500, 9], "WindowWidth": [600, 9]}
    image = read(radiograph_dataset(RAMP, 12, **tags), tmp_path)
    np.testing.assert_allclose(image, windowed(function, 500, 600), atol=1)


def test_window_applies_to_rescaled_values_and_before_inversion(tmp_path: Path):
    tags = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 900, "WindowWidth": 1200}
    dataset = radiograph_dataset(RAMP, 12, PhotometricInterpretation="MONOCHROME1", **tags)
    # 2 x - 100 in a window of 900, 1200 is x in one of 500, 600 (LINEAR's halves aside).
    np.testing.assert_allclose(read(dataset, tmp_path), 65535 - windowed("LINEAR_EXACT", 500, 600), atol=100)


def test_window_after_a_negative_slope_keeps_the_order_of_the_rescaled_values(tmp_path: Path):
    tags = {"RescaleSlope": -1, "RescaleIntercept": 1100, "WindowCenter": 550, "WindowWidth": 2000}
    image = read(radiograph_dataset(RAMP, 12, **tags), tmp_path).ravel()
    assert (np.diff(image.astype(int)) < 0).all()


@pytest.mark.parametrize("width", [0, -1])
def test_window_without_width_is_no_window(tmp_path: Path, width: int):
    np.testing.assert_array_equal(
        read(radiograph_dataset(RAMP, 12, WindowCenter=500, WindowWidth=width), tmp_path), RAMP
    )


def test_empty_window_is_no_window(tmp_path: Path):
    np.testing.assert_array_equal(
        read(radiograph_dataset(RAMP, 12, WindowCenter=None, WindowWidth=None), tmp_path), RAMP
    )


def test_voi_table_is_applied(tmp_path: Path):
    item = Dataset()
    item.LUTDescriptor = [4, 0, 16]
    item.LUTData = np.array([10, 20, 40, 80], "<u2").tobytes()
    pixels = np.array([[0, 1], [2, 3]], np.uint16)
    image = read(radiograph_dataset(pixels, 12, VOILUTSequence=Sequence([item])), tmp_path)
    np.testing.assert_array_equal(image, [[10, 20], [40, 80]])


def test_window_that_shows_nothing_is_an_error(tmp_path: Path):
    path = write(radiograph_dataset(RAMP, 12, WindowCenter=30000, WindowWidth=10), tmp_path / "image.dcm")
    assert "window" in message(path)


def test_padding_is_marked_and_gets_the_darkest_value(tmp_path: Path):
    pixels = RAMP.copy()
    pixels[0, :2] = 4095
    image, padding = read_with_padding(
        write(radiograph_dataset(pixels, 12, PixelPaddingValue=4095), tmp_path / "a.dcm")
    )
    assert padding is not None
    np.testing.assert_array_equal(padding, pixels == 4095)
    np.testing.assert_array_equal(image, np.where(padding, 200, RAMP))


def test_padding_of_monochrome1_is_dark_too(tmp_path: Path):
    pixels = RAMP.copy()
    pixels[0, :2] = 4095
    tags = {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 4095}
    image, padding = read_with_padding(write(radiograph_dataset(pixels, 12, **tags), tmp_path / "a.dcm"))
    assert padding is not None
    # The others run from 200 to 1100, so inverted from 900 down to 0.
    np.testing.assert_array_equal(image, np.where(padding, 0, 1100 - RAMP.astype(int)))


def test_padding_range_and_signed_padding(tmp_path: Path):
    pixels = RAMP.astype(np.int16)
    pixels[0] = [-2000, -1999, -1990, 300]
    tags = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990}
    dataset = radiograph_dataset(pixels, **tags)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    image, padding = read_with_padding(write(dataset, tmp_path / "a.dcm"))
    assert padding is not None
    assert padding.sum() == 3
    assert image[padding].max() == 300


def test_only_padding_is_an_error(tmp_path: Path):
    path = write(radiograph_dataset(np.full((8, 8), 7, np.uint16), PixelPaddingValue=7), tmp_path / "a.dcm")
    assert "padding" in message(path)


def test_excess_bytes_are_left_out(tmp_path: Path, recwarn: pytest.WarningsRecorder):
    dataset = radiograph_dataset(TWELVE, 12)
    dataset.PixelData += bytes(100)
    np.testing.assert_array_equal(read(dataset, tmp_path), TWELVE)
    assert not recwarn


def test_colour_becomes_its_luma(tmp_path: Path):
    rgb = RANDOM.integers(0, 256, (8, 10, 3)).astype(np.uint8)
    np.testing.assert_allclose(read(radiograph_dataset(rgb), tmp_path), rgb @ [0.299, 0.587, 0.114], atol=0.51)


def test_constant_image_is_an_error(tmp_path: Path):
    path = write(radiograph_dataset(np.full((8, 8), 7, np.uint16)), tmp_path / "a.dcm")
    assert message(path) == "constant value 7 everywhere: no radiograph"


def test_no_pixel_data_is_an_error(tmp_path: Path):
    dataset = radiograph_dataset(EIGHT)
    del dataset.PixelData
    assert "without pixel data" in message(write(dataset, tmp_path / "a.dcm"))


def test_several_frames_are_an_error(tmp_path: Path):
    dataset = radiograph_dataset(EIGHT, NumberOfFrames=2)
    dataset.PixelData *= 2
    assert message(write(dataset, tmp_path / "a.dcm")).startswith("2 frames; a radiograph has one")


def test_thirty_two_bits_are_an_error(tmp_path: Path):
    assert "32 bits" in message(write(radiograph_dataset(RAMP.astype(np.uint32)), tmp_path / "a.dcm"))


def files_to_cut(folder: Path) -> dict[str, Path]:
    jpeg = cv2.imencode(".jpg", EIGHT)[1].tobytes()
    lossless = gdcm.TransferSyntax.JPEGLosslessProcess14_1
    deflated = radiograph_dataset(TWELVE, 12)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return {
        "plain": write(radiograph_dataset(TWELVE, 12), folder / "plain"),
        "deflated": write(deflated, folder / "deflated"),
        "rle": write(radiograph_dataset(TWELVE, 12), folder / "rle", RLELossless),
        "j2k": write(radiograph_dataset(TWELVE, 12), folder / "j2k", JPEG2000Lossless),
        "jpeg": write_encapsulated(radiograph_dataset(EIGHT), jpeg, folder / "jpeg", JPEGBaseline8Bit),
        "lossless": write_with_gdcm(radiograph_dataset(TWELVE, 12), folder / "lossless", lossless),
    }


@pytest.mark.parametrize("name", ["plain", "deflated", "rle", "j2k", "jpeg", "lossless"])
@pytest.mark.filterwarnings("ignore")
def test_a_file_cut_anywhere_is_an_error(tmp_path: Path, name: str):
    path = files_to_cut(tmp_path)[name]
    whole = path.read_bytes()
    read_image(path)
    # A compressed file may lose the marker after its pixels (8 bytes) and be none the worse.
    for end in [*range(100, len(whole) - 16, len(whole) // 40), len(whole) - 17]:
        path.write_bytes(whole[:end])
        message(path)


def test_a_compressed_image_larger_than_its_header_is_refused(tmp_path: Path):
    large = cv2.imencode(".jpg", np.tile(EIGHT, (20, 20)))[1].tobytes()
    path = write_encapsulated(radiograph_dataset(EIGHT), large, tmp_path / "a.dcm", JPEGBaseline8Bit)
    assert "64 x 48 pixels, its compressed image is 1280 x 960" in message(path)
    dataset = radiograph_dataset(np.tile(TWELVE, (20, 20)), 12)
    dataset.compress(JPEG2000Lossless)
    dataset.Rows = 48
    assert "compressed image is 1280 x 960" in message(write(dataset, tmp_path / "b.dcm"))


def test_pixel_data_larger_than_the_header_says_are_refused(tmp_path: Path):
    dataset = radiograph_dataset(EIGHT)
    dataset.PixelData = bytes(1_000_000)
    assert "1000000 bytes of pixel data where its header says 3072" in message(write(dataset, tmp_path / "a.dcm"))


def test_a_header_that_claims_to_be_huge_is_refused(tmp_path: Path):
    dataset = radiograph_dataset(EIGHT)
    dataset.Rows = dataset.Columns = 65535
    assert "65535 x 65535 pixels" in message(write(dataset, tmp_path / "a.dcm"))


def test_a_deflate_bomb_is_refused(tmp_path: Path):
    dataset = radiograph_dataset(EIGHT)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = write(dataset, tmp_path / "a.dcm")
    head = path.read_bytes()
    start = 144 + int.from_bytes(head[140:144], "little")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush the compressed mebibyte stands alone and can be repeated.
    mebibyte = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(head[:start] + 300 * mebibyte)
    assert "inflate to more than" in message(path)


def test_undecodable_pixels_are_an_error(tmp_path: Path):
    dataset = radiograph_dataset(TWELVE, 12)
    dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60) + b"\xff\xd9"])
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    message(write(dataset, tmp_path / "a.dcm"))


def test_text_named_dicom_is_an_error(tmp_path: Path):
    (tmp_path / "a.dcm").write_text("404: Not Found")
    assert message(tmp_path / "a.dcm") == "not an image: it begins with '404: Not Found'"
