"""Files of boxes in COCO's form: `images`, `annotations` and `categories`, checked entry by entry."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from ..foundation.errors import UserError
from .problems import Problems
from .radiographs import SAMPLE_COLUMNS
from .tables import first_three

# A box may end this many pixels outside its image: tools differ in whether the last pixel counts.
TOLERANCE = 1.0
_LISTS = ("images", "annotations", "categories")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class CocoFile:
    """What one file says, its lists as they stand there.

    Attributes:
        path: of the file.
        images: its list `images`.
        annotations: its list `annotations`.
        categories: id (a whole number or text) -> name, in the file's order.
    """

    path: Path
    images: list[Any]
    annotations: list[Any]
    categories: dict[int | str, str]


def read_coco(path: Path) -> CocoFile:
    """Read a file and check its categories.

    Raises:
        UserError: one line that names the file: not JSON, without the three lists, no image, or categories that have
            no id or name, come twice, or are called as a column of the sample table is.
    """
    from pydantic_core import from_json

    try:
        content = from_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object with the lists {', '.join(_LISTS)}")
    lacking = [name for name in _LISTS if not isinstance(content.get(name), list)]
    if lacking:
        raise UserError(f"{path}: no list {lacking[0]!r}; COCO's form has {', '.join(_LISTS)}")
    if not content["images"]:
        raise UserError(f"{path}: its list 'images' is empty")
    return CocoFile(path, content["images"], content["annotations"], _categories(path, content["categories"]))


def image_table(file: CocoFile, above: str, problems: Problems) -> pd.DataFrame:
    """The images of a file: one row for each entry that names one, numbered by the entry (from 0).

    Columns: `id` (whole number or text), `path` (below `images/`), `sample_id` (the path without its ending),
    `patient_id` and `split` (text, NaN where not stated), `width` and `height` (float, NaN where not stated). What is
    wrong with an entry is one of `problems`.

    Args:
        file: as read.
        above: folder below `images/` that the file's names start from, with a slash behind it, or empty.
        problems: get what is wrong.

    Raises UserError where two images have one id: which of them boxes are about cannot be told.
    """
    rows, seen = [], {}
    for at, entry in enumerate(file.images):
        where = at_entry(file.path, "images", at)
        given: dict[str, Any] = entry if isinstance(entry, dict) else {}
        key, name = given.get("id"), given.get("file_name")
        if not _is_key(key):
            raise UserError(f"{where}: its id is {_shown(key)}; expected a whole number or text")
        if (first := seen.setdefault(key, at)) != at:
            what = f"id {_shown(key)} is that of entry {first + 1} too, so that boxes are of two images"
            raise UserError(f"{where}: {what}; number them anew")
        if not _is_name(name):
            problems.add("no file name", where, f"file_name is {_shown(name)}; expected the name of a file")
            continue
        path = above + name.replace("\\", "/").removeprefix("./").removeprefix("images/")
        sample = re.sub(r"\.[^./]*$", "", path)
        patient = given.get("patient_id")
        if patient is not None and not _is_key(patient):
            what = f"patient_id is {_shown(patient)}; expected a whole number or text"
            problems.add("wrong patient_id", where, what, sample)
            patient = None
        size = [_side(given.get(side), side, sample, where, problems) for side in ("width", "height")]
        rows.append((at, key, path, sample, _words(patient), _words(given.get("split")), *size))
    columns = ["at", "id", "path", "sample_id", "patient_id", "split", "width", "height"]
    table = pd.DataFrame(rows, columns=columns).set_index("at").rename_axis(None)
    texts = dict.fromkeys(("path", "sample_id", "patient_id", "split"), "str")
    return table.astype({**texts, "width": np.float64, "height": np.float64, "id": object})


def box_table(file: CocoFile, images: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """The boxes of a file's images: sample_id, label, x1, y1, x2, y2 (float, pixels), crowd (bool).

    Boxes that end up to a pixel outside their image are cut at its edge. One that is no box, lies outside its image,
    or is of an image or category that the file does not list, is one of `problems` and left away.

    Args:
        file: as read.
        images: the rows of `image_table`; those without `width` or `height` (NaN) have room for any box.
        problems: get what is wrong.
    """
    names = dict(zip(images["id"], images["sample_id"], strict=True))
    sizes = dict(zip(images["id"], images[["width", "height"]].to_numpy().tolist(), strict=True))
    rows, seen = [], set()
    for at, entry in enumerate(file.annotations):
        given: dict[str, Any] = entry if isinstance(entry, dict) else {}
        key, image = given.get("id"), given.get("image_id")
        name = str(names.get(image, "")) if _is_key(image) else ""
        where = at_entry(file.path, "annotations", at)
        wrong = _wrong_reference(given, name, file.categories, isinstance(entry, dict))
        if not wrong and _is_key(key):
            wrong = f"id {_shown(key)} is that of an annotation before" if key in seen else ""
            seen.add(key)
        if wrong:
            problems.add("wrong annotation", where, wrong, name)
            continue
        width, height = sizes[image]
        box, fault = _corners(given.get("bbox"), width, height)
        if fault:
            problems.add("wrong box", where, f"bbox {_shown(given.get('bbox'))} of {name} {fault}", name)
        else:
            rows.append((name, file.categories[given["category_id"]], *box, given.get("iscrowd", 0) == 1))
    table = pd.DataFrame(rows, columns=["sample_id", "label", "x1", "y1", "x2", "y2", "crowd"])
    numbers = dict.fromkeys(("x1", "y1", "x2", "y2"), np.float64)
    return table.astype({"sample_id": "str", "label": "str", **numbers, "crowd": bool})


def at_entry(path: Path, kind: str, at: object) -> str:
    """`train.json, annotations entry 17`: where the entry number `at` (from 0) of the list `kind` stands."""
    return f"{path}, {kind} entry {int(str(at)) + 1}"


def _categories(path: Path, entries: list[Any]) -> dict[int | str, str]:
    found: dict[int | str, str] = {}
    for at, entry in enumerate(entries):
        where = at_entry(path, "categories", at)
        given: dict[str, Any] = entry if isinstance(entry, dict) else {}
        key, name = given.get("id"), given.get("name")
        if not _is_key(key) or not _is_name(name):
            raise UserError(f"{where}: id {_shown(key)} and name {_shown(name)}; expected a number or text, and a name")
        name = name.strip()
        if key in found or name in found.values():
            raise UserError(f"{where}: id {_shown(key)} or name {name!r} is that of a category before")
        if name in SAMPLE_COLUMNS:
            raise UserError(
                f"{where}: a category cannot be called {name!r}, as a column of the sample table is; rename"
            )
        found[key] = name
    if not found:
        raise UserError(f"{path}: its list 'categories' is empty; it names what the boxes show")
    return found


def _wrong_reference(given: dict, name: str, categories: dict, is_object: bool) -> str:
    """What is wrong with an annotation's references, or ''."""
    if not is_object:
        return "not an object with image_id, category_id and bbox"
    if not name:
        return f"image_id {_shown(given.get('image_id'))} is not among the images"
    category = given.get("category_id")
    if not _is_key(category) or category not in categories:
        known = first_three(f"{key} ({label})" for key, label in categories.items())
        return f"category_id {_shown(category)} of {name} is not among the categories; known: {known}"
    if given.get("iscrowd", 0) not in (0, 1):
        return f"iscrowd of {name} is {_shown(given['iscrowd'])}; expected 0 or 1"
    return ""


def _corners(bbox: object, width: float, height: float) -> tuple[tuple[float, ...], str]:
    """x1, y1, x2, y2, and what is wrong with the box or ''."""
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_number, bbox)):
        return (), "is not four finite numbers (x, y, width, height)"
    x, y, across, down = (float(number) for number in bbox)
    if not (across > 0 and down > 0):
        return (), "has a width or height that is not above 0 (COCO's boxes are x, y, width, height)"
    x2, y2 = x + across, y + down
    room = [math.inf if math.isnan(side) else side for side in (width, height)]
    if min(x, y) < -TOLERANCE or x2 > room[0] + TOLERANCE or y2 > room[1] + TOLERANCE:
        return (), f"leaves its image of {room[0]:g} x {room[1]:g} pixels"
    corners = max(x, 0.0), max(y, 0.0), min(x2, room[0]), min(y2, room[1])
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        return (), "has nothing inside its image"
    return corners, ""


def _side(value: object, side: str, name: str, where: str, problems: Problems) -> float:
    if value is None:
        return math.nan
    if _is_number(value) and float(value) == int(value) and value > 0:
        return float(value)
    problems.add("wrong size", where, f"{side} is {_shown(value)}; expected a number of pixels", name)
    return math.nan


def _is_number(value: object) -> TypeGuard[float]:
    # NaN compares as false; larger integers may not fit a float.
    return type(value) in (int, float) and abs(value) < 2**53  # type: ignore[arg-type]


def _is_key(value: object) -> TypeGuard[int | str]:
    return type(value) is int or (_is_name(value) and len(str(value)) <= _LONGEST_NAME)


def _is_name(value: object) -> TypeGuard[str]:
    """Whether it is text that can stand in a message and a table: printable, not blank."""
    return isinstance(value, str) and value.isprintable() and bool(value.strip())


def _words(value: object) -> str | None:
    return None if value is None else str(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
