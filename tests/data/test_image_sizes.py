"""Sizes from headers are those of the decoded image, whatever wrote the file."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrbench.data import Radiographs, image_headers, read_image
from cxrbench.data import image_sizes as module
from cxrbench.data.image_sizes import image_sizes, sizes_of_files
from cxrbench.data.metaimage import metaimage_bytes
from cxrbench.data.phantom.dicom_file import write_dicom
from cxrbench.foundation.errors import UserError

GREY = np.random.default_rng(3).integers(0, 255, (40, 60)).astype(np.uint8)


def dataset(root: Path, *names: str) -> Radiographs:
    samples = pd.DataFrame({"sample_id": [f"s{at}" for at in range(len(names))], "path": list(names)})
    return Radiographs("test", root, samples, (), exclusive=False)


def with_exif_behind_the_pixels(png: bytes, orientation: int) -> bytes:
    exif = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def save(path: Path, **options: Any) -> None:
    Image.fromarray(GREY).save(path, **options)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[271], tags[274] = "a maker", orientation
    return tags.tobytes()


def late_exif(path: Path) -> None:
    save(path)
    path.write_bytes(with_exif_behind_the_pixels(path.read_bytes(), 8))


def bmp_from_top(path: Path) -> None:
    save(path)
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack("<i", -40)
    path.write_bytes(data)


def filled_jpeg(path: Path) -> None:
    """Fill bytes before a marker and a comment of 60,000 bytes before the frame."""
    save(path)
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xff\xff\xfe" + struct.pack(">H", 60_000) + b"\xd9" * 59_998 + data[2:])


def big_endian_tiff() -> bytes:
    """Pixels first, as many scanners write them, and the directory behind."""
    tags = {256: 60, 257: 40, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 40, 279: 2400}
    entries = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return b"MM\0*" + struct.pack(">I", 8 + 2400) + GREY.tobytes() + struct.pack(">H", len(tags)) + entries + bytes(4)


FILES: dict[str, Callable[[Path], object]] = {
    "a.png": save,
    "deep.png": lambda path: cv2.imwrite(str(path), GREY.astype(np.uint16) * 257),
    "colour.png": lambda path: Image.fromarray(np.dstack([GREY] * 4)).save(path),
    "upside_down.png": lambda path: save(path, exif=exif(3)),
    "turned.png": lambda path: save(path, exif=exif(6)),
    "late.png": late_exif,
    "a.jpg": save,
    "progressive.jpg": lambda path: save(path, progressive=True),
    "filled.jpg": filled_jpeg,
    "upside_down.jpg": lambda path: save(path, exif=exif(3)),
    "turned.jpg": lambda path: save(path, exif=exif(8)),
    "a.tif": save,
    "big_endian.tif": lambda path: path.write_bytes(big_endian_tiff()),
    "turned.tif": lambda path: save(path, tiffinfo={274: 6}),
    "a.bmp": save,
    "from_top.bmp": bmp_from_top,
    "a.dcm": lambda path: write_dicom(path, GREY, patient_id="p"),
    "lossless.dcm": lambda path: write_dicom(path, GREY, syntax="jpeg lossless"),
    "deflated.dcm": lambda path: write_dicom(path, GREY, syntax="deflated"),
    "dicom_without_ending": lambda path: write_dicom(path, GREY),
    "a.mha": lambda path: path.write_bytes(metaimage_bytes(GREY)),
    "a.IMG": lambda path: path.write_bytes(np.zeros(2048**2, ">u2").tobytes()[:-2] + b"\x01\x00"),
    "png_called.jpg": lambda path: Image.fromarray(GREY).save(path, format="png"),
}
# Those whose header does not tell.
DECODED = {"turned.png", "late.png", "turned.jpg", "turned.tif"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for name, write in FILES.items():
        write(root / name)
        os.utime(root / name, (1_700_000_000, 1_700_000_000))
    return root


@pytest.mark.parametrize("name", FILES)
def test_a_size_is_that_of_the_decoded_image(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = read_image(folder / name).shape
    decoded: list[str] = []
    monkeypatch.setattr(module, "read_image", lambda path: (decoded.append(path.name), read_image(path))[1])
    found = image_sizes(dataset(folder, name))
    assert (found.dtype, found.shape) == (np.int64, (1, 2))
    assert found[0].tolist() == list(wanted)
    assert set(decoded) == DECODED & {name}


def test_turned_images_are_taller_than_wide(folder: Path) -> None:
    assert image_sizes(dataset(folder, "a.png", "turned.jpg", "a.png")).tolist() == [[40, 60], [60, 40], [40, 60]]


def test_a_second_call_opens_no_file_but_those_that_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def stated(file: object, name: str):
        opened.append(name)
        return image_headers.stated_size(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "stated_size", stated)
    data = dataset(folder, *FILES)
    first = image_sizes(data, tmp_path)
    assert sorted(opened) == sorted(FILES)
    opened.clear()
    assert image_sizes(data, tmp_path).tolist() == first.tolist()
    assert opened == []
    cv2.imwrite(str(folder / "a.png"), GREY[:20])
    try:
        assert image_sizes(data, tmp_path)[0].tolist() == [20, 60]
        assert opened == ["a.png"]
    finally:
        save(folder / "a.png")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"no image at all", "not an image: it begins with 'no image at all'"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "truncated PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "truncated JPEG"),
        (b"\0" * 128 + b"DICM", "DICOM"),
        (b"GIF89a", "a GIF file"),
    ],
)
def test_a_broken_file_is_named_in_one_line(folder: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        image_sizes(dataset(tmp_path, "bad.png"), tmp_path / "cache")
    assert str(caught.value).startswith(f"{tmp_path}/bad.png: ")
    assert "\n" not in str(caught.value)
    assert sizes_of_files(tmp_path, pd.Series(["bad.png"])).tolist() == [[0, 0]]


def test_an_absurd_size_is_refused_without_decoding(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = struct.pack(">II", 1 << 30, 1 << 30)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=r"its header says 1073741824 x 1073741824 pixels: no radiograph"):
        image_sizes(dataset(tmp_path, "a.png"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1 image file missing: gone\.png"):
        image_sizes(dataset(tmp_path, "gone.png"))


def test_no_samples_have_no_sizes(tmp_path: Path) -> None:
    assert image_sizes(dataset(tmp_path), tmp_path / "cache").shape == (0, 2)
