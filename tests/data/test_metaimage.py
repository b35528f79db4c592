"""Reading .mha files: SimpleITK writes them and is the independent truth."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrbench.data import read_image
from cxrbench.data.image_reading import DamagedError
from cxrbench.data.metaimage import is_metaimage, metaimage_bytes, read_metaimage
from cxrbench.foundation.errors import UserError

RANDOM = np.random.default_rng(3)
DEEP = RANDOM.integers(0, 65536, (30, 47)).astype(np.uint16)


def with_simpleitk(pixels: np.ndarray, path: Path, compressed: bool = False) -> bytes:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(pixels), str(path), compressed)
    return path.read_bytes()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_unsigned_pixels_are_those_that_simpleitk_wrote(tmp_path: Path, kind: str, compressed: bool) -> None:
    pixels = DEEP.astype(kind)
    found = read_metaimage(with_simpleitk(pixels, tmp_path / "a.mha", compressed))
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found, pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.mha"), pixels)


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64"])
def test_other_kinds_of_whole_numbers_keep_their_steps(tmp_path: Path, kind: str) -> None:
    pixels = (DEEP % 100).astype(kind)
    found = read_metaimage(with_simpleitk(pixels, tmp_path / "a.mha", compressed=True))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, DEEP % 100)


@pytest.mark.parametrize("kind", ["int16", "int32", "float64"])
def test_negative_values_are_moved_up_so_that_the_least_is_0(tmp_path: Path, kind: str) -> None:
    pixels = (DEEP.astype(np.int64) % 3000 - 1024).astype(kind)
    found = read_metaimage(with_simpleitk(pixels, tmp_path / "a.mha"))
    np.testing.assert_array_equal(found, pixels - pixels.min())


def test_the_whole_range_of_signed_16_bits_fits(tmp_path: Path) -> None:
    pixels = (DEEP.astype(np.int32) - 32768).astype(np.int16)
    pixels[0, :2] = -32768, 32767
    found = read_metaimage(with_simpleitk(pixels, tmp_path / "a.mha"))
    np.testing.assert_array_equal(found, pixels.astype(np.int32) + 32768)


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0.0, 0.5], [0.25, 1.0]]),
        np.array([[0, 200_000], [100_000, 400_000]], np.int32),
        np.array([[0, 1 << 63], [1 << 62, (1 << 64) - 1]], np.uint64),
    ],
)
def test_fractions_and_wide_integers_are_stretched_over_16_bits(tmp_path: Path, pixels: np.ndarray) -> None:
    found = read_metaimage(with_simpleitk(pixels, tmp_path / "a.mha"))
    np.testing.assert_array_equal(found, np.rint(pixels / float(pixels.max()) * 65535))


@pytest.mark.parametrize(
    ("pixels", "kind"),
    [
        (np.uint64(1 << 63) + np.arange(1410, dtype=np.uint64), "MET_ULONG"),
        (np.int64(-(1 << 63)) + np.arange(1410), "MET_LONG"),
        (np.arange(1410.0) - 1e9, "MET_DOUBLE"),
        (np.arange(1410, dtype=np.int32) + (1 << 20), "MET_INT"),
    ],
)
def test_a_few_steps_far_from_zero_are_moved_down_and_kept(pixels: np.ndarray, kind: str) -> None:
    found = read_metaimage(header(ElementType=kind) + pixels.tobytes())
    np.testing.assert_array_equal(found.ravel(), np.arange(1410))


def test_what_we_write_simpleitk_reads(tmp_path: Path) -> None:
    for compressed in (False, True):
        for kind in ("uint8", "uint16", "int16"):
            path = tmp_path / f"{kind}{compressed}.mha"
            path.write_bytes(metaimage_bytes(DEEP.astype(kind), compressed))
            np.testing.assert_array_equal(
                SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))), DEEP.astype(kind)
            )


def test_a_volume_of_one_slice_is_an_image_and_one_of_two_is_not(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_metaimage(with_simpleitk(DEEP[None], tmp_path / "a.mha")), DEEP)
    with pytest.raises(DamagedError, match="47 x 30 x 2"):
        read_metaimage(with_simpleitk(np.stack([DEEP, DEEP]), tmp_path / "b.mha"))


def header(**changes: str | None) -> bytes:
    """A header as the tools of the challenges write it, with values changed or lines left out."""
    lines = {
        "ObjectType": "Image",
        "NDims": "2",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "DimSize": "47 30",
        "ElementType": "MET_USHORT",
        "ElementDataFile": "LOCAL",
    }
    merged = {**lines, **changes}
    # ElementDataFile ends the header wherever it was put.
    ordered = sorted(merged.items(), key=lambda item: item[0] == "ElementDataFile")
    return "".join(f"{key} = {value}\n" for key, value in ordered if value is not None).encode()


PIXELS = DEEP.astype("<u2").tobytes()


@pytest.mark.parametrize("key", ["BinaryDataByteOrderMSB", "ElementByteOrderMSB"])
def test_big_endian_pixels_are_turned(key: str) -> None:
    found = read_metaimage(header(**{key: "True"}) + DEEP.astype(">u2").tobytes())
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, DEEP)


def test_carriage_returns_tight_signs_and_unknown_keys_are_understood() -> None:
    data = header(TransformMatrix="1 0 0 1", Comment="x = y").replace(b" = ", b"=").replace(b"\n", b"\r\n")
    np.testing.assert_array_equal(read_metaimage(data + PIXELS), DEEP)


def test_compressed_pixels_need_no_stated_size() -> None:
    np.testing.assert_array_equal(read_metaimage(header(CompressedData="True") + zlib.compress(PIXELS)), DEEP)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (header(DimSize="60000 60000") + PIXELS, "60000 x 60000 pixels: no radiograph"),
        (header(DimSize="60000 60000", CompressedData="True") + zlib.compress(PIXELS), "60000 x 60000 pixels"),
        (header(DimSize="11000 11000", ElementType="MET_DOUBLE") + PIXELS, "968000000 bytes of pixels"),
        (header(DimSize="0 30") + PIXELS, "0 x 30 pixels"),
        (header(DimSize="47") + PIXELS, "DimSize is '47'"),
        (header(DimSize="47 -30") + PIXELS, "DimSize is '47 -30'"),
        (header(DimSize="9999999999 1") + PIXELS, "DimSize"),
        (header(DimSize=None) + PIXELS, "DimSize is ''"),
        (header(NDims="3") + PIXELS, "NDims is '3'"),
        (header(ElementType="MET_OTHER") + PIXELS, "type 'MET_OTHER'; known are MET_CHAR"),
        (header(ElementType=None) + PIXELS, "type ''"),
        (header(ElementNumberOfChannels="3") + PIXELS, "'3' channels"),
        (header(BinaryData="False") + PIXELS, "written as text"),
        (header(ElementDataFile="a.raw"), "'a.raw'; write both to one .mha file"),
        (header(ElementDataFile="../../etc/passwd"), "write both to one .mha file"),
        (header(ElementDataFile=None) + PIXELS, "no line ElementDataFile"),
        (header() + PIXELS[:-1], "truncated MetaImage: 2819 of 2820 bytes"),
        (header(), "0 of 2820 bytes"),
        (header(CompressedData="True") + PIXELS, "damaged MetaImage"),
        (header(CompressedData="True") + zlib.compress(PIXELS)[:-20], "truncated MetaImage"),
        (header(CompressedData="True") + zlib.compress(PIXELS[:-2]), "2818 of 2820 bytes"),
        (header(CompressedData="True") + zlib.compress(bytes(1 << 22)), "inflate to more than the 2820 bytes"),
        (header(ElementType="MET_FLOAT") + np.full(1410, np.nan, "<f4").tobytes(), "not numbers"),
        (header(ElementType="MET_DOUBLE") + np.array([-1.7e308, 1.7e308])[DEEP % 2].tobytes(), "not numbers"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DamagedError, match=re.escape(said)):
        read_metaimage(data)
    (tmp_path / "a.mha").write_bytes(data)
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        read_image(tmp_path / "a.mha")
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_is_an_error() -> None:
    for compressed in (False, True):
        whole = metaimage_bytes(DEEP, compressed)
        for end in {*range(0, 300), *range(300, len(whole), 101), len(whole) - 1}:
            with pytest.raises(DamagedError):
                read_metaimage(whole[:end])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 260), st.binary(min_size=1, max_size=12))
def test_a_damaged_header_is_read_or_refused_and_nothing_else(at: int, put: bytes) -> None:
    whole = metaimage_bytes(DEEP)
    data = whole[:at] + put + whole[at + len(put) :]
    try:
        found = read_metaimage(data)
    except DamagedError:
        return
    assert found.ndim == 2
    assert found.dtype in (np.uint8, np.uint16)


def test_other_files_are_not_taken_for_a_metaimage() -> None:
    assert is_metaimage(header())
    assert is_metaimage(b"NDims = 2\nObjectType = Image\n")
    assert not is_metaimage(b"")
    assert not is_metaimage(b"Image Index,Finding Labels\n")
