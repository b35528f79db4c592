"""Tables of datasets: read whole, checked, and what is wrong named with its file, row and column."""

from __future__ import annotations

import csv
import difflib
import os
import re
import warnings
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..foundation.errors import UserError
from .problems import Problems

# Where a folder holds at least this many of the listed files, one listing is quicker than asking for each file.
_FILES_WORTH_A_LISTING = 8
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_LINE_MOST = 1 << 20
# Characters of a message that names what columns there are.
_SHOWN = 300
_OUTSIDE = r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[A-Za-z]:[/\\]|\x00"


def read_table(path: Path, columns: Iterable[str], text: Iterable[str] = ()) -> pd.DataFrame:
    """The CSV or, by its suffix, Parquet file `path`, with blanks as NaN and spaces around column names taken off.

    CSV is UTF-8 or, with a byte order mark, UTF-16. The index numbers the rows from 0: what else stands here tells
    from it which row of the file is wrong, so rows may be taken out and the index must stay.

    Args:
        path: the file.
        columns: names that must be there; others are kept.
        text: columns kept as text, so that identifiers do not lose leading zeros.

    Raises:
        UserError: no such file, no table, cut off, no rows, or columns missing (with the nearest name that is there).
    """
    if not path.is_file():
        raise UserError(f"no file {path}; complete the dataset's copy, or give the folder that holds it")
    columns, text = tuple(columns), tuple(text)
    try:
        table = _read_parquet(path, text) if path.suffix == ".parquet" else _read_csv(path, columns, text)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
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
        for at in np.flatnonzero(wrong).tolist():
            what = f"column {label!r}: value {str(stated.iloc[at])!r} is not one of {known} or blank"
            problems.add("unknown label", at_row(path, table.index[at]), what, ids.iloc[at])
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
    for at in np.flatnonzero(wrong).tolist():
        value = column.iloc[at]
        shown = "blank" if pd.isna(value) else repr(value)
        near = "" if pd.isna(value) else _nearest(str(value), allowed)
        hint = f"; did you mean {near!r}?" if near else f"; known: {', '.join(allowed)}"
        what = f"column {column.name!r}: {shown} is not known{hint}"
        problems.add(kind, at_row(path, column.index[at]), what, ids.iloc[at])
    return column.mask(wrong) if wrong.any() else column


def listed_once(table: pd.DataFrame, ids: pd.Series, path: Path, problems: Problems) -> pd.DataFrame:
    """The rows of `table` whose id is not listed above; each other one is one of `problems` (`listed twice`)."""
    again = ids.duplicated().to_numpy()
    codes = pd.factorize(ids, use_na_sentinel=False)[0]
    firsts = np.unique(codes, return_index=True)[1]
    for at in np.flatnonzero(again).tolist():
        first = at_row(path, table.index[firsts[codes[at]]]).removeprefix(f"{path}, ")
        what = f"{ids.iloc[at]} is listed before, in {first}"
        problems.add("listed twice", at_row(path, table.index[at]), what, ids.iloc[at])
    return table[~again] if again.any() else table


def located(root: Path, paths: pd.Series, where: Path, ids: pd.Series, problems: Problems) -> pd.Series:
    """`paths` (relative to `root`), empty where there is no such file.

    A path that leads out of `root` is one of `problems` (`path outside the dataset`) and empty too.
    """
    paths = paths.fillna("")
    outside = leads_outside(paths)
    for at in np.flatnonzero(outside).tolist():
        what = f"{paths.iloc[at]!r} leads out of the dataset's folder"
        problems.add("path outside the dataset", at_row(where, paths.index[at]), what, ids.iloc[at])
    paths = paths.mask(outside, "") if outside.any() else paths
    absent = missing_files(root, paths)
    return paths.mask(absent, "") if absent.any() else paths


def leads_outside(paths: pd.Series) -> np.ndarray:
    """Which of `paths` are absolute, or go up: bool [N]."""
    return paths.str.contains(_OUTSIDE, regex=True).to_numpy(dtype=bool)


def missing_files(root: Path, paths: pd.Series) -> np.ndarray:
    """Which of `paths` (relative to `root`, with forward slashes) are not there: bool [N].

    Folders are listed where they hold many of the files; else each file is asked for.
    """
    folders = paths.str.replace(r"[^/]*$", "", regex=True)
    known = folders.unique()
    if len(paths) < _FILES_WORTH_A_LISTING * len(known):
        there = map(os.path.exists, (f"{root}/{path}" for path in paths.tolist()))
        return ~np.fromiter(there, dtype=bool, count=len(paths))
    # Arrow's own membership: `Series.isin` makes a Python object of each of a million names.
    present = [
        pc.call_function("binary_join_element_wise", [folder, _names_in(f"{root}/{folder}"), ""]) for folder in known
    ]
    wanted = pc.SetLookupOptions(value_set=pa.chunked_array(present, pa.string()))
    there = pc.call_function("is_in", [pa.array(paths, pa.string())], wanted)
    return ~there.to_numpy(zero_copy_only=False)


def at_row(path: Path, index: object) -> str:
    """`train.csv, row 17`: where the row that `read_table` gave the number `index` stands.

    The header of a CSV file is row 1. Blank lines and lines inside quotes are not counted.
    """
    return f"{path}, row {int(str(index)) + (1 if path.suffix == '.parquet' else 2)}"


def first_three(values: Iterable[object]) -> str:
    """The first three of `values`, with dots where there are more."""
    shown = [str(value) for value in values]
    return ", ".join(shown[:3]) + (", ..." if len(shown) > 3 else "")


def _read_csv(path: Path, columns: tuple[str, ...], text: tuple[str, ...]) -> pd.DataFrame:
    header, encoding = _header(path)
    _require_commas(header, columns, path)
    names = next(csv.reader([header], skipinitialspace=True), [])
    stripped = [name.strip() for name in names]
    if repeated := [name for name in columns if stripped.count(name) > 1]:
        raise UserError(f"{path} has the column {repeated[0]!r} more than once; keep one")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                # By the names as they stand there, spaces included.
                dtype={name: "str" for name, plain in zip(names, stripped, strict=True) if plain in text},
                encoding=encoding,
                index_col=False,
                keep_default_na=False,
                low_memory=False,
                na_values=[""],
                skipinitialspace=True,
            )
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except (ValueError, pd.errors.ParserWarning) as error:
        raise UserError(_not_csv(path, str(error))) from error
    table.columns = table.columns.str.strip()
    _refuse_cut_end(path, encoding, len(names))
    return table


def _read_parquet(path: Path, text: tuple[str, ...]) -> pd.DataFrame:
    try:
        # Without pandas' own description of the table, which a damaged file can have wrong.
        table = pq.read_table(path).to_pandas(ignore_metadata=True)
    except (ValueError, NotImplementedError) as error:  # pyarrow's errors are such
        reason = str(error).split("\n", 1)[0]
        raise UserError(f"{path} is not a Parquet table ({reason}); download it again") from error
    table.columns = [str(name).strip() for name in table.columns]
    # Row numbers that pandas wrote as a column.
    table = table.drop(columns=[name for name in table.columns if name.startswith("__index_level_")])
    return table.astype({name: "str" for name in text if name in table.columns})


def _header(path: Path) -> tuple[str, str]:
    """The first line of a CSV file, and its encoding: UTF-16 where it begins with that byte order mark, or UTF-8."""
    with path.open("rb") as file:
        start = file.read(2)
    encoding = "utf-16" if start in _UTF_16 else "utf-8-sig"
    try:
        with path.open(encoding=encoding, newline=None) as file:
            line = file.readline(_LINE_MOST)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    if "\x00" in line:
        raise UserError(f"{path} is not UTF-8 text (NUL bytes in its header); save it as UTF-8")
    return line.rstrip("\n"), encoding


def _require_commas(header: str, columns: tuple[str, ...], path: Path) -> None:
    for separator, words in _OTHER_SEPARATORS.items():
        names = {name.strip(' "') for name in header.split(separator)}
        if separator in header and len(columns) > 1 and set(columns) <= names:
            raise UserError(f"{path} has {words} between its columns; save it with commas")


def _not_csv(path: Path, reason: str) -> str:
    """What is wrong with a CSV file, from pandas' words for it, some of which run over several lines."""
    fields = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", reason)
    if fields:
        expected, line, saw = fields.groups()
        columns = "1 column" if expected == "1" else f"{expected} columns"
        return f"{path}, row {line}: {saw} values where the header has {columns}; put values that hold commas in quotes"
    if "Length of header" in reason:
        return f"{path}: the rows have more values than the header has columns; put values that hold commas in quotes"
    return f"{path} is not a CSV table ({' '.join(reason.split())}); download it again"


def _refuse_cut_end(path: Path, encoding: str, columns: int) -> None:
    """Raise UserError where the last line has no end and too few values: a download that was cut off.

    pandas takes the values that lack for blanks.
    """
    if encoding == "utf-16":
        return
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LINE_MOST))
        *before, last = file.read().rsplit(b"\n", 1)
    if before and last.strip() and b'"' not in last and b"\r" not in last and last.count(b",") < columns - 1:
        shown = last[:40].decode(errors="replace")
        raise UserError(f"{path} is cut off in its last row, {shown!r}; download it again")


def _require_columns(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    there = [str(name) for name in table.columns]
    missing = [name for name in columns if name not in there]
    if missing:
        free = [name for name in there if name not in columns]
        near = {name: _nearest(name, free) for name in missing}
        hints = [f"{near[name]!r} looks like {name!r}" for name in missing if near[name]]
        hint = f"; {', '.join(hints)}: rename" if hints else f"; it has {_on_one_line(there)}"
        raise UserError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}{hint}")
    # Names that differ in the spaces around them only.
    repeated = [name for name in columns if there.count(name) > 1]
    if repeated:
        raise UserError(f"{path} has the column {repeated[0]!r} more than once; keep one")


def _on_one_line(names: Iterable[str]) -> str:
    """Names of columns as they can be shown, whatever a file that is no table has in its first line."""
    shown = "".join(character if character.isprintable() else "?" for character in ", ".join(names))
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _nearest(name: str, names: Iterable[str]) -> str:
    """The entry of `names` that `name` was probably meant to be, whatever its case; empty where there is none."""
    spelled = {_plain(known): known for known in names}
    near = difflib.get_close_matches(_plain(name), list(spelled), n=1, cutoff=0.6)
    return spelled[near[0]] if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")


def _names_in(folder: str) -> pa.Array:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        names = []
    try:
        return pa.array(names, pa.string())
    except UnicodeEncodeError:
        # A name that is no text in the file system's encoding is in no table either.
        return pa.array([name for name in names if name.isprintable()], pa.string())
