"""Decoding against the fastest library that reads the files, an epoch over the cache against decoding, and phantoms."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import in_turn, report, seconds, verdict

from cxrbench.data import load, prepare_images, read_image
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.preprocessing import preprocess

BATCH = 64
SIZE = 224


def with_opencv(path: Path) -> object:
    import cv2

    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def with_pillow(path: Path) -> object:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)


def compare_decoding(title: str, paths: list[Path]) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        "cxrbench read_image": read_image,
        "OpenCV": with_opencv,
        "Pillow": with_pillow,
    }
    found = in_turn({name: lambda reader=reader: [reader(path) for path in paths] for name, reader in readers.items()})
    medians = report(f"Decoding, {title}, one thread", found, len(paths) / 1000, "ms an image")
    fastest = min(medians["OpenCV"], medians["Pillow"])
    verdict("speed against the fastest library", fastest / medians["cxrbench read_image"], 0.9, at_least=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--realdata", type=Path, help="folder with real radiographs: nih and kermany/chest_xray")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "phantom"
        took = seconds(lambda: write_phantom_dataset("chexpert", root, 1000, 256, rib_free=False))
        drawing = {"phantoms drawn and written": [took]}
        medians = report("Phantom, 1000 images of 256 px", drawing)
        verdict("images a second", 1000 / medians["phantoms drawn and written"], 100, at_least=True)
        radiographs = load("chexpert", root)
        paths = [root / path for path in radiographs.samples["path"]]
        compare_decoding("phantom JPEG, 256 px", paths)
        if given.realdata:
            compare_decoding("NIH PNG, 1024 px", sorted(given.realdata.glob("nih/*/images/*.png"))[:60])
            compare_decoding("paediatric JPEG, 224 px", sorted(given.realdata.glob("kermany/**/*.jpeg"))[:1000])
        images = prepare_images(radiographs, SIZE, cache=Path(scratch) / "cache")
        rows = np.random.default_rng(0).permutation(len(images))

        def epoch_over_cache() -> None:
            for first in range(0, len(rows), BATCH):
                images.batch(rows[first : first + BATCH])

        def epoch_over_files() -> None:
            for row in rows:
                preprocess(read_image(paths[row]), SIZE)

        found = in_turn({"cache": epoch_over_cache, "files": epoch_over_files})
        medians = report(f"An epoch of {len(rows)} images, shuffled, batches of {BATCH}", found)
        verdict("cache against files", medians["files"] / medians["cache"], 10, at_least=True)


if __name__ == "__main__":
    main()
