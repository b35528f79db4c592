"""CSV tables of datasets: read whole, checked, and refused with the file, row and column at fault."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..foundation.errors import UserError
from .problems import Problems

# Where a folder holds at least this many of the listed files, one listing is quicker than asking for each file.
_FILES_WORTH_A_LISTING = 8


def read_table(path: Path, columns: Iterable[str], text: Iterable[str] = ()) -> pd.DataFrame:
    """The CSV file `path` with blanks as NaN and spaces around column names taken off.

    Args:
        path: the file.
        columns: names that must be there; others are kept.
        text: columns kept as text, so that identifiers do not lose leading zeros.

    Raises:
        UserError: no such file, not a CSV table, no rows, or columns missing (with the nearest name that is there).
    """
    if not path.is_file():
        raise UserError(f"no file {path}; complete the dataset's copy, or give the folder that holds it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                dtype=dict.fromkeys(text, "str"),
                encoding="utf-8-sig",
                index_col=False,
                keep_default_na=False,
                low_memory=False,
                na_values=[""],
                skipinitialspace=True,
            )
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, pd.errors.ParserWarning) as error:
        # Encoding and parser errors are ValueErrors; some of their messages run over several lines.
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a CSV table ({reason}); download it again") from error
    table.columns = table.columns.str.strip()
    _require_columns(table, columns, path)
    if table.empty:
        raise UserError(f"{path} has a header and no rows; download it again")
    return table


def label_values(
    table: pd.DataFrame,
    labels: Iterable[str],
    allowed: Collection[float],
    path: Path,
    ids: pd.Series,
    problems: Problems,
) -> pd.DataFrame:
    """The columns `labels` as float64, NaN where blank or, as one of `problems` (`unknown label`), not in `allowed`.

    `ids` is the sample_id of each row.
    """
    columns = {}
    known = ", ".join(f"{value:g}" for value in allowed)
    for label in labels:
        stated = table[label]
        numbers = stated if stated.dtype.kind in "if" else pd.to_numeric(stated, errors="coerce")
        numbers = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = stated.notna().to_numpy() & ~np.isin(numbers, list(allowed))
        for at in np.flatnonzero(wrong):
            what = f"column {label!r}: value {str(stated.iloc[at])!r} is not one of {known} or blank"
            problems.add("unknown label", f"{path}, row {row_number(at)}", what, ids.iloc[at])
        columns[label] = np.where(wrong, np.nan, numbers) if wrong.any() else numbers
    return pd.DataFrame(columns, index=table.index)


def extract(texts: pd.Series, pattern: str) -> pd.DataFrame:
    """The named groups of `pattern` (RE2 syntax) as columns; NaN where a text does not match or is blank.

    As `Series.str.extract`, which takes a second for 224,000 paths because it loops in Python.
    """
    found = pc.call_function("extract_regex", [pa.array(texts, pa.string())], pc.ExtractRegexOptions(pattern))
    matched = found.is_valid().to_numpy(zero_copy_only=False)
    groups = {
        field.name: pc.call_function("struct_field", [found], pc.StructFieldOptions(field.name)) for field in found.type
    }
    columns = {name: group.to_pandas().astype("str").where(matched) for name, group in groups.items()}
    return pd.DataFrame(columns).set_axis(texts.index)


def known_values(
    column: pd.Series, allowed: Collection[str], path: Path, ids: pd.Series, problems: Problems, kind: str
) -> pd.Series:
    """`column` with NaN where a text is not in `allowed` (a blank is not), each one of `problems` of that `kind`."""
    wrong = ~column.isin(list(allowed)).to_numpy()
    for at in np.flatnonzero(wrong):
        value = column.iloc[at]
        shown = "blank" if pd.isna(value) else repr(value)
        near = "" if pd.isna(value) else _nearest(str(value), allowed)
        hint = f"; did you mean {near!r}?" if near else f"; known: {', '.join(allowed)}"
        what = f"column {column.name!r}: {shown} is not known{hint}"
        problems.add(kind, f"{path}, row {row_number(at)}", what, ids.iloc[at])
    return column.mask(wrong) if wrong.any() else column


def listed_once(table: pd.DataFrame, ids: pd.Series, path: Path, problems: Problems) -> pd.DataFrame:
    """The rows of `table` whose id is not listed above; each other one is one of `problems` (`listed twice`)."""
    again = ids.duplicated().to_numpy()
    for at in np.flatnonzero(again):
        problems.add("listed twice", f"{path}, row {row_number(at)}", f"{ids.iloc[at]} is listed before", ids.iloc[at])
    return table[~again] if again.any() else table


def located(root: Path, paths: pd.Series, where: Path, ids: pd.Series, problems: Problems) -> pd.Series:
    """`paths` (relative to `root`), empty where there is no such file.

    A path that leads out of `root` is one of `problems` (`path outside the dataset`) and empty too.
    """
    outside = paths.str.contains(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[A-Za-z]:|\x00", regex=True).to_numpy()
    for at in np.flatnonzero(outside):
        what = f"{paths.iloc[at]!r} leads out of the dataset's folder"
        problems.add("path outside the dataset", f"{where}, row {row_number(at)}", what, ids.iloc[at])
    paths = paths.mask(outside, "") if outside.any() else paths
    absent = missing_files(root, paths)
    return paths.mask(absent, "") if absent.any() else paths


def missing_files(root: Path, paths: pd.Series) -> np.ndarray:
    """Which of `paths` (relative to `root`, with forward slashes) are not there: bool [N].

    Folders are listed where they hold many of the files; else each file is asked for.
    """
    folders = paths.str.replace(r"[^/]*$", "", regex=True)
    known = folders.unique()
    if len(paths) < _FILES_WORTH_A_LISTING * len(known):
        there = map(os.path.exists, (f"{root}/{path}" for path in paths.tolist()))
        return ~np.fromiter(there, dtype=bool, count=len(paths))
    present = [folder + name for folder in known for name in _names_in(f"{root}/{folder}")]
    return ~paths.isin(present).to_numpy()


def row_number(index: int) -> int:
    """The line of the file (1 is the header) that the table's row `index` (from 0) stands on."""
    return index + 2


def first_three(values: Iterable[object]) -> str:
    """The first three of `values`, with dots where there are more."""
    shown = [str(value) for value in values]
    return ", ".join(shown[:3]) + (", ..." if len(shown) > 3 else "")


def _require_columns(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    there = [str(name) for name in table.columns]
    missing = [name for name in columns if name not in there]
    if missing:
        free = [name for name in there if name not in columns]
        near = {name: _nearest(name, free) for name in missing}
        hints = [f"{near[name]!r} looks like {name!r}" for name in missing if near[name]]
        hint = f"; {', '.join(hints)}: rename" if hints else f"; it has {', '.join(there)}"
        raise UserError(f"{path} lacks the columns {', '.join(missing)}{hint}")
    # pandas numbers a name that comes again.
    repeated = [name for name in columns if there.count(name) > 1 or f"{name}.1" in there]
    if repeated:
        raise UserError(f"{path} has the column {repeated[0]!r} more than once; keep one")


def _nearest(name: str, names: Iterable[str]) -> str:
    """The entry of `names` that `name` was probably meant to be, whatever its case; empty where there is none."""
    spelled = {_plain(known): known for known in names}
    near = difflib.get_close_matches(_plain(name), list(spelled), n=1, cutoff=0.6)
    return spelled[near[0]] if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")


def _names_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []
