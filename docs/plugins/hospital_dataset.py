"""A dataset of one's own in one file: `cxrbench run --include hospital_dataset.py ...`.

It is a folder of PNG files and a `list.csv` with the columns file, patient, part (train or test) and finding
(healthy or ill).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cxrbench.data import Radiographs, datasets
from cxrbench.data.card import DatasetCard
from cxrbench.data.phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from cxrbench.data.reading import Reading
from cxrbench.data.source import Source
from cxrbench.data.tables import read_table


class Hospital(Source):
    """PNG files and a list."""

    name = "hospital"
    card = DatasetCard(title="Our own radiographs: healthy or ill", licence="ours", citation="nobody yet")
    labels = ("healthy", "ill")
    exclusive = True

    def read(self, root: Path, reading: Reading) -> Radiographs:
        table = read_table(root / "list.csv", ("file", "patient", "part", "finding"), text=("file", "patient"))
        samples = pd.DataFrame(
            {
                "sample_id": table["file"],
                "patient_id": table["patient"],
                "study_id": table["patient"],
                "path": table["file"],
                "split": table["part"],
                "view": "frontal",
                "healthy": (table["finding"] == "healthy").astype(float),
                "ill": (table["finding"] == "ill").astype(float),
            }
        )
        return Radiographs(self.name, root, samples, self.labels, exclusive=True)

    # The last two are optional: they make `--data phantom` and the conformance tests work without the real files.
    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        parts = ["test" if number % 4 == 0 else "train" for number in range(n)]
        return [
            PhantomRequest(number, 0, 0, part, findings=("mass",) if number % 3 == 0 else ())
            for number, part in enumerate(parts)
        ]

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        import cv2

        rows = []
        for case in cases:
            name = f"{case.request.patient:05d}.png"
            cv2.imwrite(str(root / name), case.pixels)
            finding = "ill" if case.request.findings else "healthy"
            rows.append((name, f"p{case.request.patient}", case.request.split, finding))
        pd.DataFrame(rows, columns=["file", "patient", "part", "finding"]).to_csv(root / "list.csv", index=False)


datasets.register("hospital", Hospital())
