"""Drawing phantoms, and an epoch over the cache against decoding the files."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from timing import in_turn, report, seconds, verdict

from cxrbench.data import load, prepare_images, read_image
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.preprocessing import preprocess

BATCH = 64
SIZE = 224


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "phantom"
        took = seconds(lambda: write_phantom_dataset("chexpert", root, 1000, 256, rib_free=False))
        drawing = {"phantoms drawn and written": [took]}
        medians = report("Phantom, 1000 images of 256 px", drawing)
        verdict("images a second", 1000 / medians["phantoms drawn and written"], 100, at_least=True)
        radiographs = load("chexpert", root)
        paths = [root / path for path in radiographs.samples["path"]]
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
