from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxrbench.data.problems import Problems
from cxrbench.data.tables import (
    extract,
    known_values,
    label_values,
    listed_once,
    located,
    missing_files,
    read_table,
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_line_ends_and_quotes_do_not_change_what_is_read(tmp_path: Path, encoding: str, end: str) -> None:
    lines = ["id,value", '"a, b",1', '"say ""no""",', "Übersicht 肺,3", ""]
    (tmp_path / "t.csv").write_bytes(end.join(lines).encode(encoding))
    table = read_table(tmp_path / "t.csv", ("id", "value"), text=("id",))
    assert table["id"].tolist() == ["a, b", 'say "no"', "Übersicht 肺"]
    np.testing.assert_array_equal(table["value"], [1, np.nan, 3])


def test_a_text_column_keeps_its_zeros_whatever_spaces_stand_around_its_name(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "value , id \n1, 007\n"), ("id",), text=("id",))
    assert table["id"].tolist() == ["007"]


def test_a_missing_final_newline_and_further_columns_do_no_harm(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "id,value,,\na,1,,\nb,2,,"), ("id", "value"))
    assert table["id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a CSV table"),
        (b"id,value\n", "a header and no rows"),
        (b'id,value\n"a,1\nb,2\n', "not a CSV table"),
        (b"id,value\n\xff\xfe,1\n", "is not UTF-8 text (invalid start byte); save it as UTF-8"),
        (b"id,value\na\xe9,1\n", "is not UTF-8 text (invalid continuation byte); save it as UTF-8"),
        ("id,value\na,1\n".encode("utf-16-le"), "is not UTF-8 text (NUL bytes in its header)"),
        ("id,value\na,1\n".encode("utf-16")[:-1], "is not UTF-8 text (truncated data)"),
        (b"id,value\na,1,2\n", "the rows have more values than the header has columns; put values that hold commas"),
        (b"id,value\na,1\nb,2,3\n", "t.csv, row 3: 3 values where the header has 2 columns; put values that hold"),
        (b"id;value\na;1\n", "has semicolons between its columns; save it with commas"),
        (b"id;value\na;1,5\n", "has semicolons between its columns"),
        (b"id\tvalue\na\t1\n", "has tabs between its columns; save it with commas"),
        (b"id,value\na,1\nb,2\nlast", "is cut off in its last row, 'last'; download it again"),
        (b"id,valeu\na,1\n", "lacks the column value; 'valeu' looks like 'value': rename"),
        (b"id,other thing\na,1\n", "lacks the column value; it has id, other thing"),
        (b"id,value,value\na,1,2\n", "has the column 'value' more than once"),
        (b"id,value,value \na,1,2\n", "has the column 'value' more than once"),
        (b"ID,value\na,1\n", "'ID' looks like 'id'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is not UTF-8 text"),
        (b"<!DOCTYPE html>\n<p>Sign in, please</p>\n", "t.csv"),
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


PIECES = [
    b"id,value\n",
    b"id",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b'"',
    b" ",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"a",
    b"-1",
    b"1e999",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join)))
def test_whatever_a_file_holds_it_is_a_table_or_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    message = ""
    try:
        assert len(read_table(path, ("id", "value"), text=("id",)))
    except UserError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": ["007", None], " value": [1.0, np.nan]}, index=[7, 8]).to_parquet(path)
    table = read_table(path, ("id", "value"), text=("id",))
    assert table["id"].iloc[0] == "007"
    assert table.isna().to_numpy().tolist() == [[False, False], [True, True]]
    assert table.index.tolist() == [0, 1]
    problems = Problems()
    known_values(table["id"], ("7",), path, table["id"], problems, "unknown id")
    assert [problem.where for problem in problems] == [f"{path}, row 1", f"{path}, row 2"]
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UserError, match=r"t\.parquet is not a Parquet table \(.*\); download it again"):
        read_table(path, ("id",))


def test_a_folder_or_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("loop.csv", "folder.csv"):
        with pytest.raises(UserError, match=rf"no file .*{name}; complete"):
            read_table(tmp_path / name, ("id",))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*absent\.csv"):
        read_table(tmp_path / "absent.csv", ("id",))


def test_an_unknown_label_value_becomes_nan_and_is_named_with_its_row_and_column(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,Edema,Mass\na,1.0,1.0\nb,,yes\nc,-1.0,\nd,0,NaN\n")
    table, problems = read_table(path, ("Edema", "Mass")), Problems()
    good = label_values(table, ("Edema",), (1, 0, -1), path, table["id"], problems)
    np.testing.assert_array_equal(good["Edema"], [1.0, np.nan, -1.0, 0])
    assert not len(problems)
    found = label_values(table, ("Edema", "Mass"), (1, 0, -1), path, table["id"], problems)
    np.testing.assert_array_equal(found["Mass"], [1.0, np.nan, np.nan, np.nan])
    assert [str(problem) for problem in problems] == [
        f"{path}, row 3: column 'Mass': value 'yes' is not one of 1, 0, -1 or blank",
        f"{path}, row 5: column 'Mass': value 'NaN' is not one of 1, 0, -1 or blank",
    ]
    assert problems.reasons().keys() == {"b", "d"}
    label_values(table, ("Edema",), (1, 0), path, table["id"], problems)
    assert list(problems)[-1].what == "column 'Edema': value '-1.0' is not one of 1, 0 or blank"


def test_an_unknown_word_becomes_nan_and_is_named_with_the_nearest_known_one() -> None:
    problems = Problems()
    column = pd.Series(["train", "valid", None], name="split", dtype="str")
    ids = pd.Series(["a", "b", "c"])
    found = known_values(column, ("train", "val"), Path("x.csv"), ids, problems, "unknown split")
    assert found.isna().tolist() == [False, True, True]
    assert [str(problem) for problem in problems] == [
        "x.csv, row 3: column 'split': 'valid' is not known; did you mean 'val'?",
        "x.csv, row 4: column 'split': blank is not known; known: train, val",
    ]
    assert problems.counts() == {"unknown split": 2}


def test_groups_of_a_pattern_become_columns_and_no_match_becomes_nan() -> None:
    texts = pd.Series(["a1", None, "b", "c3"], index=[5, 6, 7, 8])
    found = extract(texts, r"^(?P<letter>[a-z])(?P<digit>\d)$")
    pd.testing.assert_frame_equal(found, texts.str.extract(r"^(?P<letter>[a-z])(?P<digit>\d)$"), check_dtype=False)


def test_the_first_row_of_an_id_is_kept_and_later_rows_keep_their_numbers() -> None:
    table, problems = pd.DataFrame({"id": list("aabbbc"), "split": ["train"] * 5 + ["tset"]}), Problems()
    kept = listed_once(table, table["id"], Path("x.csv"), problems)
    assert kept["id"].tolist() == ["a", "b", "c"]
    assert [problem.where for problem in problems] == ["x.csv, row 3", "x.csv, row 5", "x.csv, row 6"]
    assert problems.reasons() == {
        "a": "x.csv, row 3: a is listed before, in row 2",
        "b": "x.csv, row 5: b is listed before, in row 4",
    }
    known_values(kept["split"], ("train",), Path("x.csv"), kept["id"], problems, "unknown split")
    assert list(problems)[-1].where == "x.csv, row 7"


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "a/../../b.png", "/etc/passwd", "..", "a\\..\\b.png", "C:\\x.png", "a\0.png"]
)
def test_paths_that_lead_out_of_the_folder_are_problems(tmp_path: Path, path: str) -> None:
    (tmp_path / "in..side.png").touch()
    problems, ids = Problems(), pd.Series(["good", "bad", "blank"])
    paths = pd.Series(["in..side.png", path, None], dtype="str")
    found = located(tmp_path, paths, Path("x.csv"), ids, problems)
    assert found.tolist() == ["in..side.png", "", ""]
    assert [str(problem) for problem in problems] == [f"x.csv, row 3: {path!r} leads out of the dataset's folder"]
    assert problems.reasons().keys() == {"bad"}


@pytest.mark.parametrize("files_per_folder", [1, 30])
def test_absent_images_have_an_empty_path(tmp_path: Path, files_per_folder: int) -> None:
    paths = []
    for folder in ("one", "two/deep"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(files_per_folder):
            (tmp_path / folder / f"{number}.png").touch()
            paths.append(f"{folder}/{number}.png")
    listed = pd.Series(["no/0.png", *paths, "one/x.png", "one/y.png", "z.png"])
    expected = [True, *[False] * len(paths), True, True, True]
    assert missing_files(tmp_path, listed).tolist() == expected
    problems = Problems()
    found = located(tmp_path, listed, Path("x.csv"), listed, problems)
    assert (found == "").tolist() == expected
    assert not len(problems)
