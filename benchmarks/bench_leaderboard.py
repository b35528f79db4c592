"""Seconds and memory of `cxrbench leaderboard` on 50,000 records: start, reading every record.json, ranks, page."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from synthetic_record import synthetic_record
from timing import in_turn, report, verdict

ENCODERS, FRACTIONS, REPLICATES = 50, (1.0, 10.0, 50.0, 100.0), 25
TASKS = tuple(f"task_{number}" for number in range(10))

# The tasks of the records, as a user's file registers them.
INCLUDED = f"""
from cxrbench.tasks.registry import read_definition, task_from_definition, tasks, CATALOG

for name in {TASKS!r}:
    definition = read_definition(CATALOG / "chexpert.toml").model_copy(update={{"name": name}})
    tasks.register(name, task_from_definition(definition))
"""


def fill(store: Path) -> int:
    """Write every (encoder, task, fraction, replicate); gives their number."""
    random_numbers = random.Random(0)
    one = synthetic_record(random_numbers)
    written = 0
    made = one
    for encoder in range(ENCODERS):
        for task in TASKS:
            for fraction in FRACTIONS:
                for replicate in range(REPLICATES):
                    made = replace(
                        one,
                        fingerprint=f"{written:016x}",
                        encoder=f"encoder_{encoder}",
                        task=task,
                        fraction=fraction,
                        replicate=replicate,
                        metrics={**one.metrics, "auc": 0.7 + encoder / 500 + random_numbers.gauss(0, 0.02)},
                    )
                    place = store / made.place
                    place.mkdir(parents=True)
                    (place / "record.json").write_text(made.to_json(), encoding="utf-8")
                    written += 1
    print(f"{written} records of {len(made.to_json())} bytes")
    return written


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        store, included = Path(scratch, "store"), Path(scratch, "tasks.py")
        written = fill(store)
        included.write_text(INCLUDED, encoding="utf-8")
        # An installed package has its bytecode.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(scratch, "bytecode"))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def leaderboard(form: str) -> None:
            command = [sys.executable, "-m", "cxrbench.bench.cli", "leaderboard", "--store", str(store)]
            options = ["--include", str(included), "--format", form, "--out", str(Path(scratch, "board"))]
            subprocess.run([*command, *options], check=True, capture_output=True, env=environment)

        ways = {
            f"cxrbench leaderboard --format {form}": lambda form=form: leaderboard(form) for form in ("csv", "html")
        }
        medians = report(f"A store of {written} records", in_turn(ways, rounds=3))
        verdict("seconds", max(medians.values()), 5.0, at_least=False)
        # Kilobytes on Linux.
        verdict("GB", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6, 1.0, at_least=False)


if __name__ == "__main__":
    main()
