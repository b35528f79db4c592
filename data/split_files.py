"""Splits as CSV files, so that two groups can train and test on the same patients."""

from __future__ import annotations

import filecmp
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import pandas as pd

from ..foundation.errors import UserError
from ..foundation.files import new_file
from .label_digests import label_digests
from .radiographs import Radiographs
from .splits import ROLES, Split

# The first four say what the file is of, and are the same in every row, so that any reader of CSV takes it. `rows` is
# how many rows the draw has, the same in each of them, so that a file that was cut off is noticed.
OF_COLUMNS = ("task", "task_version", "dataset", "dataset_sha256")
COLUMNS = (
    *OF_COLUMNS,
    *("variant", "fraction", "replicate", "rows", "role"),
    *("sample_id", "patient_id", "image_sha256", "labels_sha256"),
)
SHOWN = 5
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_HEADER_MOST = 1 << 16
_OF_DRAW = ["variant", "fraction", "replicate"]


class DrawName(NamedTuple):
    """Which draw of a task: variant, per cent of the training patients, and number of the replicate."""

    variant: str
    fraction: float
    replicate: int

    def __str__(self) -> str:
        return f"{self.variant} {self.fraction:g} % replicate {self.replicate}"


@dataclass(frozen=True)
class SplitsOf:
    """What splits are of.

    Attributes:
        task: registered name of the task that drew.
        version: of the task.
        dataset: registered name.
        fingerprint: `dataset_fingerprint` of the copy.
    """

    task: str
    version: int
    dataset: str
    fingerprint: str


@dataclass(frozen=True)
class SplitFile:
    """A file as it was written; nothing of it has been compared with a dataset.

    Attributes:
        path: of the file.
        of: what it says it is of.
        table: the columns of COLUMNS, `fraction` as float, `replicate` and `rows` as int.
    """

    path: Path
    of: SplitsOf
    table: pd.DataFrame

    @cached_property
    def draws(self) -> dict[DrawName, dict[str, np.ndarray]]:
        """Draw -> role -> sample_ids [n], in the file's order."""
        found: dict[DrawName, dict[str, np.ndarray]] = {}
        for _, rows in self.table.groupby(_OF_DRAW, sort=False):
            one = rows.iloc[0]
            ids, role = rows["sample_id"].to_numpy(dtype=str), rows["role"].to_numpy()
            name = DrawName(str(one["variant"]), float(one["fraction"]), int(one["replicate"]))
            found[name] = {each: ids[role == each] for each in ROLES}
        return found


def write_splits(
    path: Path, radiographs: Radiographs, draws: Mapping[DrawName, Split], of: SplitsOf, hashes: np.ndarray
) -> None:
    """Write every draw, one row a sample and draw; gzip where the name ends in .gz.

    Args:
        path: the file.
        radiographs: what the splits index.
        draws: at least one.
        of: what they are of.
        hashes: SHA-256 of each image's file [N], `content_hashes`.

    Raises UserError where a file with other contents stands at `path`.
    """
    path = Path(path)
    samples = radiographs.samples[["sample_id", "patient_id"]]
    samples = samples.assign(image_sha256=hashes, labels_sha256=label_digests(radiographs))
    common = dict(zip(OF_COLUMNS, (of.task, of.version, of.dataset, of.fingerprint), strict=True))
    with new_file(path) as beside:
        with _text_of(beside, packed=_is_packed(path)) as file:
            file.write(",".join(COLUMNS) + "\n")
            for name, split in draws.items():
                draw = {"variant": name.variant, "fraction": f"{name.fraction:g}", "replicate": name.replicate}
                draw["rows"] = sum(len(getattr(split, role)) for role in ROLES)
                for role in ROLES:
                    rows = samples.iloc[getattr(split, role)].assign(**common, **draw, role=role)
                    rows[list(COLUMNS)].to_csv(file, index=False, header=False, lineterminator="\n")
        if path.is_file() and not filecmp.cmp(path, beside, shallow=False):
            raise UserError(f"{path} exists and holds something else; delete it or name another file")


def read_splits(path: Path) -> SplitFile:
    """Read what `write_splits` wrote, or another hand in the same columns.

    Raises UserError where it is no such table: columns, roles or numbers that are wrong, two tasks, a sample twice, or
    a draw with more or fewer rows than it states.
    """
    table = _read_table(Path(path))
    of = []
    for column in OF_COLUMNS:
        values = table[column].unique()
        if len(values) != 1:
            raise UserError(f"{path}: column {column} has {len(values)} values ({few(values)}); keep one a file")
        of.append(values[0])
    if not re.fullmatch(r"[0-9]{1,6}", of[1]):
        raise UserError(f"{path}: task_version {of[1]!r} is not a whole number")
    _refuse_rows(path, table["role"], ~table["role"].isin(ROLES), f"use {', '.join(ROLES)}")
    fraction = pd.to_numeric(table["fraction"], errors="coerce")
    _refuse_rows(path, table["fraction"], ~((fraction > 0) & (fraction <= 100)), "use a per cent above 0, up to 100")
    whole = table["replicate"].str.fullmatch(r"[0-9]{1,6}")
    _refuse_rows(path, table["replicate"], ~whole, "use a whole number from 0")
    counted = table["rows"].str.fullmatch(r"[0-9]{1,12}")
    _refuse_rows(path, table["rows"], ~counted, "use the number of rows of the draw")
    table = table.assign(fraction=fraction.astype(np.float64))
    table = table.astype({"replicate": np.int64, "rows": np.int64})
    again = table.duplicated([*_OF_DRAW, "role", "sample_id"])
    _refuse_rows(path, table["sample_id"], again, "it stands above in the same draw and role; list it once")
    _refuse_incomplete(path, table)
    return SplitFile(Path(path), SplitsOf(of[0], int(of[1]), of[2], of[3]), table)


def _refuse_incomplete(path: Path, table: pd.DataFrame) -> None:
    """Raise UserError where a draw has more or fewer rows than each of its rows states."""
    draws = table.groupby(_OF_DRAW, sort=False)["rows"].agg(["size", "min", "max"]).reset_index()
    mixed = draws[draws["min"] != draws["max"]]
    if len(mixed):
        one = mixed.iloc[0]
        raise UserError(
            f"{path}: {_name_of(one)} states both {one['min']} and {one['max']} rows; write the number of its rows in "
            "each"
        )
    wrong = draws[draws["size"] != draws["min"]]
    if len(wrong):
        each = [f"{_name_of(row)} has {row['size']} of {row['min']} rows" for _, row in wrong.iterrows()]
        raise UserError(
            f"{path}: {few(np.array(each))}: the file was cut off or changed; get a whole one, or correct column rows"
        )


def _name_of(row: pd.Series) -> DrawName:
    return DrawName(str(row["variant"]), float(row["fraction"]), int(row["replicate"]))


def _read_table(path: Path) -> pd.DataFrame:
    try:
        encoding = _encoding(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                compression="gzip" if _is_packed(path) else None,
                dtype=str,
                encoding=encoding,
                index_col=False,
                keep_default_na=False,
            )
    except (OSError, EOFError, zlib.error) as error:
        # An OSError of gzip has no strerror.
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except (ValueError, pd.errors.ParserWarning) as error:
        raise UserError(f"{path}: not a CSV table of splits ({' '.join(str(error).split())})") from error
    lacking = [name for name in COLUMNS if name not in table]
    if lacking == ["rows"]:
        raise UserError(f"{path}: no column rows; write in each row how many rows its draw has, or export it again")
    if lacking:
        raise UserError(
            f"{path}: no column {', '.join(lacking)}; `cxrbench data splits export` writes {', '.join(COLUMNS)}"
        )
    if table.empty:
        raise UserError(f"{path}: a header and no rows; export the splits again")
    return table


def _encoding(path: Path) -> str:
    """UTF-16 where the file begins with that byte order mark, or UTF-8.

    Raises UserError where the columns are not separated by commas, beside what reading raises.
    """
    with gzip.open(path) if _is_packed(path) else path.open("rb") as file:
        start = file.read(_HEADER_MOST)
    encoding = "utf-16" if start[:2] in _UTF_16 else "utf-8-sig"
    header = start.decode(encoding, errors="replace").split("\n", 1)[0]
    if "\x00" in header:
        raise UserError(f"{path} is not UTF-8 text (NUL bytes in its header); save it as UTF-8")
    for separator, words in _SEPARATORS.items():
        if {name.strip(' "\r') for name in header.split(separator)} >= {"sample_id", "role"}:
            raise UserError(f"{path}: separated by {words}; write it with commas")
    return encoding


def _refuse_rows(path: Path, column: pd.Series, wrong: pd.Series, way_out: str) -> None:
    if wrong.any():
        first = int(wrong.to_numpy().argmax())
        raise UserError(f"{path}, row {first + 2}: {column.name} {column.iloc[first]!r}: {way_out}")


def _is_packed(path: Path) -> bool:
    return path.suffix == ".gz"


@contextmanager
def _text_of(path: Path, packed: bool) -> Iterator[TextIO]:
    """A text file to write to; equal contents are equal bytes, packed or not."""
    if not packed:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    # A name or a time inside would make equal splits unequal files.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed_file,
        io.TextIOWrapper(packed_file, encoding="utf-8", newline="") as file,
    ):
        yield file


def few(names: np.ndarray) -> str:
    """The first five of `names`, with dots where there are more."""
    return ", ".join(str(name) for name in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
