"""Speed and memory of the audit: near-duplicates of 100,000 against 100,000 images, a million names against as many.

100,000 different thumbnails are made by laying phantoms over one another, because drawing as many takes half an hour.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from planted_leaks import CHANGES, drawn
from timing import in_turn, report, seconds, verdict

from cxrbench.data.audit import shared_ids
from cxrbench.data.audit.candidates import alike
from cxrbench.data.audit.descriptors import describe
from cxrbench.data.audit.near import LEAST_LIKENESS, MOST_CANDIDATES, Pictures, near_duplicates
from cxrbench.data.audit.pixels import THUMBNAIL, thumbnail
from cxrbench.data.radiographs import Radiographs
from cxrbench.foundation.files import default_cache
from cxrbench.foundation.progress import progress_for_terminal

PLANTED = 1000
QUERIES = 2000


def mixtures(images: np.ndarray, count: int, seed: int, folder: Path, planted: np.ndarray | None = None) -> np.ndarray:
    """`count` thumbnails of pictures that two phantoms make together; on disk.

    The first rows are cropped copies of the pictures of the seeds `planted`, if given; pictures of the first PLANTED
    rows are written into `folder`.
    """
    generator = np.random.default_rng(seed)
    folder.mkdir()
    path = folder / "thumbnails.npy"
    found = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, THUMBNAIL, THUMBNAIL))
    seeds = generator.integers(0, 2**31, count)
    if planted is not None:
        seeds[: len(planted)] = planted
    for row, its_seed in enumerate(seeds):
        picture = mixture(images, np.random.default_rng(its_seed))
        if planted is not None and row < len(planted):
            picture = CHANGES["3 % crop"](picture, generator)
        if row < PLANTED:
            cv2.imwrite(str(folder / f"{row}.png"), picture)
        found[row] = thumbnail(picture)
    found.flush()
    np.save(folder / "made_of.npy", seeds[:PLANTED])
    del found
    return np.load(path, mmap_mode="r")


def mixture(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Two phantoms, each zoomed in by up to a tenth and perhaps mirrored, in one picture."""
    parts = []
    for row in generator.integers(0, len(images), 2):
        part = images[row] if generator.random() < 0.5 else images[row][:, ::-1]
        side = len(part)
        top, left, size = (int(each * side) for each in (*generator.uniform(0, 0.1, 2), generator.uniform(0.86, 0.9)))
        parts.append(cv2.resize(np.ascontiguousarray(part[top : top + size, left : left + size]), (side, side)))
    return cv2.addWeighted(parts[0], 0.5, parts[1], 0.5, 0)


def compare_search(one: np.ndarray, other: np.ndarray) -> None:
    """The index against comparing all with all, for some queries."""
    first, second = describe(one, other)
    queries = first[:QUERIES]
    pairs: dict[str, set[tuple[int, int]]] = {}

    def all_with_all() -> None:
        products = queries @ second.T
        best = np.argpartition(products, -MOST_CANDIDATES, axis=1)[:, -MOST_CANDIDATES:]
        rows, columns = np.repeat(np.arange(len(queries)), MOST_CANDIDATES), best.ravel()
        kept = products[rows, columns] >= LEAST_LIKENESS
        pairs["all"] = set(zip(rows[kept].tolist(), columns[kept].tolist(), strict=True))

    def index() -> None:
        rows, columns = alike(first, second, LEAST_LIKENESS, MOST_CANDIDATES)
        pairs["index"] = {pair for pair in zip(rows.tolist(), columns.tolist(), strict=True) if pair[0] < len(queries)}

    ways = {f"all with all, {len(queries)} queries": all_with_all, f"index, {len(first)} queries": index}
    medians = report("Candidates", in_turn(ways, rounds=1, warm_up=0))
    slow, quick = medians.values()
    verdict("index against all with all, a query", slow / len(queries) / (quick / len(first)), 3, at_least=True)
    verdict("candidates that the index finds", len(pairs["all"] & pairs["index"]) / len(pairs["all"]), 0.9, True)
    copies = {(row, row) for row in range(min(PLANTED, len(queries)))}
    found = len(copies & pairs["index"]) / max(len(copies & pairs["all"]), 1)
    verdict("of them those that are copies, cropped", found, 0.99, at_least=True)


def names(count: int, scratch: Path) -> None:
    """A dataset of `count` images against a list of as many, of which a tenth is shared."""
    ids = pd.Series(np.arange(count))
    patient, image = (ids // 4).astype(str).str.zfill(8), (ids % 4).astype(str).str.zfill(3)
    name = patient + "_" + image
    samples = pd.DataFrame(
        {"sample_id": name, "patient_id": patient, "study_id": name, "path": "images/" + name + ".png"}
    )
    samples["split"] = np.where(ids % 40 < 32, "train", "test")
    samples["view"], samples["finding"] = "frontal", 0.0
    radiographs = Radiographs("nih14", scratch, samples, ("finding",), False)
    listed = scratch / "list.txt"
    moved = ids + count - count // 10
    listed.write_text(
        "\n".join((moved // 4).astype(str).str.zfill(8) + "_" + (moved % 4).astype(str).str.zfill(3) + ".png")
    )
    found = []
    took = seconds(lambda: found.append(shared_ids(radiographs, listed)))
    print(f"\nNames, {count} against {count}: {found[0]}")
    verdict("seconds", took, 30, at_least=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="a side")
    parser.add_argument("--names", type=int, default=1_000_000, help="a side")
    parser.add_argument("--phantoms", type=int, default=20_000, help="drawn, to be laid over one another")
    parser.add_argument("--size", type=int, default=160, help="side of the phantoms in pixels")
    parser.add_argument("--drawn", type=Path, default=default_cache() / "measure_audit", help="where phantoms are kept")
    given = parser.parse_args()
    progress = progress_for_terminal()
    with tempfile.TemporaryDirectory() as text:
        scratch = Path(text)
        names(given.names, scratch)
        images = np.asarray(drawn(given.drawn, given.phantoms, given.size, progress))
        one = mixtures(images, given.images, 1, scratch / "a")
        made_of = np.load(scratch / "a" / "made_of.npy")
        other = mixtures(images, given.images, 2, scratch / "b", made_of)
        del images
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        everything = np.arange(given.images)
        sides = [
            Pictures(thumbnails, everything, [scratch / side / f"{row}.png" for row in everything])
            for thumbnails, side in ((one, "a"), (other, "b"))
        ]
        found = []
        took = seconds(lambda: found.append(near_duplicates(sides[0], sides[1], progress)))
        print(f"\nNear-duplicates, {given.images} against {given.images}, {PLANTED} cropped copies")
        verdict("seconds", took, 120, at_least=False)
        right = found[0]["one"] == found[0]["other"]
        verdict("copies found", right.sum() / PLANTED, 0.8, at_least=True)
        verdict("found wrongly", float((~right).sum()), 5, at_least=False)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"  peak memory of the process, mapped thumbnails included; {before / 1e6:.2f} GB before")
        verdict("GB", peak / 1e6, 2, at_least=False)
        compare_search(one, other)


if __name__ == "__main__":
    main()
