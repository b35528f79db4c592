from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.tables import (
    extract,
    label_values,
    missing_files,
    read_table,
    require_files,
    require_unique,
    require_values,
)
from cxrbench.foundation.errors import UserError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_text_columns_keep_leading_zeros_and_blanks_are_nan(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "id, value\n007,1.0\n,\n"), ("id", "value"), text=("id",))
    assert table["id"].iloc[0] == "007"
    assert table.isna().to_numpy().tolist() == [[False, False], [True, True]]


def test_a_byte_order_mark_and_spaces_in_the_header_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfid , value\na,1\n")
    assert list(read_table(tmp_path / "t.csv", ("id", "value")).columns) == ["id", "value"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a CSV table"),
        (b"id,value\n", "a header and no rows"),
        (b'id,value\n"a,1\nb,2\n', "not a CSV table"),
        (b"id,value\n\xff\xfe,1\n", "not a CSV table"),
        (b"id,value\na,1,2\n", "not a CSV table"),
        (b"id,valeu\na,1\n", "lacks the columns value; 'valeu' looks like 'value': rename"),
        (b"id,other thing\na,1\n", "lacks the columns value; it has id, other thing"),
        (b"id,value,value\na,1,2\n", "has the column 'value' more than once"),
        (b"id,value,value \na,1,2\n", "has the column 'value' more than once"),
        (b"ID,value\na,1\n", "'ID' looks like 'id'"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_table(path, ("id", "value"))
    message = str(caught.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*absent\.csv"):
        read_table(tmp_path / "absent.csv", ("id",))


def test_an_unknown_label_value_is_found_with_its_row_and_column() -> None:
    table = pd.DataFrame({"Edema": [1.0, np.nan, -1.0], "Mass": ["1.0", "yes", np.nan]})
    good = label_values(table, ("Edema",), (1, 0, -1), Path("x.csv"))
    np.testing.assert_array_equal(good["Edema"], [1.0, np.nan, -1.0])
    with pytest.raises(UserError, match=r"x\.csv, row 3, column 'Mass': value 'yes' is not one of 1, 0, -1"):
        label_values(table, ("Edema", "Mass"), (1, 0, -1), Path("x.csv"))
    with pytest.raises(UserError, match=r"row 4, column 'Edema': value '-1\.0'"):
        label_values(table, ("Edema",), (1, 0), Path("x.csv"))


def test_an_unknown_word_is_found_with_the_nearest_known_one() -> None:
    with pytest.raises(UserError, match=r"row 3, column 'split': 'valid' is not known; did you mean 'val'"):
        require_values(pd.Series(["train", "valid"], name="split"), ("train", "val"), Path("x.csv"))
    with pytest.raises(UserError, match="blank is not known; known: train, val"):
        require_values(pd.Series([None], name="split", dtype="str"), ("train", "val"), Path("x.csv"))


def test_groups_of_a_pattern_become_columns_and_no_match_becomes_nan() -> None:
    texts = pd.Series(["a1", None, "b", "c3"], index=[5, 6, 7, 8])
    found = extract(texts, r"^(?P<letter>[a-z])(?P<digit>\d)$")
    pd.testing.assert_frame_equal(found, texts.str.extract(r"^(?P<letter>[a-z])(?P<digit>\d)$"), check_dtype=False)


def test_repeated_ids_are_counted_and_named() -> None:
    with pytest.raises(UserError, match="lists 2 images more than once: a, b; keep one"):
        require_unique(pd.Series(["a", "a", "b", "b", "b", "c"]), Path("x.csv"))


@pytest.mark.parametrize("files_per_folder", [1, 30])
def test_absent_images_are_counted_and_three_are_named(tmp_path: Path, files_per_folder: int) -> None:
    paths = []
    for folder in ("one", "two/deep"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(files_per_folder):
            (tmp_path / folder / f"{number}.png").touch()
            paths.append(f"{folder}/{number}.png")
    listed = pd.Series(["no/0.png", *paths, "one/x.png", "one/y.png", "z.png"])
    expected = [True, *[False] * len(paths), True, True, True]
    assert missing_files(tmp_path, listed).tolist() == expected
    require_files(tmp_path, pd.Series(paths), Path("x.csv"))
    with pytest.raises(UserError, match=r"x\.csv lists 4 images .*: no/0\.png, one/x\.png, one/y\.png, \.\.\.;"):
        require_files(tmp_path, listed, Path("x.csv"))
