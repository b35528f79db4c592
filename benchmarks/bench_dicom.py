"""Decoding DICOM phantoms to the cached array: our reader against pydicom with each decoder it has here, in turn."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from timing import in_turn, report, verdict

from cxrbench.data.image_reading import read_image
from cxrbench.data.phantom.case import PhantomRequest
from cxrbench.data.phantom.dicom_file import write_dicom
from cxrbench.data.phantom.generate import generate
from cxrbench.data.preprocessing import preprocess

SIZE = 224
# Name, syntax, bits stored.
KINDS = (
    ("uncompressed", "explicit little endian", 12),
    ("JPEG baseline", "jpeg baseline", 8),
    ("JPEG 2000", "jpeg 2000", 8),
    ("JPEG 2000 lossless", "jpeg 2000 lossless", 12),
    ("RLE", "rle", 12),
)


def phantoms(folder: Path, n: int, side: int) -> Iterator[tuple[str, list[Path]]]:
    requests = [PhantomRequest(number, 0, 0, "train") for number in range(n)]
    eight = [case.pixels for case in generate(requests, side, 0, workers=1)]
    for name, syntax, bits in KINDS:
        paths = [folder / syntax / f"{number}.dcm" for number in range(n)]
        for path, pixels in zip(paths, eight, strict=True):
            stored = pixels if bits == 8 else pixels.astype(np.uint16) << bits - 8
            write_dicom(path, stored, syntax=syntax, bits_stored=bits)
        yield name, paths


def with_pydicom(plugin: str) -> Callable[[Path], np.ndarray]:
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
    from pydicom.pixels.utils import pixel_array

    def read(path: Path) -> np.ndarray:
        dataset = dcmread(path)
        values = pixel_array(dataset, decoding_plugin=plugin)
        values = apply_voi_lut(apply_modality_lut(values, dataset), dataset)
        return values.max() - values if dataset.PhotometricInterpretation == "MONOCHROME1" else values

    return read


def plugins(path: Path) -> list[str]:
    """pydicom's decoders that read `path` here; one where nothing is to be decoded."""
    from pydicom import dcmread

    if not dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID.is_encapsulated:
        return [""]
    found = []
    for plugin in ("pylibjpeg", "gdcm", "pillow"):
        try:
            with_pydicom(plugin)(path)
        except Exception:  # not installed, or not for this syntax
            continue
        found.append(plugin)
    return found


def cached(read: Callable[[Path], np.ndarray], paths: list[Path]) -> None:
    for path in paths:
        preprocess(read(path), SIZE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12, help="files of each kind")
    parser.add_argument("--side", type=int, default=1024, help="pixels of a file's side")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        # GDCM decodes lossless JPEG 2000 on all cores, whatever it is told; in a pool of workers each has one.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as scratch:
        for name, paths in phantoms(Path(scratch), given.images, given.side):
            ours = "cxrbench"
            ways: dict[str, Callable[[], object]] = {ours: partial(cached, read_image, paths)}
            for plugin in plugins(paths[0]):
                ways[f"pydicom {plugin}".strip()] = partial(cached, with_pydicom(plugin), paths)
            title = f"DICOM to the cached {SIZE} x {SIZE}, {name}, {given.side} px, one core"
            medians = report(title, in_turn(ways), len(paths) / 1000, "ms an image")
            best = min(seconds for way, seconds in medians.items() if way != ours)
            verdict("speed against the best of pydicom's", best / medians[ours], 0.95, at_least=True)


if __name__ == "__main__":
    main()
