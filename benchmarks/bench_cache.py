"""A cache of many images: time, memory, checking every byte, listing."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from timing import seconds, verdict

from cxrbench.data import Radiographs, load, prepare_images
from cxrbench.data.cache_folders import cache_entries
from cxrbench.data.parallel import cores
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.resumable_array import CHECKSUMS

DRAWN = 200
SIDE = 128


def dataset(root: Path, n: int) -> Radiographs:
    """`n` files that are links to a few phantoms."""
    write_phantom_dataset("chexpert", root / "drawn", DRAWN, SIDE, rib_free=False)
    drawn = [root / "drawn" / path for path in load("chexpert", root / "drawn").samples["path"]]
    names = [f"{number // 1000:03}/{number:07}.jpg" for number in range(n)]
    for folder in {name.split("/")[0] for name in names}:
        (root / folder).mkdir()
    for number, name in enumerate(names):
        (root / name).hardlink_to(drawn[number % len(drawn)])
    samples = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "path": names})
    return Radiographs("links", root, samples.assign(split="train", view="frontal"), (), exclusive=False)


def build(root: Path, cache: Path) -> None:
    """What the measured process does: the table as it stands in a file, then the cache."""
    samples = pd.read_parquet(root / "samples.parquet")
    radiographs = Radiographs("links", root, samples, (), exclusive=False)
    before, peaks = most_resident("self"), [0.0]
    watching = threading.Thread(target=watch_workers, args=(peaks,), daemon=True)
    watching.start()
    start = time.perf_counter()
    prepare_images(radiographs, SIDE, cache=cache)
    print(time.perf_counter() - start, before, most_resident("self"), max(peaks))


def watch_workers(peaks: list[float]) -> None:
    """Add again and again what the children together have had at most, in GB (shared pages count for each)."""
    while True:
        children = [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
        peaks.append(sum(most_resident(pid) for pid in children))
        time.sleep(0.2)


def most_resident(process: str) -> float:
    """GB that a process has held at most. (`getrusage` would count what its parent held when it was started.)"""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1e6 if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--build", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        build(*given.build)
        return
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(scratch) / "data", Path(scratch) / "cache"
        dataset(root, given.images).samples.to_parquet(root / "samples.parquet")
        command = [sys.executable, __file__, "--build", str(root), str(cache)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        took, before, own, workers = map(float, printed.split())
        print(f"\nA cache of {given.images} images of {SIDE} px, {cores()} cores")
        print(f"  {took:.1f} s, {given.images / took:.0f} images a second, hashing the files included")
        print(f"  peak memory: {own:.2f} GB ({before:.2f} GB before), and {workers:.2f} GB in worker processes")
        verdict("GB together", own + workers, 1, at_least=False)
        (entry,) = [each for each in cache_entries(cache) if each.kind == "images"]
        values = entry.path / "values.npy"

        def check() -> None:
            assert not [line for _, line in entry.damage() if line]

        def read() -> None:
            with values.open("rb", buffering=0) as file:
                while file.read(1 << 22):
                    pass

        read()
        reading, checking = min(seconds(read) for _ in range(3)), min(seconds(check) for _ in range(3))
        print(f"  checking {entry.size / 1e9:.2f} GB: {entry.size / checking / 1e9:.2f} GB/s, from memory")
        print(f"  (bare reading of it: {entry.size / reading / 1e9:.2f} GB/s)")
        verdict("GB/s checked; a SATA disk reads 0.55", entry.size / checking / 1e9, 0.55, at_least=True)
        print(f"  listing the cache: {seconds(lambda: cache_entries(cache)):.3f} s")
        chunks = len(np.fromfile(entry.path / CHECKSUMS, np.uint32)) - 1
        print(f"  {chunks} checksums")
        shutil.rmtree(cache)


if __name__ == "__main__":
    main()
