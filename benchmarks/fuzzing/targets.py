"""Every reader of what a user hands over, with valid files to begin from and the exceptions that it documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from cxrbench.data.dicom import read_dicom
from cxrbench.data.dicom.headers import read_headers
from cxrbench.data.image_list import read_image_list
from cxrbench.data.image_reading import DamagedError, read_with_padding
from cxrbench.data.metaimage import metaimage_bytes, read_metaimage
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.phantom.dicom_file import write_dicom
from cxrbench.data.reading import Reading
from cxrbench.data.run_lengths import counts_from_text, mask_of
from cxrbench.data.siim_run_lengths import merge_rows
from cxrbench.data.source import datasets
from cxrbench.data.sources._siim_covid_boxes import parse_boxes, parse_label
from cxrbench.data.split_files import COLUMNS, read_splits
from cxrbench.data.tables import read_table
from cxrbench.foundation.errors import UserError

# The smallest phantom that every dataset writes.
_PHANTOM_IMAGES, _PHANTOM_SIZE = 18, 32
_TABLES = (".csv", ".txt")
_PIXELS = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint8)
# What breaks readers of text more often than chance would find it.
TOKENS = (
    *(b",", b";", b"\t", b'"', b'""', b"\n", b"\r", b"\r\n", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe"),
    *(
        b"-1",
        b"0",
        b"1e999",
        b"nan",
        b"NaN",
        b"inf",
        b"-0.0",
        b"None",
        b"99999999999999999999",
        b"1.5",
        b"0x10",
        b"1_0",
    ),
    *(b"../", b"/etc/passwd", b"\\", b"[", b"{", b"(", b"'", b"=", b"|", b"\xc3\xa9", b"\xe2\x80\xa8", b"True", b"id"),
)


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: by which it is chosen.
        seeds: valid input.
        run: reads bytes.
        raises: the exceptions that it documents; any other is a fault.
        slow: takes milliseconds, because it writes a file or reads a whole folder.
    """

    name: str
    seeds: tuple[bytes, ...]
    run: Callable[[bytes], object]
    raises: tuple[type[Exception], ...]
    slow: bool = False


def targets(folder: Path) -> dict[str, Target]:
    """All readers by name; they keep their files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [*_images(folder), *_masks_and_boxes(), *_tables(folder), *_sources(folder)]
    return {target.name: target for target in found}


def _images(folder: Path) -> Iterator[Target]:
    dicoms = tuple(_dicoms(folder / "seed.dcm"))
    yield Target("dicom", dicoms, read_dicom, (DamagedError,))

    file = folder / "headers" / "a.dcm"
    file.parent.mkdir(exist_ok=True)
    keywords = ("PatientID", "Rows", "Columns", "ViewPosition", "WindowCenter")

    def headers(data: bytes) -> None:
        file.write_bytes(data)
        read_headers(file.parent, pd.Series(["a.dcm"]), keywords)

    yield Target("dicom headers", dicoms, headers, (), slow=True)

    metaimages = tuple(
        metaimage_bytes(_PIXELS.astype(kind), compressed)
        for kind in (np.uint8, np.int16)
        for compressed in (True, False)
    )
    yield Target("metaimage", metaimages, read_metaimage, (DamagedError,))

    encoded = tuple(cv2.imencode(suffix, _PIXELS)[1].tobytes() for suffix in (".png", ".jpg", ".bmp", ".tiff"))

    def image(data: bytes) -> None:
        (folder / "image.png").write_bytes(data)
        read_with_padding(folder / "image.png")

    yield Target("image", encoded, image, (UserError,), slow=True)


def _dicoms(path: Path) -> Iterator[bytes]:
    syntaxes = ("implicit little endian", "explicit little endian", "explicit big endian", "deflated", "jpeg lossless")
    for syntax in (*syntaxes, "jpeg-ls", "jpeg 2000", "jpeg 2000 lossless", "rle"):
        write_dicom(path, _PIXELS.astype(np.uint16) * 50, syntax=syntax, bits_stored=12, window=(1800, 2000))
        yield path.read_bytes()
    elements = {"RescaleSlope": 2, "RescaleIntercept": -100, "PixelPaddingValue": 0, "NumberOfFrames": 1}
    write_dicom(path, _PIXELS, syntax="jpeg baseline", photometric="MONOCHROME1", elements=elements)
    yield path.read_bytes()
    yield _in_colour(path)
    yield from _with_tables(path)


def _in_colour(path: Path) -> bytes:
    from pydicom.encaps import encapsulate

    frame = cv2.imencode(".jpg", np.repeat(_PIXELS[..., None], 3, axis=2))[1].tobytes()
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    write_dicom(path, _PIXELS, syntax="jpeg baseline", elements={**colour, "PixelData": encapsulate([frame])})
    return path.read_bytes()


def _with_tables(path: Path) -> Iterator[bytes]:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    table = Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table.LUTData = np.arange(256, dtype="<u2").tobytes()
    tables = {"ModalityLUTSequence": Sequence([table]), "VOILUTSequence": Sequence([table])}
    write_dicom(path, _PIXELS.astype(np.int16), elements=tables)
    yield path.read_bytes()
    # Without the preamble.
    yield path.read_bytes()[132:]


def _masks_and_boxes() -> Iterator[Target]:
    def counts(data: bytes) -> None:
        mask_of(counts_from_text(data.decode("utf-8", "replace")), 4, 5)

    def pairs(data: bytes) -> None:
        rows = data.decode("utf-8", "replace").split(";")
        merge_rows(rows, np.zeros(len(rows), dtype=np.int64), np.full(len(rows), 1024 * 1024))

    boxes = b"[{'x': 78.5, 'y': -12, 'width': 100, 'height': 50.25}, {'x': 1, 'y': 2, 'width': 3, 'height': 4}]"
    label = b"opacity 1 78.5 12 178.5 62.25 opacity 1 1 2 4 6"
    yield Target("run lengths", (b"3 4 5 8", b"0 20"), counts, (ValueError,))
    yield Target("siim run lengths", (b"10 5 1019 5;0 1", b"1048575 1"), pairs, ())
    yield Target("boxes", (boxes, b"[]"), lambda data: parse_boxes(data.decode("utf-8", "replace")), (ValueError,))
    labels = (label, b"none 1 0 0 1 1")
    yield Target("box labels", labels, lambda data: parse_label(data.decode("utf-8", "replace")), (ValueError,))


def _tables(folder: Path) -> Iterator[Target]:
    text = b'image,label,patient_id\na.png,1,p1\n"b, c.png",0.0,007\nd.png,,\n'
    spread = b"\xff\xfe" + text.decode().encode("utf-16-le")

    def reader(read: Callable[[Path], object], suffix: str) -> Callable[[bytes], None]:
        path = folder / f"table{suffix}"

        def run(data: bytes) -> None:
            path.write_bytes(data)
            read(path)

        return run

    def table(path: Path) -> object:
        return read_table(path, ("image", "label"), ("patient_id",))

    packed = BytesIO()
    pd.DataFrame({"image": ["a.png", "b.png"], "label": [1, 0], "patient_id": ["1", "2"]}).to_parquet(packed)
    lines = b"images/00000001_000.png\n# one more\n00000002_001.png 0 1\n"
    names = json.dumps({"images": [{"file_name": "a.png", "patient": 3}, {"file_name": "b.png"}]}).encode()
    row = b"task,1,data,%s,default,1,0,1,train,s1,p1,%s,%s\n" % (b"f" * 64, b"a" * 64, b"b" * 16)
    splits = ",".join(COLUMNS).encode() + b"\n" + row
    yield Target("table", (text, spread), reader(table, ".csv"), (UserError,), slow=True)
    yield Target("parquet table", (packed.getvalue(),), reader(table, ".parquet"), (UserError,), slow=True)
    yield Target("splits", (splits,), reader(read_splits, ".splits.csv"), (UserError,), slow=True)
    for suffix, seeds in ((".txt", (lines, text)), (".csv", (text, spread)), (".json", (names, b'["a.png"]'))):
        yield Target(f"image list {suffix}", seeds, reader(read_image_list, suffix), (UserError,), slow=True)


def _sources(folder: Path) -> Iterator[Target]:
    for name in datasets.names():
        root = folder / name
        if not root.exists():
            write_phantom_dataset(name, root, _PHANTOM_IMAGES, _PHANTOM_SIZE, rib_free=False)
        files = [path for path in sorted(root.rglob("*")) if path.suffix in _TABLES]
        for path in files:
            if "phantom" not in path.relative_to(root).parts:
                yield _source(name, root, path)


def _source(name: str, root: Path, path: Path) -> Target:
    whole = path.read_bytes()

    def run(data: bytes) -> None:
        path.write_bytes(data)
        try:
            datasets.get(name).read(root, Reading())
        finally:
            path.write_bytes(whole)

    return Target(f"{name} {path.name}", (whole,), run, (UserError,), slow=True)
