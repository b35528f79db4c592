from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.pixels.utils import pixel_array

from cxrbench.data.phantom.dicom_file import write_dicom
from cxrbench.foundation.errors import UserError

RANDOM = np.random.default_rng(8)
EIGHT = cv2.GaussianBlur(RANDOM.integers(0, 256, (45, 64)).astype(np.uint8), (0, 0), 2)
TWELVE = RANDOM.integers(0, 4096, (45, 63)).astype(np.uint16)
SIGNED = RANDOM.integers(-2048, 2048, (45, 63)).astype(np.int16)
LOSSLESS = {
    "implicit little endian": "Implicit VR Little Endian",
    "explicit little endian": "Explicit VR Little Endian",
    "explicit big endian": "Explicit VR Big Endian",
    "deflated": "Deflated Explicit VR Little Endian",
    "jpeg lossless": "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    "jpeg-ls": "JPEG-LS Lossless Image Compression",
    "jpeg 2000 lossless": "JPEG 2000 Image Compression (Lossless Only)",
    "rle": "RLE Lossless",
}


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize(("pixels", "bits"), [(EIGHT, None), (TWELVE, 12), (TWELVE * 16, 16), (SIGNED, 12)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_pydicom_reads_the_stored_values_back(
    tmp_path: Path, syntax: str, pixels: np.ndarray, bits: int | None, photometric: str
):
    write_dicom(tmp_path / "a.dcm", pixels, syntax=syntax, bits_stored=bits, photometric=photometric)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.file_meta.TransferSyntaxUID.name == LOSSLESS[syntax]
    assert photometric == dataset.PhotometricInterpretation
    assert dataset.BitsStored == (bits or 8)
    assert dataset.PixelRepresentation == (pixels.dtype == np.int16)
    np.testing.assert_array_equal(pixel_array(dataset), pixels)


@pytest.mark.parametrize("syntax", [name for name in LOSSLESS if name != "jpeg lossless"])
def test_an_odd_number_of_bytes_is_padded(tmp_path: Path, syntax: str):
    odd = EIGHT[:, :63]
    write_dicom(tmp_path / "a.dcm", odd, syntax=syntax)
    assert (tmp_path / "a.dcm").stat().st_size % 2 == 0
    np.testing.assert_array_equal(pixel_array(pydicom.dcmread(tmp_path / "a.dcm")), odd)


@pytest.mark.parametrize(("syntax", "tolerance"), [("jpeg baseline", 2), ("jpeg 2000", 6)])
def test_lossy_syntaxes_come_near_and_say_that_they_are_lossy(tmp_path: Path, syntax: str, tolerance: float):
    write_dicom(tmp_path / "a.dcm", EIGHT, syntax=syntax)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert np.abs(pixel_array(dataset).astype(int) - EIGHT).mean() < tolerance
    assert dataset.LossyImageCompression == "01"


@pytest.mark.parametrize("syntax", [*LOSSLESS, "jpeg baseline", "jpeg 2000"])
def test_equal_arguments_give_equal_bytes(tmp_path: Path, syntax: str):
    for folder in "ab":
        write_dicom(tmp_path / folder / "x.dcm", EIGHT, syntax=syntax)
    assert (tmp_path / "a" / "x.dcm").read_bytes() == (tmp_path / "b" / "x.dcm").read_bytes()


def test_identifiers_differ_between_files_and_are_those_given(tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", EIGHT)
    write_dicom(tmp_path / "b.dcm", EIGHT)
    write_dicom(tmp_path / "c.dcm", EIGHT, sop_uid="1.2.3", study_uid="1.2", series_uid="1.2.4", patient_id="p7")
    a, b, c = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in "abc")
    uids = [each for file in (a, b) for each in (file.SOPInstanceUID, file.StudyInstanceUID, file.SeriesInstanceUID)]
    assert len(set(uids)) == 6
    assert all(uid.is_valid for uid in uids)
    assert (c.SOPInstanceUID, c.StudyInstanceUID, c.SeriesInstanceUID, c.PatientID) == ("1.2.3", "1.2", "1.2.4", "p7")
    assert c.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert a.PatientName == ""


def test_window_and_further_elements(tmp_path: Path):
    elements = {"ViewPosition": "PA", "Modality": None, "PixelPaddingValue": -2048, "PatientSex": "F"}
    write_dicom(tmp_path / "a.dcm", SIGNED, window=(100.5, 1 / 3), elements=elements, syntax="implicit little endian")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert (dataset.WindowCenter, dataset.WindowWidth) == (100.5, 0.3333333333)
    assert (dataset.ViewPosition, dataset.PatientSex, dataset.PixelPaddingValue) == ("PA", "F", -2048)
    assert "Modality" not in dataset


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (EIGHT.astype(float), {}, "float64"),
        (EIGHT[None], {}, "shape"),
        (TWELVE, {"bits_stored": 10}, "do not fit into 10 bits"),
        (SIGNED, {"bits_stored": 11}, "do not fit into 11 bits"),
        (TWELVE, {"syntax": "jpeg baseline"}, "8 bits"),
        (EIGHT[:, :63], {"syntax": "jpeg lossless"}, "odd number of 8-bit pixels"),
        (EIGHT[:31], {"syntax": "jpeg 2000"}, "32 x 32 pixels or more, not 64 x 31"),
        (EIGHT, {"syntax": "mpeg"}, "unknown syntax 'mpeg'"),
        (EIGHT, {"photometric": "RGB"}, "MONOCHROME1 or MONOCHROME2"),
        (EIGHT, {"elements": {"Nonsense": 1}}, "no DICOM keyword"),
    ],
)
def test_what_dicom_does_not_hold_is_refused(tmp_path: Path, pixels: np.ndarray, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        write_dicom(tmp_path / "a.dcm", pixels, **options)
    assert not (tmp_path / "a.dcm").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_dicom(tmp_path / "file" / "a.dcm", EIGHT)
