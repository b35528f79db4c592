"""Lists of images as people have them: text files, tables, JSON, or a folder of the images themselves."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..foundation.errors import UserError
from .image_folder import images_below

# Endings of image files in lists, taken off for the id; lists also name what cxrbench does not read.
_ENDING = r"\.(?i:png|jpe?g|jp2|bmp|tiff?|dcm|dicom|mh[ad]|img|nii\.gz|nii|np[yz]|webp|pt|pkl)"
# Columns of file names or image ids, in small letters without signs; the first that is there is taken.
_IMAGE_COLUMNS = (
    *("imagepath", "imgpath", "filepath", "dicompath", "imagefilepath", "path"),
    *("imageindex", "filename", "filenames", "imagefile", "imagename", "imgname", "imagefilename", "file"),
    *("imageid", "imgid", "dicomid", "sopinstanceuid", "image", "images", "img", "imgs"),
)
# RSNA's patientId is an image's id; elsewhere such a column is taken only beside one of images.
_PATIENT_COLUMNS = ("patientid", "patient", "subjectid", "subject", "pid")
_SEPARATORS = (",", "\t", ";", "|")
# Names that say whose image it is: CheXpert's, NIH's, MIMIC's and those of the paediatric pneumonia set.
_STUDY_PATH = r"(?P<image>(?P<patient>patient\d+)/study\d+/view\d+_(?:frontal|lateral))" + f"(?:{_ENDING})?$"
_PATIENT = (
    r"^(?:.*/)?(?:(?P<nih>\d{8})_\d{3}|p\d{2}/(?P<mimic>p\d{8})/s\d+/[^/]*"
    r"|(?P<child>person\d+_(?:bacteria|virus))_\d+(?:_\d+)?|(?P<healthy>(?:NORMAL2-)?IM-\d{4,})-\d{4,}(?:-\d{4})?)"
    f"(?:{_ENDING})?$"
)
# A name ends with the ending of an image file, else at the first space or sign that divides fields.
_LINE = rf"""^\s*["']?(?P<name>(?:.*?{_ENDING})|[^\s,;|"']+)["']?(?:[\s,;|].*)?$"""
_COLUMNS = ("name", "image_id", "patient_id")


def read_image_list(path: Path | str) -> pd.DataFrame:
    """The images that a list names or a folder holds, each name once, in the order of the list.

    - a folder: the images below it, as paths relative to it;
    - .txt, .lst, .list: a name a line, with or without folders before it and labels behind it; blank lines and those
      that begin with # are passed over; one that begins with a header is read as a table;
    - .csv, .tsv, .parquet: the column whose name says that it holds images (path, Image Index, filename, image_id,
      image, ...; patientId where nothing else does, as in RSNA's tables), else the first whose values are file names;
    - .json: a list of names, or of objects with such a key, or an object with the list under `images`.

    Returns:
        Text columns: `name` as given; `image_id` and `patient_id` as `identify` finds them, the latter else from the
        table's column of patients, else empty.

    Raises:
        UserError: one line that names the file: missing, empty, of no known kind, no column of images.
    """
    path = Path(path)
    patients = None
    if path.is_dir():
        names = pa.array(images_below(path), pa.string())
    elif not path.exists():
        raise UserError(
            f"{path}: no such file or folder; give a list of images (.txt, .csv, .parquet, .json) or a folder"
        )
    else:
        try:
            names, patients = _READERS.get(path.suffix.lower(), _from_unknown)(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read as {path.suffix}: {_one_line(error)}") from error
    found = _unique(names, patients)
    if len(found) == 0:
        raise UserError(f"{path}: no image in it; {'the folder' if path.is_dir() else 'the list'} names none")
    return found


def identify(names: pd.Series) -> pd.DataFrame:
    """What `names` (paths, file names or ids) say about each image: `image_id` and `patient_id`, text [N].

    The id is the name without folders and without the ending of an image file, so that one image has one id whatever
    folder or format it lies in. CheXpert's files are called alike in every study: there it is
    patientN/studyN/viewN_<frontal|lateral>. The patient is empty where the name does not tell.
    """
    ids, patients = _identify(pa.array(names, pa.string()))
    columns = {"image_id": ids, "patient_id": patients}
    return pd.DataFrame({name: _as_series(values) for name, values in columns.items()}).set_axis(names.index)


def _identify(names: pa.Array) -> tuple[pa.Array, pa.Array]:
    slashed = pc.call_function("replace_substring", [names], pc.ReplaceSubstringOptions("\\", "/"))
    study = _groups(slashed, _STUDY_PATH)
    stems = _replaced(_replaced(slashed, r"^.*/", ""), f"{_ENDING}$", "")
    told = _groups(slashed, _PATIENT)
    patients = pc.call_function("coalesce", [_present(study["patient"]), *map(_present, told.values()), pa.scalar("")])
    return pc.call_function("coalesce", [_present(study["image"]), stems]), patients


def _from_lines(path: Path) -> tuple[pa.Array, pa.Array | None]:
    text = _text(path)
    first = next((line for line in text[:10_000].splitlines() if line.strip()), "")
    if not re.search(_ENDING, first) and _column_of(_split(first)) is not None:
        return _from_table(path)
    lines = pa.array(text.splitlines(), pa.string())
    del text
    wanted = pc.call_function("match_substring_regex", [lines], pc.MatchSubstringOptions(r"^\s*[^\s#]"))
    lines = lines.filter(wanted)
    found = _groups(lines, _LINE)["name"]
    if found.null_count:
        at = int(pc.call_function("index", [found.is_null()], pc.IndexOptions(pa.scalar(True))).as_py())
        raise UserError(f"{path}: no name of an image in the line {lines[at].as_py()[:60]!r}")
    return found, None


def _from_table(path: Path) -> tuple[pa.Array, pa.Array | None]:
    """The columns of images and patients of a CSV file."""
    from pyarrow import csv as arrow_csv

    data = _utf8(path).lstrip(b"\r\n")
    if not data:
        return pa.array([], pa.string()), None
    first = re.split(rb"[\r\n]", data, maxsplit=1)[0].decode()
    separator = _separator(first)
    header = _split(first)
    if any(re.search(f"{_ENDING}$", name) for name in header):
        # No header: the first line already names an image.
        header = [str(number) for number in range(len(header))]
        named = arrow_csv.ReadOptions(column_names=header)
    else:
        named = arrow_csv.ReadOptions(column_names=header, skip_rows=1)
    if len(set(header)) < len(header):
        # Columns that come again are of no use here; theirs is a name that nothing looks for.
        header = [name if header.index(name) == at else f"{name} {at}" for at, name in enumerate(header)]
        named = arrow_csv.ReadOptions(column_names=header, skip_rows=named.skip_rows)

    def read(columns: Sequence[str], start: pa.Buffer | pa.BufferReader) -> pa.Table:
        convert = arrow_csv.ConvertOptions(
            include_columns=list(columns), column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True
        )
        parse = arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True)
        return arrow_csv.read_csv(start, named, parse, convert)

    image = _column_of(header)
    if image is None:
        lines = data[:200_000].split(b"\n")[:100]
        if len(data) > 200_000 and len(lines) < 100:
            lines = lines[:-1]
        image = _column_of_files(read(header, pa.BufferReader(b"\n".join(lines))))
    if image is None:
        raise _no_column(path, header)
    patient = _patient_column(header, image)
    table = read([image, *([patient] if patient else [])], pa.BufferReader(data))
    return _columns(table, image, patient)


def _from_parquet(path: Path) -> tuple[pa.Array, pa.Array | None]:
    from pyarrow import parquet

    header = parquet.read_schema(path).names
    image = _column_of(header)
    if image is None:
        first = next(parquet.ParquetFile(path).iter_batches(100), None)
        image = None if first is None else _column_of_files(pa.Table.from_batches([first]))
    if image is None:
        raise _no_column(path, header)
    patient = _patient_column(header, image)
    return _columns(parquet.read_table(path, columns=[image, *([patient] if patient else [])]), image, patient)


def _from_json(path: Path) -> tuple[pa.Array, pa.Array | None]:
    from pydantic_core import from_json

    try:
        found: Any = from_json(_utf8(path))
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {_one_line(error)}") from error
    if isinstance(found, dict):
        lists = [value for key, value in found.items() if _column_of([key]) and isinstance(value, list)]
        if len(lists) != 1:
            raise UserError(f"{path}: an object without one list `images`; write a list of names, or of objects")
        found = lists[0]
    if not isinstance(found, list):
        raise UserError(f"{path}: neither a list of names nor a list of objects")
    if all(isinstance(each, str) for each in found):
        return pa.array(found, pa.string()), None
    if not all(isinstance(each, dict) for each in found):
        at = next(at for at, each in enumerate(found) if not isinstance(each, dict))
        raise UserError(f"{path}: entry {at + 1} is {str(found[at])[:40]!r}; names and other things are mixed")
    header = list(dict.fromkeys(key for each in found[:100] for key in each))
    image = _column_of(header)
    if image is None:
        raise _no_column(path, header)
    patient = _patient_column(header, image)
    columns = {key: pa.array([_words(each.get(key)) for each in found], pa.string()) for key in (image, patient) if key}
    return _columns(pa.table(columns), image, patient)


def _from_unknown(path: Path) -> tuple[pa.Array, pa.Array | None]:
    kinds = ", ".join(sorted(_READERS))
    raise UserError(f"{path}: a list of images ends in {kinds}; else give a folder of images")


_READERS = {
    ".txt": _from_lines,
    ".lst": _from_lines,
    ".list": _from_lines,
    ".csv": _from_table,
    ".tsv": _from_table,
    ".parquet": _from_parquet,
    ".json": _from_json,
}


def _unique(names: pa.Array, patients: pa.Array | None) -> pd.DataFrame:
    """One row a name; empty names left out."""
    given = pa.table({"name": names, "told": patients} if patients is not None else {"name": names})
    given = given.set_column(0, "name", pc.call_function("utf8_trim_whitespace", [given["name"]]))
    given = given.filter(pc.call_function("greater", [pc.call_function("utf8_length", [given["name"]]), pa.scalar(0)]))
    names = given["name"].combine_chunks()
    ids, known = _identify(names)
    if patients is not None:
        # Where a name tells the patient, it does so in one form; tables write NIH's 00000001 as 1.
        told = _present(given["told"].combine_chunks())
        known = pc.call_function("coalesce", [_present(known), told, pa.scalar("")])
    found = pd.DataFrame({name: _as_series(values) for name, values in zip(_COLUMNS, (names, ids, known), strict=True)})
    again = found["name"].duplicated()
    return found[~again].reset_index(drop=True) if again.any() else found


def _columns(table: pa.Table, image: str, patient: str | None) -> tuple[pa.Array, pa.Array | None]:
    texts = {name: table[name].cast(pa.string()).combine_chunks() for name in (image, patient) if name}
    return texts[image], texts[patient] if patient else None


def _column_of(header: Sequence[str]) -> str | None:
    """The column that holds images, by its name."""
    plain = {_plain(name): name for name in reversed(header)}
    return next((plain[name] for name in (*_IMAGE_COLUMNS, "patientid") if name in plain), None)


def _patient_column(header: Sequence[str], image: str) -> str | None:
    plain = {_plain(name): name for name in reversed(header) if name != image}
    return next((plain[name] for name in _PATIENT_COLUMNS if name in plain), None)


def _column_of_files(rows: pa.Table) -> str | None:
    """The first column all of whose values are names of image files."""
    for name in rows.column_names:
        values = rows[name].combine_chunks()
        is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        if is_text and len(values) and not values.null_count:
            options = pc.MatchSubstringOptions(f"{_ENDING}$")
            if pc.call_function("all", [pc.call_function("match_substring_regex", [values], options)]).as_py():
                return name
    return None


def _no_column(path: Path, header: Sequence[str]) -> UserError:
    shown = ", ".join(name[:30] for name in header[:8]) + (", ..." if len(header) > 8 else "")
    return UserError(f"{path}: no column of images among {shown}; call the one with their names `image`")


def _split(line: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=_separator(line)), [])]
    except csv.Error:  # no field of a table is as long as what comes here
        return []


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def _text(path: Path) -> str:
    return _utf8(path).decode()


def _utf8(path: Path) -> bytes:
    """The file's text in UTF-8, without a byte order mark. Raises UserError where it is no text."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\x00" in data[:100_000]:
        raise UserError(f"{path}: not a text file; give a list of image names")
    return data


def _groups(texts: pa.Array, pattern: str) -> dict[str, pa.Array]:
    found = pc.call_function("extract_regex", [texts], pc.ExtractRegexOptions(pattern))
    return {
        field.name: pc.call_function("if_else", [found.is_valid(), group, pa.scalar(None, pa.string())])
        for field in found.type
        for group in [pc.call_function("struct_field", [found], pc.StructFieldOptions(field.name))]
    }


def _present(texts: pa.Array) -> pa.Array:
    """`texts` with null for empty ones."""
    empty = pc.call_function("equal", [texts, pa.scalar("")])
    return pc.call_function("if_else", [empty, pa.scalar(None, pa.string()), texts])


def _replaced(texts: pa.Array, pattern: str, by: str) -> pa.Array:
    return pc.call_function("replace_substring_regex", [texts], pc.ReplaceSubstringOptions(pattern, by))


def _as_series(texts: pa.Array) -> pd.Series:
    return pd.Series(pd.array(texts.cast(pa.large_string()), dtype="str"))


def _words(value: object) -> str | None:
    return None if value is None else str(value)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
