from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from cxrbench.data.dicom import headers
from cxrbench.data.dicom.headers import UNREADABLE, read_headers
from cxrbench.data.phantom.dicom_file import write_dicom

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)
SYNTAXES = ["implicit little endian", "explicit little endian", "explicit big endian", "deflated", "jpeg lossless"]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_elements_are_those_that_pydicom_reads(tmp_path: Path, syntax: str) -> None:
    more: dict[str, object] = {"ViewPosition": "PA", "PatientSex": "F", "ImageType": ["DERIVED", "PRIMARY"]}
    write_dicom(tmp_path / "a.dcm", PIXELS, patient_id="p 17", syntax=syntax, elements=more)
    keywords = ("PatientID", "ViewPosition", "Rows", "Columns", "ImageType", "PatientAge", "PatientName")
    found = read_headers(tmp_path, pd.Series(["a.dcm"], index=[7]), keywords)
    assert found.index.tolist() == [7]
    found = found.to_dict("records")[0]
    whole = pydicom.dcmread(tmp_path / "a.dcm")
    assert found["PatientID"] == whole.PatientID == "p 17"
    assert found["ViewPosition"] == whole.ViewPosition
    assert (int(found["Rows"]), int(found["Columns"])) == (whole.Rows, whole.Columns) == (3, 4)
    assert found["ImageType"].split("\\") == list(whole.ImageType)
    # Not stated, and stated as nothing.
    assert pd.isna(found["PatientAge"])
    assert pd.isna(found["PatientName"])
    assert found[UNREADABLE] == ""


def test_rows_keep_their_order_and_an_empty_path_is_passed_over(tmp_path: Path) -> None:
    for name in "abc":
        write_dicom(tmp_path / "sub" / f"{name}.dcm", PIXELS, patient_id=name)
    paths = pd.Series(["sub/c.dcm", "", "sub/a.dcm", "sub/c.dcm"], index=[3, 2, 9, 4])
    found = read_headers(tmp_path, paths, ("PatientID",))
    assert found.index.tolist() == [3, 2, 9, 4]
    assert found["PatientID"].fillna("none").tolist() == ["c", "none", "a", "c"]
    assert (found[UNREADABLE] == "").all()
    nothing = read_headers(tmp_path, pd.Series([], dtype="str"), ("PatientID",))
    assert nothing.empty
    assert nothing.columns.tolist() == ["PatientID", UNREADABLE]


def test_what_cannot_be_read_is_said_without_a_word_of_the_file(tmp_path: Path) -> None:
    write_dicom(tmp_path / "whole.dcm", PIXELS, patient_id="SECRET^NAME")
    whole = (tmp_path / "whole.dcm").read_bytes()
    begin = whole.index(b"SECRET")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "text.dcm").write_text("SECRET^NAME is not a DICOM file" * 20)
    (tmp_path / "cut.dcm").write_bytes(whole[: begin + 3])
    (tmp_path / "folder.dcm").mkdir()
    # A length of 4 GB where the patient stands.
    (tmp_path / "long.dcm").write_bytes(whole[: begin - 4] + b"UN\0\0\xfe\xff\xff\xff" + whole[begin:])
    names = ["whole", "empty", "text", "cut", "folder", "long", "absent"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_headers(tmp_path, pd.Series([f"{name}.dcm" for name in names]), ("PatientID",))
    said = dict(zip(names, found[UNREADABLE], strict=True))
    assert said["whole"] == ""
    assert "No such file" in said["absent"]
    assert "directory" in said["folder"]
    assert "damaged" in said["cut"]
    assert said["empty"] == said["text"] == "not a DICOM file"
    assert not any("SECRET" in reason for reason in said.values())
    assert found["PatientID"][0] == "SECRET^NAME"
    assert found["PatientID"][1:].isna().tolist() == [True] * 6


def test_a_file_without_preamble_is_read(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", PIXELS, patient_id="p", syntax="implicit little endian")
    (tmp_path / "bare.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[132:])
    assert read_headers(tmp_path, pd.Series(["bare.dcm"]), ("PatientID",))["PatientID"][0] == "p"


def test_only_the_beginning_of_a_deflated_file_is_inflated(tmp_path: Path) -> None:
    pixels = np.zeros((6000, 6000), np.uint8)
    write_dicom(tmp_path / "a.dcm", pixels, patient_id="p", syntax="deflated")
    assert (tmp_path / "a.dcm").stat().st_size < 100_000
    found = read_headers(tmp_path, pd.Series(["a.dcm"]), ("PatientID", "Rows"))
    assert found.to_numpy().tolist() == [["p", "6000", ""]]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    files: list[str] = []
    real = headers._read_one

    def noted(file: str, tags: list[int]):
        files.append(Path(file).name)
        return real(file, tags)

    monkeypatch.setattr(headers, "_read_one", noted)
    return files


def test_what_was_read_is_remembered_until_the_file_changes(tmp_path: Path, parsed: list[str]) -> None:
    root, cache = tmp_path / "data", tmp_path / "cache"
    for name in "abc":
        write_dicom(root / f"{name}.dcm", PIXELS, patient_id=name)
    paths = pd.Series(["a.dcm", "b.dcm", "gone.dcm"])
    first = read_headers(root, paths, ("PatientID",), cache=cache)
    again = read_headers(root, paths, ("PatientID",), cache=cache)
    # What could not be read is tried again.
    assert parsed == ["a.dcm", "b.dcm", "gone.dcm", "gone.dcm"]
    pd.testing.assert_frame_equal(first, again)
    parsed.clear()
    write_dicom(root / "b.dcm", PIXELS, patient_id="another")
    os.utime(root / "b.dcm", ns=(1, 1))
    more = read_headers(root, pd.Series(["c.dcm", "b.dcm"]), ("PatientID",), cache=cache)
    assert (parsed, more["PatientID"].tolist()) == (["c.dcm", "b.dcm"], ["c", "another"])
    parsed.clear()
    last = read_headers(root, pd.Series(["a.dcm", "b.dcm", "c.dcm"]), ("PatientID",), cache=cache)
    assert (parsed, last["PatientID"].tolist()) == ([], ["a", "another", "c"])
    # Other elements were never read.
    read_headers(root, pd.Series(["a.dcm"]), ("Rows",), cache=cache)
    assert parsed == ["a.dcm"]


def test_a_damaged_or_unwritable_memory_is_read_past(tmp_path: Path, parsed: list[str]) -> None:
    root, cache = tmp_path / "data", tmp_path / "cache"
    write_dicom(root / "a.dcm", PIXELS, patient_id="the patient")
    paths = pd.Series(["a.dcm"])
    read_headers(root, paths, ("PatientID",), cache=cache)
    (memory,) = (cache / "dicom_headers").iterdir()
    data = memory.read_bytes()
    at = data.index(b"the patient")
    for damaged in (data[:-20], b"", data[:at] + b"a" + data[at + 1 :]):
        memory.write_bytes(damaged)
        assert read_headers(root, paths, ("PatientID",), cache=cache)["PatientID"][0] == "the patient"
    assert len(parsed) == 4
    (tmp_path / "file").touch()
    assert read_headers(root, paths, ("PatientID",), cache=tmp_path / "file")["PatientID"][0] == "the patient"


def test_files_that_are_waited_for_are_read_by_threads_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in range(6):
        write_dicom(tmp_path / f"{name}.dcm", PIXELS, patient_id=f"p{name}")
    paths = pd.Series([f"{name % 6}.dcm" for name in range(6)])
    quick = read_headers(tmp_path, paths, ("PatientID",))
    real = headers._read_one

    def slow(file: str, tags: list[int]):
        time.sleep(0.02)
        return real(file, tags)

    monkeypatch.setattr(headers, "_read_one", slow)
    monkeypatch.setattr(headers, "_PROBE", 2)
    pd.testing.assert_frame_equal(read_headers(tmp_path, paths, ("PatientID",)), quick)


def test_an_unknown_keyword_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'Patient' is no DICOM keyword"):
        read_headers(tmp_path, pd.Series(["a.dcm"]), ("PatientID", "Patient"))


def test_no_damage_raises_or_warns(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for place, syntax in enumerate([*SYNTAXES] * 60):
        write_dicom(tmp_path / "whole", PIXELS, patient_id="p", syntax=syntax)
        data = bytearray((tmp_path / "whole").read_bytes())
        for at in generator.integers(0, len(data), 4):
            data[at] = generator.integers(256)
        (tmp_path / f"{place}.dcm").write_bytes(data[: generator.integers(100, len(data))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_headers(tmp_path, pd.Series([f"{place}.dcm" for place in range(300)]), ("PatientID", "Rows"))
    # Whatever was read, or why not.
    assert ((found[UNREADABLE] == "") | (found["PatientID"].isna() & found["Rows"].isna())).all()
