"""NODE21 (2021): frontal radiographs of four public datasets, nodules marked with boxes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ...foundation.files import new_file, writing
from ..card import DatasetCard, read_card
from ..held_out import held_out
from ..image_folder import images_below
from ..metaimage import metaimage_bytes
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ..problems import Problems
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import at_row, label_values, located, read_table
from ._phantoms import sex, shares
from ._sized_boxes import sized_boxes

_TABLE = "metadata.csv"
_CORNERS = ("x", "y", "width", "height")
_COLUMNS = ("img_name", "label", *_CORNERS)
# Where images lie, from the table's folder; the release says `images`.
_PLACES = ("images", "data/images")


class NODE21(Source):
    """Multi-label with one label, `nodule`: 1 where a row of metadata.csv marks one.

    metadata.csv has a row a nodule, and one row for an image without any. It may lie in the root or below it
    (`cxr_images/proccessed_data/`), its images beside it in `images/` or in `data/images/`. No patient is known, so
    each image counts as one of its own.
    """

    name: ClassVar[str] = "node21"
    card: ClassVar[DatasetCard] = read_card("node21")
    labels: ClassVar[tuple[str, ...]] = ("nodule",)
    exclusive: ClassVar[bool] = False
    official_split: ClassVar[bool] = False

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read metadata.csv and find its images."""
        table, place = _find(root)
        rows = read_table(table, _COLUMNS, text=("img_name",))
        blank = rows["img_name"].isna()
        for index in rows.index[blank]:
            reading.problems.add("no image named", at_row(table, index), "img_name is blank")
        if blank.all():
            raise UserError(f"{table}: the column img_name is blank throughout; download it again")
        names = rows["img_name"].fillna("")
        ids = names.str.replace(r"\.[^./]*$", "", regex=True)
        marked = label_values(rows, ("label",), (0.0, 1.0), table, ids, reading.problems)["label"]
        paths = located(root, place + names, table, ids, reading.problems)
        rows, ids, marked, paths = rows[~blank], ids[~blank], marked[~blank], paths[~blank]
        nodules = marked == 1
        finding = pd.Series("nodule", index=rows.index[nodules])
        boxes = sized_boxes(rows[nodules], list(_CORNERS), ids[nodules], finding, table, reading.problems)
        _refuse_contradictions(marked, ids, table, reading.problems)
        # An image is listed once for each nodule; its label is NaN only where no row states 0 or 1.
        labels = marked.groupby(ids, sort=False).max()
        sample_ids = pd.Series(labels.index, dtype="str")
        samples = pd.DataFrame(
            {
                "sample_id": sample_ids,
                "patient_id": sample_ids,
                "study_id": sample_ids,
                "path": paths.groupby(ids, sort=False).first().to_numpy(),
                "split": held_out(self.name, sample_ids),
                "view": "frontal",
                "nodule": labels.to_numpy(dtype=np.float64),
            }
        )
        layout = f"{table.relative_to(root).as_posix()}, images in {place}"
        return Radiographs(self.name, root, samples, self.labels, False, False, layout, boxes=boxes)

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """23 % of the images with a nodule, 1.3 nodules each, at most three."""
        generator = np.random.default_rng(seed)
        plan: PhantomPlan = []
        with_nodule = shares(n, (1134, 4882 - 1134), self.name)[0]
        for patient in range(1, n + 1):
            # 1476 nodules on 1134 images.
            count = int(np.searchsorted([0.76, 0.94], generator.random())) + 1 if patient <= with_nodule else 0
            age = int(np.clip(generator.normal(55, 15), 18, 90))
            findings = ("nodule",) * count
            plan.append(PhantomRequest(patient, 1, 1, "train", findings=findings, age=age, sex=sex(generator)))
        splits = held_out(self.name, pd.Series([_stem(ask) for ask in plan]))
        return [PhantomRequest(**{**vars(ask), "split": split}) for ask, split in zip(plan, splits, strict=True)]

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write compressed 16-bit .mha files and metadata.csv."""
        rows: list[tuple[str | float, ...]] = []
        for case in cases:
            name = f"{_stem(case.request)}.mha"
            path = root / "images" / name
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(metaimage_bytes(case.pixels.astype(np.uint16) * 16))
            rows += [(name, 1, x1, y1, x2 - x1, y2 - y1) for _, x1, y1, x2, y2 in case.boxes]
            if not case.boxes:
                rows.append((name, 0, 0, 0, 0, 0))
        with new_file(root / _TABLE) as path:
            table = pd.DataFrame(rows, columns=list(_COLUMNS))
            table.astype(dict.fromkeys(_CORNERS, "int64")).to_csv(path, index=False)


def _stem(request: PhantomRequest) -> str:
    return f"{'n' if request.findings else 'c'}{request.patient:04d}"


def _find(root: Path) -> tuple[Path, str]:
    """The table, and the folder of its images relative to `root`, with a slash behind it."""
    named = images_below(root, (_TABLE,))
    tables = [path for path in named if path.rpartition("/")[2] == _TABLE and path.count("/") <= 3]
    if not tables:
        raise UserError(f"node21: no {_TABLE} in {root} or up to three folders below it; give the folder that holds it")
    found = [(path, place) for path in tables for place in _PLACES if (root / path).parent.joinpath(place).is_dir()]
    tables_found = sorted({path for path, _ in found})
    if not found:
        raise UserError(f"node21: no folder images/ beside {root / tables[0]}; complete the copy")
    if len(tables_found) > 1:
        names = " and ".join(str(root / path) for path in tables_found[:2])
        raise UserError(f"node21: more than one copy, {names}; give the folder of one")
    path, place = found[0]
    return root / path, path[: -len(_TABLE)] + place + "/"


def _refuse_contradictions(marked: pd.Series, ids: pd.Series, table: Path, problems: Problems) -> None:
    """One of `problems` for each image that has rows with a nodule and one without."""
    both = marked.groupby(ids, sort=False).agg(["min", "max"])
    for name in both.index[(both["min"] == 0) & (both["max"] == 1)]:
        problems.add("contradiction", table, f"{name} has rows with label 0 and with label 1", str(name))


datasets.register(NODE21.name, NODE21())
