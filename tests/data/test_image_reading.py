"""Reading PNG, JPEG, BMP and TIFF files: Pillow is the independent truth."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from cxrbench.data import read_image
from cxrbench.foundation.errors import UserError

RANDOM = np.random.default_rng(7)
GREY = RANDOM.integers(0, 256, (40, 60)).astype(np.uint8)
DEEP = RANDOM.integers(0, 65536, (40, 60)).astype(np.uint16)
COLOUR = RANDOM.integers(0, 256, (40, 60, 3)).astype(np.uint8)
SMOOTH = cv2.GaussianBlur(RANDOM.integers(0, 256, (200, 160)).astype(np.uint8), (0, 0), 3)


def stored(image: Image.Image | np.ndarray, path: Path, **options: Any) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def message(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_image(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


ALPHA = RANDOM.integers(0, 256, (40, 60)).astype(np.uint8)
GREY_AS = {
    "grey": Image.fromarray(GREY),
    "rgb": Image.fromarray(np.dstack([GREY] * 3)),
    "rgba": Image.fromarray(np.dstack([GREY] * 3 + [ALPHA])),
    "grey_alpha": Image.fromarray(np.dstack([GREY, ALPHA]), "LA"),
    "palette": Image.fromarray(GREY).convert("P"),
}


@pytest.mark.parametrize("kind", GREY_AS)
def test_equal_channels_give_that_channel_and_alpha_is_ignored(tmp_path: Path, kind: str):
    image = read_image(stored(GREY_AS[kind], tmp_path / "image.png"))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, GREY)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
def test_formats_without_loss_give_the_stored_pixels(tmp_path: Path, suffix: str):
    np.testing.assert_array_equal(read_image(stored(GREY, tmp_path / f"image.{suffix}")), GREY)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix: str):
    image = read_image(stored(DEEP, tmp_path / f"image.{suffix}"))
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, DEEP)


def test_sixteen_bit_rgba_is_grey(tmp_path: Path):
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.dstack([DEEP] * 3 + [DEEP[::-1]]))
    np.testing.assert_array_equal(read_image(path), DEEP)


def test_one_bit_png_is_black_and_white(tmp_path: Path):
    image = read_image(stored(Image.fromarray(GREY > 128), tmp_path / "image.png"))
    np.testing.assert_array_equal(image, np.where(GREY > 128, 255, 0))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_becomes_its_luma_within_one_level(tmp_path: Path, mode: str):
    image = Image.fromarray(COLOUR).quantize(60) if mode == "P" else Image.fromarray(COLOUR).convert(mode)
    expected = np.asarray(image.convert("RGB")).astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(read_image(stored(image, tmp_path / "image.png")) - expected).max() < 1.01


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 40}, {"restart_marker_blocks": 2}], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_equals_pillow(tmp_path: Path, options: dict[str, object], channels: int):
    pixels = SMOOTH if channels == 1 else np.dstack([SMOOTH] * 3)
    path = stored(pixels, tmp_path / "image.jpeg", **options)
    np.testing.assert_array_equal(read_image(path), np.asarray(Image.open(path).convert("L")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = stored(SMOOTH, tmp_path / "image.jpg", exif=exif)
    np.testing.assert_array_equal(read_image(path), np.asarray(ImageOps.exif_transpose(Image.open(path))))


def test_content_decides_and_not_the_suffix(tmp_path: Path):
    path = stored(GREY, tmp_path / "image.png").rename(tmp_path / "image.jpg")
    np.testing.assert_array_equal(read_image(path), GREY)


def test_colour_profile_that_does_not_fit_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    profile = bytes(36) + b"acspGRAY" + bytes(84)
    path = stored(Image.fromarray(np.dstack([GREY] * 3)), tmp_path / "image.png", icc_profile=profile)
    np.testing.assert_array_equal(read_image(path), GREY)
    assert capfd.readouterr().err == ""


def encoded(name: str) -> bytes:
    buffer = io.BytesIO()
    if name == "jpeg_with_thumbnail":
        thumbnail = encoded("jpeg")[:2000] + b"\xff\xd9"
        Image.fromarray(SMOOTH).save(buffer, "JPEG", exif=b"Exif\x00\x00" + thumbnail)
    elif name == "progressive_jpeg":
        Image.fromarray(SMOOTH).save(buffer, "JPEG", progressive=True)
    else:
        Image.fromarray(SMOOTH).save(buffer, name.upper())
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["png", "jpeg", "jpeg_with_thumbnail", "progressive_jpeg", "bmp", "tiff"])
def test_a_file_cut_anywhere_is_an_error(tmp_path: Path, name: str):
    whole = encoded(name)
    path = tmp_path / "cut"
    path.write_bytes(whole)
    read_image(path)
    ends = {*range(0, 40), *range(40, len(whole), len(whole) // 60), *range(len(whole) - 12, len(whole) - 1)}
    # The very last bytes of a TIFF may be its directory's padding.
    for end in sorted(end for end in ends if end < len(whole) - (8 if name == "tiff" else 0)):
        path.write_bytes(whole[:end])
        message(path)


@pytest.mark.parametrize("name", ["png", "jpeg"])
def test_a_file_whose_end_was_never_written_is_an_error(tmp_path: Path, name: str):
    whole = encoded(name)
    path = tmp_path / "zeros"
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    message(path)


def test_a_flipped_bit_in_a_png_is_an_error(tmp_path: Path):
    whole = bytearray(encoded("png"))
    whole[len(whole) // 2] ^= 4
    (tmp_path / "image.png").write_bytes(whole)
    assert "wrong checksum" in message(tmp_path / "image.png")


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def header(width: int, height: int) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)


def test_a_png_with_too_few_pixels_is_an_error(tmp_path: Path):
    path = tmp_path / "image.png"
    path.write_bytes(png(header(60, 40), (b"IDAT", zlib.compress(bytes(61 * 10))), (b"IEND", b"")))
    message(path)


def test_a_png_that_claims_to_be_huge_is_refused_before_it_is_inflated(tmp_path: Path):
    path = tmp_path / "image.png"
    path.write_bytes(png(header(60000, 60000), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")))
    assert "60000 x 60000 pixels" in message(path)


def test_missing_file_and_folder_are_named(tmp_path: Path):
    assert message(tmp_path / "absent.png") == "no such file"
    assert "cannot be read" in message(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty file (0 bytes)"),
        (b"<!DOCTYPE html>\n<html>", "not an image: it begins with '<!DOCTYPE html>'"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "not an image: it begins with 'version https://git-lfs.'"),
        (bytes(500), r"not an image: it begins with '\x00\x00"),
        (b"GIF89a" + bytes(50), "a GIF file; PNG, JPEG, BMP, TIFF, DICOM and MetaImage can be read"),
        (b"PK\x03\x04" + bytes(50), "a zip file"),
    ],
)
def test_what_is_no_image_is_said(tmp_path: Path, content: bytes, expected: str):
    path = tmp_path / "image.png"
    path.write_bytes(content)
    assert message(path).startswith(expected)


def test_constant_sixteen_bit_image_is_an_error(tmp_path: Path):
    path = stored(np.full((20, 20), 4095, np.uint16), tmp_path / "image.png")
    assert message(path) == "constant value 4095 everywhere: no radiograph"


def test_several_frames_are_an_error(tmp_path: Path):
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    frames[0].save(tmp_path / "image.png", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "image.tiff", save_all=True, append_images=frames[1:])
    assert "animated" in message(tmp_path / "image.png")
    assert "several pages" in message(tmp_path / "image.tiff")


def test_real_pixels_are_not_integers_and_are_an_error(tmp_path: Path):
    message(stored(Image.fromarray(GREY.astype(np.float32)), tmp_path / "image.tiff"))


def raw_film(path: Path, values: np.ndarray, order: str = ">") -> Path:
    path.write_bytes(values.astype(f"{order}u2").tobytes())
    return path


def test_a_raw_film_of_jsrt_is_turned_round_and_its_lungs_become_dark(tmp_path: Path):
    stored = RANDOM.integers(0, 4096, (2048, 2048)).astype(np.uint16)
    stored[0, :3] = 0, 4095, 258
    for name in ("JPCLN001.IMG", "jpcnn001.img"):
        image = read_image(raw_film(tmp_path / name, stored))
        assert image.dtype == np.uint16
        assert image.dtype.isnative
        np.testing.assert_array_equal(image[0, :3], [4095, 0, 3837])
        np.testing.assert_array_equal(image, 4095 - stored)


def test_a_film_is_turned_by_one_function_whatever_its_brightest_value(tmp_path: Path):
    stored = np.full((2048, 2048), 1000, np.uint16)
    stored[5, 7] = 3000
    image = read_image(raw_film(tmp_path / "JPCLN001.IMG", stored))
    assert image[0, 0] == 3095
    assert image[5, 7] == 1095


def test_a_film_that_begins_like_dicom_is_still_a_film(tmp_path: Path):
    stored = np.zeros((2048, 2048), np.uint16)
    stored[0, 0] = 0x0800
    assert read_image(raw_film(tmp_path / "JPCLN001.IMG", stored))[0, 0] == 4095 - 0x0800


def test_a_film_with_swapped_bytes_cut_or_constant_is_an_error(tmp_path: Path):
    path, stored = tmp_path / "JPCLN001.IMG", np.full((2048, 2048), 1000, np.uint16)
    stored[0, 0] = 1
    assert "were its bytes swapped?" in message(raw_film(path, stored, "<"))
    assert message(raw_film(path, stored[:-1])) == "truncated or no raw image of JSRT: 8384512 of 8388608 bytes"
    assert message(raw_film(path, stored[1:].repeat(2))).startswith("truncated or no raw image of JSRT")
    assert message(raw_film(path, stored * 0)) == "constant value 4095 everywhere: no radiograph"


def test_the_ending_img_does_not_hide_another_format(tmp_path: Path):
    path = stored(GREY, tmp_path / "image.png").rename(tmp_path / "image.IMG")
    np.testing.assert_array_equal(read_image(path), GREY)


def test_raw_bytes_under_another_name_are_no_image(tmp_path: Path):
    assert "not an image" in message(raw_film(tmp_path / "film.raw", np.full((2048, 2048), 0x0102, np.uint16)))


def test_real_files_equal_pillow(realdata: Path):
    files = [*sorted(realdata.glob("nih/**/*.png")), *sorted(realdata.glob("kermany/**/*.jpeg"))[::200]]
    rgba = [path for path in files if Image.open(path).mode == "RGBA"]
    assert len(rgba) >= 2
    for path in {*files[:10], *files[-20:], *rgba}:
        expected = np.asarray(Image.open(path).convert("RGB"))[..., 1]
        assert np.abs(read_image(path).astype(int) - expected).max() <= (path.suffix == ".jpeg"), path
