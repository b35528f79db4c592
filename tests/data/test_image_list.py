from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrbench.data.image_list import identify, read_image_list
from cxrbench.foundation.errors import UserError

NIH = ["00000001_000.png", "00000001_001.png", "00000002_000.png"]


def listed(path: Path, content: str | bytes) -> pd.DataFrame:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_image_list(path)


def message(path: Path, content: str | bytes | None = None) -> str:
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_image_list(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_nihs_lists_have_no_final_newline(tmp_path: Path) -> None:
    found = listed(tmp_path / "test_list.txt", "\n".join(NIH))
    assert found.columns.tolist() == ["name", "image_id", "patient_id"]
    assert found["name"].tolist() == NIH
    assert found["image_id"].tolist() == ["00000001_000", "00000001_001", "00000002_000"]
    assert found["patient_id"].tolist() == ["00000001", "00000001", "00000002"]
    assert set(found.dtypes) == {pd.StringDtype(na_value=float("nan"))}


@pytest.mark.parametrize(
    "text",
    [
        "images/{}\r\n",
        "/data/nih/images_001/images/{}\n",
        "C:\\nih\\images\\{}\n",
        "{} 0 1 0 0 0 0 1\n",
        "images/{}\t1\n",
        "{},1\n",
        '"{}",Effusion|Mass\n',
        "  {}  \n\n",
        "# a comment\n{}\n",
    ],
)
def test_folders_labels_quotes_blanks_and_comments_do_not_matter(tmp_path: Path, text: str) -> None:
    found = listed(tmp_path / "list.txt", "".join(text.format(name) for name in NIH))
    assert found["image_id"].tolist() == ["00000001_000", "00000001_001", "00000002_000"]


def test_names_with_blanks_quotes_and_accents_are_kept_whole(tmp_path: Path) -> None:
    names = ["Thorax p.a. links.png", "l'hôpital/radio 3.jpeg", "胸部/0001.dcm", "a.b.c.png 1 0"]
    found = listed(tmp_path / "list.lst", "\n".join(names))
    assert found["name"].tolist() == [*names[:3], "a.b.c.png"]
    assert found["image_id"].tolist() == ["Thorax p.a. links", "radio 3", "0001", "a.b.c"]
    assert found["patient_id"].tolist() == [""] * 4


def test_ids_without_an_ending_keep_their_points(tmp_path: Path) -> None:
    uid = "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819"
    found = listed(tmp_path / "list.txt", f"{uid}\nseries/{uid[:-1]}0.dcm\n")
    assert found["image_id"].tolist() == [uid, f"{uid[:-1]}0"]


def test_names_that_come_again_are_listed_once(tmp_path: Path) -> None:
    found = listed(tmp_path / "list.txt", "\n".join([*NIH, *NIH, "other/00000001_000.png"]))
    assert found["name"].tolist() == [*NIH, "other/00000001_000.png"]


@pytest.mark.parametrize("bom", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_byte_order_marks_are_taken_off(tmp_path: Path, bom: str, suffix: str) -> None:
    found = listed(tmp_path / f"list{suffix}", ("image\n" + "\n".join(NIH)).encode(bom))
    assert found["name"].tolist() == NIH


TABLES = {
    "nih": (
        "Image Index,Finding Labels,Follow-up #,Patient ID,OriginalImage[Width,Height],\n"
        "00000001_000.png,Mass|Nodule,0,1,2682,2749,\n00000002_000.png,No Finding,0,2,2500,2048,",
        ["00000001_000", "00000002_000"],
        ["00000001", "00000002"],
    ),
    "chexpert": (
        "Path,Sex\nCheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,F\n"
        "CheXpert-v1.0-small/train/patient00002/study1/view1_frontal.jpg,M",
        ["patient00001/study1/view1_frontal", "patient00002/study1/view1_frontal"],
        ["patient00001", "patient00002"],
    ),
    "rsna": (
        "patientId,x,y,width,height,Target\n0004cfab-14fd,,,,,0\n00436515-870c,264,152,213,379,1\n00436515-870c,5,1,2,3,1",
        ["0004cfab-14fd", "00436515-870c"],
        ["", ""],
    ),
    "siim_acr": ("ImageId, EncodedPixels\n1.2.276.0, -1\n1.2.277.1,1 2 3", ["1.2.276.0", "1.2.277.1"], ["", ""]),
    "vindr": ("image_id,rad_id,class_name\nabc,R1,Mass\nabc,R2,Mass\ndef,R1,Mass", ["abc", "def"], ["", ""]),
    "mimic": (
        "subject_id,study_id,dicom_id\n10000032,50414267,02aa804e\n10000980,50985099,3a21b5c7",
        ["02aa804e", "3a21b5c7"],
        ["10000032", "10000980"],
    ),
    "ours": ("image,label,patient_id,split\na b.png,nodule,P1,train\nc.png,normal,,val", ["a b", "c"], ["P1", ""]),
    "jsrt": ("study_id,x\nJPCLN001.png,1634\nJPCLN002.png,1614", ["JPCLN001", "JPCLN002"], ["", ""]),
    "unnamed": (
        ",0\n0,x/00000001_000.png\n1,x/00000002_000.png",
        ["00000001_000", "00000002_000"],
        ["00000001", "00000002"],
    ),
    "headless": (
        "00000001_000.png,1,0\n00000002_000.png,0,1",
        ["00000001_000", "00000002_000"],
        ["00000001", "00000002"],
    ),
    "quoted": ('"report","file name"\n"one\ntwo, three","a.png"\n"four","b.png"', ["a", "b"], ["", ""]),
    "semicolons": ("label;filename\n1,5;a.png\n2,5;b.png", ["a", "b"], ["", ""]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_by_the_column_that_names_images(tmp_path: Path, name: str) -> None:
    text, images, patients = TABLES[name]
    found = listed(tmp_path / "table.csv", text + "\n")
    assert found["image_id"].tolist() == images
    assert found["patient_id"].tolist() == patients
    # The same text as .txt, where its first line is a header.
    if name not in ("headless", "jsrt", "unnamed", "rsna"):
        pd.testing.assert_frame_equal(listed(tmp_path / "table.txt", text), found)


def test_parquet_is_read_as_the_table_it_is(tmp_path: Path) -> None:
    table = pd.DataFrame({"label": [1, 0], "Image_Path": ["a/00000001_000.png", "b/x.png"], "patient": [7, 8]})
    table.to_parquet(tmp_path / "list.parquet")
    found = read_image_list(tmp_path / "list.parquet")
    assert found["name"].tolist() == ["a/00000001_000.png", "b/x.png"]
    assert found["patient_id"].tolist() == ["00000001", "8"]
    pd.DataFrame({"odd": ["a.png", "b.png"], "number": [1, 2]}).to_parquet(tmp_path / "odd.parquet")
    assert read_image_list(tmp_path / "odd.parquet")["image_id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "value",
    [
        ["a.png", "b.png"],
        [{"file_name": "a.png", "id": 1}, {"file_name": "b.png", "id": 2}],
        {"info": {}, "images": [{"file_name": "a.png"}, {"file_name": "b.png"}], "annotations": []},
        {"images": ["a.png", "b.png"]},
    ],
)
def test_json_lists_of_names_objects_and_coco_are_read(tmp_path: Path, value: object) -> None:
    assert listed(tmp_path / "list.json", json.dumps(value))["image_id"].tolist() == ["a", "b"]


def test_a_folder_is_the_list_of_its_images(tmp_path: Path) -> None:
    for name in ("images/00000001_000.png", "images/sub/b.dcm", "__MACOSX/._b.dcm", "list.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = read_image_list(tmp_path)
    assert found["name"].tolist() == ["images/00000001_000.png", "images/sub/b.dcm"]
    assert found["patient_id"].tolist() == ["00000001", ""]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("list.txt", "", "no image in it; the list names none"),
        ("list.txt", "\n  \n# nothing\n", "no image in it"),
        ("list.txt", ",,,\n", "no name of an image in the line ',,,'"),
        ("list.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00", "not a text file"),
        ("list.txt", b"\xff\xfea", "cannot be read as .txt: 'utf-16"),
        ("list.txt", "Läsion.png".encode("latin-1"), "cannot be read as .txt: 'utf-8' codec"),
        ("list.csv", "", "no image in it"),
        ("list.csv", "a,b\n1,2\n", "no column of images among a, b; call the one with their names `image`"),
        ("list.csv", "image,b\na.png,2,3,4\n", "cannot be read as .csv: CSV parse error"),
        ("list.csv", "image,b\n", "no image in it"),
        ("list.parquet", "no parquet", "cannot be read as .parquet"),
        ("list.json", "[1, 2", "not JSON"),
        ("list.json", "[1, 2]", "entry 1 is '1'; names and other things are mixed"),
        ("list.json", '"a"', "neither a list of names nor a list of objects"),
        ("list.json", '{"a": 1}', "an object without one list `images`"),
        ("list.json", '[{"a": 1}]', "no column of images among a"),
        ("list.json", "[]", "no image in it"),
        ("list.zip", "x", "a list of images ends in .csv, .json"),
        ("list", "x", "a list of images ends in"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(tmp_path: Path, name: str, content, said: str) -> None:
    assert message(tmp_path / name, content).startswith(said)


def test_what_is_not_there_or_holds_no_image_is_said(tmp_path: Path) -> None:
    assert message(tmp_path / "nowhere").startswith("no such file or folder; give a list")
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty") == "no image in it; the folder names none"


def test_one_image_has_one_id_in_any_folder_and_format() -> None:
    names = pd.Series(["a/b/x1.PNG", "x1.jpg", "x1", "C:\\a\\x1.dcm", "x1.nii.gz"], index=[5, 6, 7, 8, 9])
    found = identify(names)
    assert found["image_id"].tolist() == ["x1"] * 5
    assert found.index.tolist() == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person7_virus_9.jpeg", "person7_virus"),
        ("train/NORMAL/NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115"),
        ("IM-0115-0001-0002.jpeg", "IM-0115"),
        ("files/p10/p10000032/s50414267/02aa804e.dcm", "p10000032"),
        ("valid/patient64541/study1/view1_frontal.jpg", "patient64541"),
        ("1234567_000.png", ""),
        ("x00000001_000.png", ""),
    ],
)
def test_names_that_tell_the_patient_are_understood(name: str, patient: str) -> None:
    assert identify(pd.Series([name]))["patient_id"].tolist() == [patient]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([".txt", ".csv", ".json"]), st.text(max_size=60) | st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    refusal, found = "", pd.DataFrame()
    try:
        found = read_image_list(path)
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert refusal.startswith(f"{path}: ") if len(found) == 0 else (found["name"].str.len() > 0).all()
