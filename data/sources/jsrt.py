"""JSRT (Shiraishi 2000): 247 scanned films, 154 with one lung nodule each, whose centre and size are known."""

from __future__ import annotations

import re
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
from ..image_reading import JSRT_MAX, JSRT_SIDE
from ..phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from ..problems import Problems
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import extract, read_table
from ._phantoms import sex, shares

NODULE, NORMAL = "JPCLN", "JPCNN"
PIXEL_MM = 0.175
# Copies of the raw files and their conversions, best first: one image in several forms is read from the first.
_FORMS = (".img", ".dcm", ".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_NAME = rf"^(?P<folder>(?:.*/)?)(?P<id>(?i:{NODULE}|{NORMAL})\d{{3}})(?P<form>\.\w+)$"
# Pairs for bone suppression have equal names and other pixels.
_NOT_JSRT = ("bse_jsrt", "augmented")
_TABLE, _CONVERTED_TABLE = "CLNDAT_EN.txt", "jsrt_metadata.csv"
_FIELDS = ("id", "subtlety", "size", "age", "sex", "x", "y")


class JSRT(Source):
    """Multi-label with one label, `nodule`, read from the file name: JPCLN has one, JPCNN has none.

    Reads the raw .IMG files and conversions of them (PNG, JPEG, TIFF, BMP, DICOM) in any folders below the root.
    Boxes are squares of the nodule's size around its centre, from CLNDAT_EN.txt or, beside conversions,
    jsrt_metadata.csv; both state pixels of the raw 2048 x 2048, and the boxes are scaled where a conversion is
    smaller. No patient is known, so each film counts as one of its own.
    """

    name: ClassVar[str] = "jsrt"
    card: ClassVar[DatasetCard] = read_card("jsrt")
    labels: ClassVar[tuple[str, ...]] = ("nodule",)
    exclusive: ClassVar[bool] = False
    official_split: ClassVar[bool] = False
    phantom_images: ClassVar[int] = 60

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """List the images, and read the table of nodules where there is one."""
        files, notes = _files(root)
        table = _find_table(root)
        boxes = None
        if table is None:
            notes.append(f"no boxes: neither {_TABLE} nor {_CONVERTED_TABLE} lies there")
        else:
            nodules = _nodules(table, reading.problems)
            absent = pd.DataFrame({"id": nodules["id"][~nodules["id"].isin(files["id"])], "path": "", "form": ""})
            files = pd.concat([files, absent]).sort_values("id", ignore_index=True)
            unmarked = files["id"][files["id"].str.startswith(NODULE) & ~files["id"].isin(nodules["id"])]
            for name in unmarked:
                reading.problems.add("nodule without a place", table, f"no usable row for {name}", name)
            boxes = _boxes(root, nodules.merge(files, on="id"), table, reading.problems)
        samples = described(files["id"]).assign(path=files["path"])
        forms = sorted(set(files["form"]) - {""})
        layout = "raw .IMG" if forms == [".img"] else f"files {', '.join(forms)}"
        columns = ["sample_id", "patient_id", "study_id", "path", "split", "view", "nodule"]
        return Radiographs(
            self.name, root, samples[columns], self.labels, False, False, layout, notes=tuple(notes), boxes=boxes
        )

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Nodules as frequent as in the real set, and no more images: each raw file takes 8 MB."""
        return plan_films(n, seed, self.name)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write raw .IMG files of the real size, lungs bright, and CLNDAT_EN.txt with its carriage returns."""
        import cv2

        rows = []
        for case in cases:
            name = film_name(case.request)
            scale = JSRT_SIDE / case.pixels.shape[0]
            pixels = cv2.resize(case.pixels, (JSRT_SIDE, JSRT_SIDE), interpolation=cv2.INTER_LINEAR)
            stored = JSRT_MAX - np.rint(pixels * (JSRT_MAX / 255)).astype(np.uint16)
            path = root / "All247images" / f"{name}.IMG"
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored.astype(">u2").tobytes())
            for _, x1, y1, x2, y2 in case.boxes[:1]:
                ask = case.request
                size = max(1, round(max(x2 - x1, y2 - y1) * scale * PIXEL_MM))
                centre = round((x1 + x2) / 2 * scale), round((y1 + y2) / 2 * scale)
                person = (ask.age, "male" if ask.sex == "M" else "female")
                row = (f"{name}.IMG", 3, size, *person, *centre, "malignant", "l.upper lobe", "lung cancer")
                rows.append("\t".join(map(str, row)))
        with new_file(root / "Clinical_Information" / _TABLE) as path:
            path.write_bytes("".join(f"{row}\r" for row in rows).encode())


def described(names: pd.Series) -> pd.DataFrame:
    """The samples of the films `names` (JPCLN001), without their paths.

    Pairs of the same films are held out by the same rule, so that no film trains one task and tests another.
    """
    return pd.DataFrame(
        {
            "sample_id": names,
            "patient_id": names,
            "study_id": names,
            "split": held_out(JSRT.name, names),
            "view": "frontal",
            "nodule": names.str.startswith(NODULE).astype(np.float64),
        }
    )


def plan_films(n: int, seed: int, dataset: str) -> PhantomPlan:
    """`n` films, 154 of 247 with one nodule. Raises UserError for more films than the real set has."""
    if n > 247:
        raise UserError(f"a {dataset} phantom holds up to 247 films, as JSRT does; ask for fewer: phantom:n=247")
    generator = np.random.default_rng(seed)
    plan: PhantomPlan = []
    for findings, count in zip((("nodule",), ()), shares(n, (154, 93), dataset), strict=True):
        for patient in range(1, count + 1):
            age = int(np.clip(generator.normal(58, 13), 21, 89))
            # Normal films follow in the numbering, so that no two patients are drawn alike.
            number = patient if findings else 1000 + patient
            plan.append(PhantomRequest(number, 1, 1, "train", findings=findings, age=age, sex=sex(generator)))
    splits = held_out(JSRT.name, pd.Series([film_name(ask) for ask in plan]))
    return [PhantomRequest(**{**vars(ask), "split": split}) for ask, split in zip(plan, splits, strict=True)]


def film_name(request: PhantomRequest) -> str:
    """The film that a request of `plan_films` stands for, JPCLN001."""
    return f"{NODULE}{request.patient:03d}" if request.findings else f"{NORMAL}{request.patient - 1000:03d}"


def _files(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """id, path and form of each image below `root`, each image once."""
    paths = pd.Series(images_below(root, _FORMS, _NOT_JSRT), dtype="str")
    fields = extract(paths, _NAME)
    files = pd.DataFrame({"id": fields["id"].str.upper(), "path": paths, "form": fields["form"].str.lower()})
    files = files[files["id"].notna()]
    if files.empty:
        raise UserError(f"jsrt: no image JPCLN001.IMG or such below {root}; give the folder that holds All247images/")
    files = files.assign(rank=files["form"].map(_FORMS.index)).sort_values(["id", "rank", "path"])
    again = files["id"].duplicated()
    notes = []
    if again.any():
        notes.append(f"{int(again.sum())} further copies of the same films are left out")
    return files.loc[~again, ["id", "path", "form"]].reset_index(drop=True), notes


def _find_table(root: Path) -> Path | None:
    for name in (_TABLE, _CONVERTED_TABLE):
        ending = images_below(root, (name.lower(),))
        if found := [path for path in ending if path.rpartition("/")[2].lower() == name.lower()]:
            return root / min(found, key=lambda path: (path.count("/"), path))
    return None


def _nodules(table: Path, problems: Problems) -> pd.DataFrame:
    """id, x, y (raw pixels) and size (mm) of the nodules in the table, without rows in which one is no number."""
    rows = _clinical_rows(table) if table.suffix.lower() == ".txt" else _converted_rows(table)
    for column in ("size", "x", "y"):
        rows[column] = pd.to_numeric(rows[column], errors="coerce")
    inside = rows["x"].between(0, JSRT_SIDE) & rows["y"].between(0, JSRT_SIDE) & rows["size"].between(0.1, 200)
    for row in rows[~inside].itertuples():
        what = f"{row.id}: centre ({row.x:g}, {row.y:g}), size {row.size:g} mm is no place in a film of 2048 pixels"
        problems.add("box outside its image", table, what, str(row.id))
    again = rows["id"].duplicated()
    for name in rows["id"][again]:
        problems.add("listed twice", table, f"{name} is listed before", name)
    return rows.loc[inside & ~again, ["id", "x", "y", "size"]].reset_index(drop=True)


def _clinical_rows(table: Path) -> pd.DataFrame:
    """Rows of CLNDAT_EN.txt: tabs between fields, carriage returns between rows, `?` for an unknown age."""
    try:
        text = table.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{table} cannot be read: {error.strerror}") from error
    # Tools that drop carriage returns run rows together, so the names are what divides them.
    parts = re.split(rf"(?={NODULE}\d{{3}})", text)[1:]
    if not parts:
        raise UserError(f"{table} names no film {NODULE}001.IMG; it should be JSRT's {_TABLE}: download it again")
    rows = []
    for part in parts:
        fields = [field.strip() for field in part.split("\t")] if "\t" in part else part.split()
        rows.append([*fields, *[""] * len(_FIELDS)][: len(_FIELDS)])
    found = pd.DataFrame(rows, columns=list(_FIELDS), dtype="str")
    return found.assign(id=found["id"].str.slice(0, len(NODULE) + 3))


def _converted_rows(table: Path) -> pd.DataFrame:
    found = read_table(table, ("study_id", "size", "x", "y"), text=("study_id",))
    ids = found["study_id"].fillna("").str.upper().str.replace(r"\.\w+$", "", regex=True)
    return found.assign(id=ids)[ids.str.match(rf"^{NODULE}\d{{3}}$")].reset_index(drop=True)


def _boxes(root: Path, nodules: pd.DataFrame, table: Path, problems: Problems) -> pd.DataFrame:
    """Squares of each nodule's size around its centre, in pixels of its file, cut at the image's edges."""
    files = zip(nodules["path"].tolist(), nodules["id"].tolist(), strict=True)
    sides = np.array([_side(root, path, name, problems) for path, name in files], dtype=np.float64)
    scale = sides / JSRT_SIDE
    half = nodules["size"].to_numpy() / PIXEL_MM / 2
    corners = {}
    for axis in ("x", "y"):
        centre = nodules[axis].to_numpy(dtype=np.float64)
        corners[f"{axis}1"] = np.clip(centre - half, 0, JSRT_SIDE) * scale
        corners[f"{axis}2"] = np.clip(centre + half, 0, JSRT_SIDE) * scale
    boxes = pd.DataFrame({"sample_id": nodules["id"], "label": "nodule", **corners})
    return boxes.loc[sides > 0, ["sample_id", "label", "x1", "y1", "x2", "y2"]].reset_index(drop=True)


def _side(root: Path, path: str, name: str, problems: Problems) -> int:
    """Width of the file in pixels, from its header; 0, and one of `problems`, where it has none."""
    if not path or path.lower().endswith((".img", ".dcm")):
        return JSRT_SIDE
    from PIL import Image

    try:
        with Image.open(root / path) as image:
            width, height = image.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        problems.add("unreadable image", root / path, f"no size can be read: {' '.join(str(error).split())}", name)
        return 0
    if width != height:
        what = f"{width} x {height} pixels; JSRT's films are square, so the nodule's place is not known here"
        problems.add("unexpected size", root / path, what, name)
        return 0
    return width


datasets.register(JSRT.name, JSRT())
