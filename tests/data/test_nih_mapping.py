from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from cxrbench.data.nih_mapping import find_mapping, nih_images, nih_origin
from cxrbench.data.problems import Problems
from cxrbench.foundation.errors import UserError

OFFICIAL = "pneumonia-challenge-dataset-mappings_2018.json"
A, B = "0004cfab-14fd-4e49-80ba-63a80b6bddd6", "00313ee0-9eaa-42f4-b0ab-c148ed3241cd"


def rsna_entry(name: str, nih: str, number: int) -> dict[str, object]:
    """An entry with the keys of RSNA's file."""
    return {
        "img_id": nih,
        "subset_img_id": name,
        "StudyInstanceUID": f"1.2.276.0.7230010.3.1.2.{number}",
        "SeriesInstanceUID": f"1.2.276.0.7230010.3.1.3.{number}",
        "SOPInstanceUID": f"1.2.276.0.7230010.3.1.4.{number}",
        "orig_labels": ["Infiltration"],
    }


def ids(*names: str) -> pd.Series:
    return pd.Series(list(names), dtype="str")


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_rsnas_file_gives_the_nih_image_and_patient(tmp_path: Path) -> None:
    entries = [rsna_entry(B, "00030254_002.png", 2), rsna_entry(A, "00000013_026.png", 1), rsna_entry("x", "other", 3)]
    write(tmp_path / OFFICIAL, entries)
    problems = Problems()
    found = nih_origin(tmp_path, ids(A, B), OFFICIAL, problems)
    assert found.images.tolist() == ["00000013_026", "00030254_002"]
    assert found.patients.tolist() == ["00000013", "00030254"]
    assert found.known
    assert not len(problems)


def test_without_a_file_every_image_is_its_own_patient_and_a_note_says_so(tmp_path: Path) -> None:
    found = nih_origin(tmp_path, ids(A, B), OFFICIAL, Problems())
    assert found.patients.tolist() == [A, B]
    assert found.images.tolist() == ["", ""]
    assert not found.known
    assert found.notes[0].startswith(f"no {OFFICIAL}: no patients are known")


def test_a_patient_is_on_one_side_in_every_challenge_where_it_is_known(tmp_path: Path) -> None:
    names = ids(*(f"image{number}" for number in range(300)))
    unknown = nih_origin(tmp_path, names, OFFICIAL, Problems())
    assert unknown.split("rsna_pneumonia").tolist() != unknown.split("siim_acr").tolist()
    nih = [f"{number // 3:08d}_{number % 3:03d}.png" for number in range(300)]
    write(tmp_path / OFFICIAL, dict(zip(names, nih, strict=True)))
    found = nih_origin(tmp_path, names, OFFICIAL, Problems())
    split = found.split("rsna_pneumonia")
    assert split.tolist() == found.split("siim_acr").tolist()
    assert split.groupby(found.patients).nunique().max() == 1
    assert (split == "test").mean() == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize(
    "header",
    ["ImageId,NIH_filename", "SOPInstanceUID, Image Index", "image_id,nih_image_id", "subset_img_id,img_id", "id,nih"],
)
def test_a_csv_is_understood_by_several_column_names(tmp_path: Path, header: str) -> None:
    path = tmp_path / "siim_nih_mapping.csv"
    path.write_text(f"{header},note\n{A}.dcm,images_001/images/00000013_026.png,seen\n{B},00030254_002,\n")
    assert nih_images(path, ids(A, B)).to_dict() == {A: "00000013_026", B: "00030254_002"}


def test_the_column_of_ids_is_the_one_that_has_them(tmp_path: Path) -> None:
    path = write(tmp_path / "mapping.json", [rsna_entry(A, "00000013_026.png", 1)])
    assert nih_images(path, ids("1.2.276.0.7230010.3.1.4.1")).tolist() == ["00000013_026"]
    assert nih_images(path, ids(A)).index.tolist() == [A]


def test_an_object_of_ids_and_names_is_understood(tmp_path: Path) -> None:
    path = write(tmp_path / "mapping.json", {A: "00000013_026.png"})
    assert nih_images(path, ids(A)).to_dict() == {A: "00000013_026"}


def test_images_that_the_file_leaves_out_or_gives_twice_are_problems(tmp_path: Path) -> None:
    entries = [
        rsna_entry(A, "00000013_026.png", 1),
        rsna_entry("twice", "00000013_026.png", 2),
        rsna_entry("twice", "00000014_000.png", 3),
        rsna_entry("nameless", "", 4),
    ]
    write(tmp_path / OFFICIAL, entries)
    problems = Problems()
    found = nih_origin(tmp_path, ids(A, "twice", "nameless", "absent"), OFFICIAL, problems)
    assert [(problem.sample_id, problem.what) for problem in problems] == [
        ("twice", "twice comes from several NIH images"),
        ("nameless", "it has no NIH image for nameless"),
        ("absent", "it has no NIH image for absent"),
    ]
    assert problems.counts() == {"no NIH image known": 3}
    assert found.images.tolist() == ["00000013_026", "", "", ""]
    assert found.patients.tolist() == ["00000013", "twice", "nameless", "absent"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1, 2]", "is not a list of objects"),
        ("[]", "is not a list of objects"),
        ("{}", "is not a list of objects"),
        ("[" * 100_000, "is not JSON"),
        ("\x00", "is not JSON"),
        ('[{"img_id": "00000013_026.png"}]', r"lacks the id \(subset_img_id or ImageId\); it has img_id"),
        ('[{"subset_img_id": "a"}]', r"lacks the NIH file name \(img_id\); it has subset_img_id"),
        ('[{"subset_img_id": "a", "img_id": "00000013_026.png"}]', "has none of the 2 images, such as 0004cfab"),
    ],
)
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / OFFICIAL).write_text(content)
    with pytest.raises(UserError, match=said) as caught:
        nih_origin(tmp_path, ids(A, B), OFFICIAL, Problems())
    assert OFFICIAL in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_files_are_not_guessed_between(tmp_path: Path) -> None:
    for name in (OFFICIAL, "my_mapping.csv"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"several mapping files, my_mapping.csv, {OFFICIAL}; keep one"):
        find_mapping(tmp_path)
