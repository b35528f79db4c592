"""CPU seconds of `--help`, and seconds of `ls records` on 10,000 records."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from synthetic_record import synthetic_record
from timing import in_turn, report, verdict

RECORDS = 10_000


def cpu_of(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "cxrbench.bench.cli", *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fill(store: Path) -> None:
    one = synthetic_record(random.Random(0))
    for number in range(RECORDS):
        record = replace(one, fingerprint=f"{number:016x}", encoder=f"encoder{number % 20}", replicate=number // 20)
        place = store / record.place
        place.mkdir(parents=True)
        (place / "record.json").write_text(record.to_json())


def main() -> None:
    helped = {"cxrbench --help": [cpu_of(["--help"]) for _ in range(7)]}
    medians = report("CPU of the command line", helped)
    verdict("seconds of CPU", medians["cxrbench --help"], 0.5, at_least=False)
    with tempfile.TemporaryDirectory() as scratch:
        fill(Path(scratch))
        listing = [sys.executable, "-m", "cxrbench.bench.cli", "ls", "records", "--store", scratch]
        found = in_turn({"cxrbench ls records": lambda: subprocess.run(listing, check=True, capture_output=True)})
        medians = report(f"A store of {RECORDS} records", found)
        verdict("seconds", medians["cxrbench ls records"], 2.0, at_least=False)


if __name__ == "__main__":
    main()
