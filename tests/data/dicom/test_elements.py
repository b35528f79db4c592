"""Headers that are wrong, odd or hostile; and that nothing a header says of a person is ever repeated."""

from __future__ import annotations

import re
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit

from cxrbench.data.dicom import read_dicom
from cxrbench.data.dicom.elements import parse, read_elements
from cxrbench.data.image_reading import DamagedError, read_image
from cxrbench.data.phantom.dicom_file import write_dicom

from ..dicom_files import radiograph_dataset

RAMP = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100
NAME = "Nobody^Known^To^Us"


def saved(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def padded(uid: str) -> bytes:
    return uid.encode() + bytes(len(uid) % 2)


def refusal(data: bytes) -> str:
    with pytest.raises(DamagedError) as caught:
        read_dicom(data)
    text = str(caught.value)
    assert "\n" not in text
    assert "Nobody" not in text
    return text


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"Rows": 60000, "Columns": 60000}, "its header says 60000 x 60000 pixels: no radiograph"),
        ({"Rows": 0}, "its header says 4 x 0 pixels"),
        ({"Rows": None}, "Rows is missing"),
        ({"Columns": [3, 4]}, "Columns is not one whole number"),
        ({"NumberOfFrames": 30}, "30 frames; a radiograph has one"),
        ({"BitsStored": 0}, "0 bits stored up to bit 15 of 16"),
        ({"BitsStored": 17, "HighBit": 16}, "17 bits stored up to bit 16 of 16"),
        ({"BitsStored": 12, "HighBit": 7}, "12 bits stored up to bit 7 of 16"),
        ({"BitsAllocated": 12}, "12 bits a pixel; a radiograph has 8 or 16"),
        ({"SamplesPerPixel": 4}, "4 channels; expected 1 or 3"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette colours, which are no densities"),
        ({"PhotometricInterpretation": "RGB"}, "1-channel pixels whose photometric interpretation is not MONOCHROME1"),
        ({"PhotometricInterpretation": None}, "photometric interpretation is not MONOCHROME1 or MONOCHROME2"),
        ({"WindowCenter": 9, "WindowWidth": 0.5}, "WindowWidth 0.5 of a linear window"),
        ({"WindowCenter": 9, "WindowWidth": 5, "VOILUTFunction": "ODD"}, "VOILUTFunction is not LINEAR"),
    ],
)
def test_what_no_radiograph_says_of_itself_is_an_error(tags: dict[str, Any], expected: str):
    dataset = radiograph_dataset(RAMP)
    dataset.HighBit = 15
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    assert expected in refusal(saved(dataset))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("keyword", "tag", "vr", "value"),
    [
        ("WindowCenter", 0x00281050, "DS", b"Nobody^1"),
        ("WindowWidth", 0x00281051, "DS", b"inf "),
        ("RescaleSlope", 0x00281053, "DS", b"Nobody"),
        ("PixelPaddingValue", 0x00280120, "US", b"\x01"),
        ("PixelPaddingRangeLimit", 0x00280121, "US", b"\x01\x02\x03\x04"),
        ("NumberOfFrames", 0x00280008, "IS", b"Nobody"),
    ],
)
def test_an_element_without_its_number_is_named_and_not_quoted(keyword: str, tag: int, vr: str, value: bytes):
    tags = {"WindowCenter": 5, "WindowWidth": 9, "RescaleSlope": 2, "RescaleIntercept": 1, "PixelPaddingValue": 3}
    data = saved(radiograph_dataset(RAMP, PixelPaddingRangeLimit=4, NumberOfFrames=1, **tags))
    head = tag.to_bytes(4, "little")[2:] + tag.to_bytes(4, "little")[:2] + vr.encode()
    assert data.count(head) == 1
    at = data.index(head) + 6
    after = at + 2 + int.from_bytes(data[at : at + 2], "little")
    assert keyword in refusal(data[:at] + len(value).to_bytes(2, "little") + value + data[after:])


@pytest.mark.filterwarnings("error")
def test_names_ids_and_private_elements_are_not_even_taken_in(tmp_path: Path):
    private = Dataset()
    private.PatientName = NAME
    dataset = radiograph_dataset(RAMP, PatientName=NAME, PatientID=NAME, InstitutionName=NAME)
    dataset.RequestAttributesSequence = Sequence([private])
    block = dataset.private_block(0x0029, "Nobody", create=True)
    block.add_new(0x01, "LO", NAME)
    block.add_new(0x02, "SQ", Sequence([private]))
    data = saved(dataset)
    assert data.count(NAME.encode()) == 6
    assert "Nobody" not in str(parse(data))
    assert "Nobody" not in repr(read_elements(parse(data)))
    np.testing.assert_array_equal(read_dicom(data)[0], RAMP)
    for end in range(140, len(data) - 20, 7):
        refusal(data[:end])


@pytest.mark.parametrize(
    ("uid", "shown"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level (1.2.840.10008.1.2.4.100)"),
        ("1.2.840.10008.1.2.4.999", "1.2.840.10008.1.2.4.999"),
        ("1.2.3.4", "1.2.3.4 (private)"),
        ("1.2.Nobody", "which is no UID"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_syntax_that_cannot_be_read_is_named(uid: str, shown: str):
    dataset = radiograph_dataset(RAMP)
    dataset.PixelData = encapsulate([bytes(24)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    before, after = (
        b"UI" + len(each).to_bytes(2, "little") + each for each in (JPEGBaseline8Bit.encode(), padded(uid))
    )
    data = saved(dataset)
    assert data.count(before) == 1
    assert (
        refusal(data.replace(before, after))
        == f"its transfer syntax, {shown}, cannot be read; write it uncompressed, as with gdcmconv --raw"
    )


def test_bits_above_those_stored_are_cut_off_signed_values_too():
    stored = np.array([[-2048, -1], [0, 2047]], np.int16)
    overlaid = (stored.view(np.uint16) & 0x0FFF) | np.array([[0x8000, 0], [0xF000, 0x1000]], np.uint16)
    dataset = radiograph_dataset(overlaid, 12, PixelRepresentation=1)
    np.testing.assert_array_equal(read_dicom(saved(dataset))[0], stored + 2048)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_below_those_stored_are_cut_off(signed: bool):
    stored = np.array([[-2048, -1], [0, 2047]], np.int16) if signed else np.array([[0, 1], [5, 4095]], np.uint16)
    dataset = radiograph_dataset(stored << 4 | 7, 12, HighBit=15)
    np.testing.assert_array_equal(read_dicom(saved(dataset))[0], stored - stored.min().astype(int))


def test_overlays_in_elements_of_their_own_are_left_out():
    dataset = radiograph_dataset(RAMP)
    dataset.add_new(0x60000010, "US", 3)
    dataset.add_new(0x60000011, "US", 4)
    dataset.add_new(0x60003000, "OW", b"\xff\xff")
    np.testing.assert_array_equal(read_dicom(saved(dataset))[0], RAMP)


def test_eight_bits_in_big_endian_words():
    pixels = RAMP.astype(np.uint8)
    dataset = radiograph_dataset(pixels)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = pixels.reshape(-1, 2)[:, ::-1].tobytes()
    dataset["PixelData"].VR = "OW"
    np.testing.assert_array_equal(read_dicom(saved(dataset))[0], pixels)


def test_deflated_without_preamble_and_bombs_there():
    dataset = radiograph_dataset(RAMP)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    bare = saved(dataset)[132:]
    np.testing.assert_array_equal(read_dicom(bare)[0], RAMP)
    start = 12 + int.from_bytes(bare[8:12], "little")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    assert "inflate to more than" in refusal(bare[:start] + 300 * mebibyte)


def test_a_length_beyond_the_file_is_an_error():
    data = saved(radiograph_dataset(RAMP))
    at = data.index(b"\xe0\x7f\x10\x00OW") + 8
    for length in (10_000_000, 0xFFFFFFFE, 0xFFFFFFFF, 2):
        refusal(data[:at] + length.to_bytes(4, "little") + data[at + 4 :])


def test_a_file_meta_without_syntax_is_implicit_little_endian():
    dataset = radiograph_dataset(RAMP)
    dataset.file_meta = FileMetaDataset()
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=True, little_endian=True, enforce_file_format=False)
    np.testing.assert_array_equal(read_dicom(buffer.getvalue())[0], RAMP)


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_modality_table_of_bytes_and_words(bits: int):
    entries = np.array([3, 7, 200, 255], "u1" if bits == 8 else "<u2")
    item = Dataset()
    item.LUTDescriptor = [4, 1, bits]
    item.add_new("LUTData", "OW", entries.tobytes())
    pixels = np.array([[0, 1, 2], [3, 4, 9]], np.uint16)
    dataset = radiograph_dataset(pixels, ModalityLUTSequence=Sequence([item]))
    np.testing.assert_array_equal(read_dicom(saved(dataset))[0], [[3, 3, 7], [200, 255, 255]])


def test_a_table_shorter_than_it_says_is_an_error():
    item = Dataset()
    item.LUTDescriptor = [256, 0, 16]
    item.LUTData = bytes(20)
    text = refusal(saved(radiograph_dataset(RAMP, VOILUTSequence=Sequence([item]))))
    assert text == "damaged DICOM header: VOILUTSequence has 20 of 256 entries, of 16 bits"


def test_a_table_without_data_is_an_error():
    text = refusal(saved(radiograph_dataset(RAMP, VOILUTSequence=Sequence([Dataset()]))))
    assert text == "damaged DICOM header: VOILUTSequence holds no lookup table"


def test_messages_of_files_carry_the_path_and_nothing_of_a_person(tmp_path: Path):
    dataset = radiograph_dataset(RAMP, PatientName=NAME)
    dataset.Rows = 70
    (tmp_path / "a.dcm").write_bytes(saved(dataset))
    with pytest.raises(Exception, match="truncated DICOM: 24 of 560 bytes of pixel data") as caught:
        read_image(tmp_path / "a.dcm")
    assert "Nobody" not in str(caught.value)


def test_run_lengths_that_go_on_past_the_image_are_an_error(tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", np.arange(40 * 32, dtype=np.uint16).reshape(32, 40), syntax="rle")
    data = (tmp_path / "a.dcm").read_bytes()
    # The frame's header: number of segments, then where each begins.
    at = data.index((2).to_bytes(4, "little") + (64).to_bytes(4, "little"))
    segment = at + 64
    longer = data[:segment] + b"\x7f" + data[segment + 1 :]
    assert "cannot decode its pixel data (RLE Lossless" in refusal(longer)


def test_a_padding_value_that_eight_bits_cannot_hold_marks_nothing():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 4
    for value in (300, 0x8000):
        image, padding = read_dicom(saved(radiograph_dataset(pixels, PixelPaddingValue=value)))
        assert padding is None
        np.testing.assert_array_equal(image, pixels)
    _, padding = read_dicom(saved(radiograph_dataset(pixels.view(np.int8) - 20, PixelPaddingValue=-4)))
    assert padding is not None
    np.testing.assert_array_equal(padding, pixels.astype(int) - 20 == -4)


def test_a_few_run_lengths_for_many_pixels_are_refused_before_room_is_made(tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", np.zeros((32, 40), np.uint16), syntax="rle")
    dataset = dcmread(tmp_path / "a.dcm")
    dataset.Rows = dataset.Columns = 10000
    assert re.fullmatch(r"truncated run lengths: \d+ bytes for 200000000", refusal(saved(dataset)))


def test_a_jpeg_ls_of_too_many_bits_is_refused_before_its_decoder_sees_it(tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", np.zeros((32, 40), np.uint16), syntax="jpeg-ls")
    data = (tmp_path / "a.dcm").read_bytes()
    frame = bytes.fromhex("fff7000b")
    assert data.count(frame + b"\x10") == 1
    assert refusal(data.replace(frame + b"\x10", frame + b"\x17")).endswith("16 bits, its compressed image has 23")
    lossless = data.replace(frame + b"\x10", bytes.fromhex("ffc3000b10"))
    assert refusal(lossless).startswith("its pixel data are not JPEG-LS Lossless Image Compression")
