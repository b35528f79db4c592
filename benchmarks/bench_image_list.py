"""Lists of 1,000,000 images: time and memory, each list in a process of its own.

The target is for processor time, which other work on the machine does not lengthen; seconds stand beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from timing import verdict

SECONDS = 5.0
GIGABYTES = 1.0

# The peak of a process that was forked counts from its parent's, so it is read from the process's own status.
READ = """
import sys, time
from pathlib import Path
from cxrbench.data.image_list import read_image_list

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6

before, wall, cpu = peak(), time.perf_counter(), time.process_time()
found = read_image_list(sys.argv[1])
print(len(found), time.perf_counter() - wall, time.process_time() - cpu, before, peak())
"""


def write_lists(folder: Path, n: int) -> list[Path]:
    """The same `n` NIH names as NIH's list with labels, NIH's table, CheXpert's table, JSON and Parquet."""
    numbers = np.arange(n)
    patients = numbers // 20
    names = [f"{patient:08d}_{number % 20:03d}.png" for patient, number in zip(patients, numbers, strict=True)]
    (folder / "list.txt").write_text("\n".join(f"images/{name} 0 1 0 0 0 0 0 0 0 0 0 0 0 0" for name in names))
    table = pd.DataFrame({"Image Index": names, "Finding Labels": "Effusion|Mass", "Patient ID": patients, "Age": 55})
    table.to_csv(folder / "nih.csv", index=False)
    paths = [f"CheXpert-v1.0/train/patient{at // 3:06d}/study{at % 3 + 1}/view1_frontal.jpg" for at in range(n)]
    labels = {f"label {number}": 1.0 for number in range(14)}
    pd.DataFrame({"Path": paths, "Sex": "Male", "Age": 60, **labels}).to_csv(folder / "chexpert.csv", index=False)
    (folder / "list.json").write_text(json.dumps(names))
    table.to_parquet(folder / "nih.parquet")
    return sorted(folder.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1_000_000, help="names in each list")
    given = parser.parse_args()
    worst_seconds, worst_memory = 0.0, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for path in write_lists(Path(scratch), given.n):
            command = [sys.executable, "-c", READ, str(path)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            count, wall, cpu, before, peak = map(float, said.split())
            assert count == given.n
            print(f"  {path.name:14} {wall:6.2f} s, {cpu:5.2f} s of processor time, {before:.2f} -> {peak:.2f} GB")
            worst_seconds, worst_memory = max(worst_seconds, cpu), max(worst_memory, peak)
    verdict("seconds of processor time, slowest list", worst_seconds, SECONDS, at_least=False)
    verdict("gigabytes at the peak", worst_memory, GIGABYTES, at_least=False)


if __name__ == "__main__":
    main()
