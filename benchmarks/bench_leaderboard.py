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

from timing import in_turn, report, verdict

from cxrbench.results import Record

ENCODERS, FRACTIONS, REPLICATES = 50, (1.0, 10.0, 50.0, 100.0), 25
TASKS = tuple(f"task_{number}" for number in range(10))
LABELS = tuple(f"Label {number}" for number in range(14))

# The tasks of the records, as a user's file registers them.
INCLUDED = f"""
from cxrbench.tasks.registry import read_definition, task_from_definition, tasks, CATALOG

for name in {TASKS!r}:
    definition = read_definition(CATALOG / "chexpert.toml").model_copy(update={{"name": name}})
    tasks.register(name, task_from_definition(definition))
"""


def record(random_numbers: random.Random) -> Record:
    """A multi-label record with every field that a real one fills: about 4 KB."""
    names = (
        "auc",
        "accuracy",
        "f1",
        *(f"{kind}/{label}" for kind in ("auc", "precision", "recall") for label in LABELS),
    )
    return Record(
        fingerprint="0" * 16,
        encoder="encoder",
        task="task",
        variant="default",
        protocol="frozen",
        fraction=1.0,
        replicate=0,
        metrics={name: random_numbers.random() for name in names},
        synthetic=True,
        task_version=1,
        weights={"sha256": "0" * 64, "arch": "resnet50", "mean": [0.5] * 3, "std": [0.5] * 3, "contamination": []},
        dataset={"name": "chexpert", "fingerprint": "0" * 64, "images": 224316, "size": 224},
        split={part: {"images": 1000, "patients": 500} for part in ("train", "validation", "test")},
        settings={"image_size": 224, "probe": {"strengths": [0.1] * 9, "folds": 5}, "labels": {"policy": "ones"}},
        settings_hash="00000000",
        seed=0,
        resolved={"strengths": [0.1] * 14, "thresholds": {label: random_numbers.random() for label in LABELS}},
        notes=["labels without a training case in this draw: Label 3, Label 7"],
        provenance={"versions": {"torch": "2"}, "device": "cpu", "seconds": 1.5},
    )


def fill(store: Path) -> int:
    """Write every (encoder, task, fraction, replicate); gives their number."""
    random_numbers = random.Random(0)
    one = record(random_numbers)
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
