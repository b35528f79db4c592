"""The image cache: right rows, one build, all errors at once, quick to interrupt."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrbench.data import Radiographs, decoding, images, prepare_images, read_image
from cxrbench.data.preprocessing import preprocess
from cxrbench.foundation.errors import UserError

from .dicom_files import radiograph_dataset, write

RANDOM = np.random.default_rng(5)


def table(root: Path, names: list[str]) -> Radiographs:
    ids = [Path(name).stem for name in names]
    samples = pd.DataFrame({"sample_id": ids, "patient_id": ids, "study_id": ids, "path": names})
    samples = samples.assign(split="train", view="frontal", Edema=0.0)
    return Radiographs("small", root, samples, ("Edema",), exclusive=False)


@pytest.fixture
def dataset(tmp_path: Path) -> Radiographs:
    """Forty PNG files, every fourth of 16 bits, and a DICOM file; rows in no order."""
    root = tmp_path / "data"
    root.mkdir()
    for number in range(40):
        pixels = RANDOM.integers(0, 256, (50, 70)).astype(np.uint8)
        Image.fromarray(pixels if number % 4 else pixels.astype(np.uint16) * 200).save(root / f"i{number:02}.png")
    write(radiograph_dataset(RANDOM.integers(0, 4096, (60, 40)).astype(np.uint16), 12), root / "x.dcm")
    names = [*(f"i{number:02}.png" for number in range(40)), "x.dcm"]
    return table(root, [names[i] for i in RANDOM.permutation(41)])


def expected(radiographs: Radiographs, size: int) -> np.ndarray:
    return np.stack([preprocess(read_image(radiographs.root / path), size) for path in radiographs.samples["path"]])


def test_rows_are_the_samples_in_any_order(dataset: Radiographs, tmp_path: Path):
    prepared = prepare_images(dataset, 32, cache=tmp_path / "cache", workers=3)
    truth = expected(dataset, 32)
    np.testing.assert_array_equal(prepared.batch(slice(None)), truth)
    rows = np.array([40, 3, 3, 17])
    np.testing.assert_array_equal(prepared.batch(rows), truth[rows])
    assert prepared.batch(rows).dtype == np.uint8
    assert len(prepared) == 41


def test_another_row_order_and_other_labels_find_the_same_cache(
    dataset: Radiographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = prepare_images(dataset, 32, cache=tmp_path / "cache")
    monkeypatch.setattr(decoding, "read_with_padding", lambda path, shrinks_to: pytest.fail("decoded again"))
    turned = replace(dataset, samples=dataset.samples.iloc[::-1].reset_index(drop=True).assign(Edema=1.0))
    second = prepare_images(turned, 32, cache=tmp_path / "cache")
    assert second.key == first.key
    assert second.fingerprint != first.fingerprint
    np.testing.assert_array_equal(second.batch(slice(None)), first.batch(slice(None))[::-1])


def test_films_and_targets_of_pairs_have_the_fingerprint_of_the_whole(dataset: Radiographs, tmp_path: Path):
    names = dataset.samples["path"].to_numpy()
    pairs, turned = (
        replace(dataset, samples=dataset.samples.assign(target_path=each)) for each in (names, names[::-1])
    )
    films = prepare_images(pairs, 32, cache=tmp_path / "cache")
    targets = prepare_images(pairs, 32, cache=tmp_path / "cache", column="target_path")
    assert films.fingerprint == targets.fingerprint
    assert films.key == targets.key
    other = prepare_images(turned, 32, cache=tmp_path / "cache")
    assert other.key == films.key
    assert other.fingerprint != films.fingerprint


def test_the_key_follows_size_preset_version_and_content(
    dataset: Radiographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def key(size: int = 32, preset: str = "default") -> str:
        return prepare_images(dataset, size, preset, cache=tmp_path / "cache").key  # type: ignore[arg-type]

    keys = [key(), key(), key(33), key(32, "paper")]
    monkeypatch.setattr(images, "PREPROCESSING_VERSION", -1)
    keys.append(key())
    Image.fromarray(RANDOM.integers(0, 256, (50, 70)).astype(np.uint8)).save(dataset.root / "i07.png")
    keys.append(key())
    assert keys[0] == keys[1]
    assert len(set(keys)) == 5


def test_it_travels_to_another_process_without_its_pixels(dataset: Radiographs, tmp_path: Path):
    prepared = prepare_images(dataset, 64, cache=tmp_path / "cache")
    sent = pickle.dumps(prepared)
    assert len(sent) < prepared.stored.nbytes / 4
    np.testing.assert_array_equal(pickle.loads(sent).batch(slice(None)), prepared.batch(slice(None)))


def test_all_unreadable_images_are_one_error(dataset: Radiographs, tmp_path: Path):
    (dataset.root / "i03.png").write_bytes(b"")
    (dataset.root / "i11.png").write_text("<html>")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(dataset.root / "i12.png")
    whole = (dataset.root / "i30.png").read_bytes()
    (dataset.root / "i30.png").write_bytes(whole[:-20])
    with pytest.raises(UserError) as caught:
        prepare_images(dataset, 32, cache=tmp_path / "cache")
    root = re.escape(str(dataset.root))
    assert re.fullmatch(
        rf"small: 4 of 41 images cannot be read:\n  {root}/i03\.png: empty file \(0 bytes\)"
        rf"\n  {root}/i11\.png: not an image.*\n  {root}/i12\.png: at least 99 % .* constant value 0: no radiograph"
        rf"\n  {root}/i30\.png: truncated PNG.*\nmend the files, or go on without them: --skip-unreadable",
        str(caught.value),
    )
    assert not [path for path in (tmp_path / "cache" / "images").iterdir() if path.suffix == ""]
    (dataset.root / "i03.png").write_bytes(whole)
    with pytest.raises(UserError, match=r"^small: 3 of 41 images"):
        prepare_images(dataset, 32, cache=tmp_path / "cache")


def test_one_unreadable_image_is_named(dataset: Radiographs, tmp_path: Path):
    (dataset.root / "x.dcm").write_bytes(b"")
    with pytest.raises(UserError, match=r"^small: .*/x\.dcm: empty file \(0 bytes\); mend the file, or go on without"):
        prepare_images(dataset, 32, cache=tmp_path / "cache")


def test_up_to_twenty_unreadable_images_are_named_and_all_are_counted(dataset: Radiographs, tmp_path: Path):
    for number in range(30):
        (dataset.root / f"i{number:02}.png").write_text("<html>")
    with pytest.raises(UserError) as caught:
        prepare_images(dataset, 32, cache=tmp_path / "cache")
    lines = str(caught.value).splitlines()
    assert lines[0] == "small: 30 of 41 images cannot be read:"
    assert [line.split(":")[0] for line in lines[1:21]] == [f"  {dataset.root}/i{i:02}.png" for i in range(20)]
    assert lines[21] == "  ... and 10 more"


def test_a_dataset_of_no_images_at_all_is_not_tried_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoding, "MOST_FAILURES", 50)
    monkeypatch.setattr(images, "MOST_FAILURES", 50)
    for number in range(500):
        (tmp_path / f"{number}.png").write_text("<html>")
    with pytest.raises(UserError, match=r"^small: at least (64|96) of 500 images cannot be read"):
        prepare_images(table(tmp_path, [f"{i}.png" for i in range(500)]), 32, cache=tmp_path / "cache", workers=2)


def test_a_whole_cache_is_used_without_writing_anything(dataset: Radiographs, tmp_path: Path):
    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in [*(tmp_path / "cache").rglob("*"), tmp_path / "cache"]}

    for file in dataset.root.iterdir():  # of files written a moment ago no hash is remembered
        os.utime(file, (1_700_000_000, 1_700_000_000))
    first = prepare_images(dataset, 32, cache=tmp_path / "cache")
    (tmp_path / "cache" / "images" / f"{first.key}.lock").unlink()
    before = state()
    prepare_images(dataset, 32, cache=tmp_path / "cache")
    assert state() == before


@pytest.mark.parametrize(
    ("size", "preset", "problem"), [(0, "default", "image size 0"), (32, "papr", "'papr'; did you mean 'paper'")]
)
def test_wrong_settings_are_named(dataset: Radiographs, tmp_path: Path, size: int, preset: str, problem: str):
    with pytest.raises(UserError, match=problem):
        prepare_images(dataset, size, preset, cache=tmp_path / "cache")  # type: ignore[arg-type]


def test_no_samples_are_an_error(dataset: Radiographs, tmp_path: Path):
    with pytest.raises(UserError, match="small: no samples"):
        prepare_images(dataset.where(np.zeros(41, bool)), 32, cache=tmp_path / "cache")


def test_padding_is_left_out_of_the_scale(tmp_path: Path):
    pixels = RANDOM.integers(1000, 2000, (40, 40)).astype(np.uint16)
    padded = np.pad(pixels, ((0, 0), (20, 20)), constant_values=4095)
    write(radiograph_dataset(padded, 12, PixelPaddingValue=4095), tmp_path / "a.dcm")
    write(radiograph_dataset(np.pad(pixels, ((0, 0), (20, 20)), mode="symmetric"), 12), tmp_path / "b.dcm")
    prepared = prepare_images(table(tmp_path, ["a.dcm", "b.dcm"]), 80, cache=tmp_path / "cache").batch(slice(None))
    assert (prepared[0, :, :19] == 0).all()
    # The mirrored image has the same minimum and nearly the same percentile.
    assert np.abs(prepared[0, :, 21:59].astype(int) - prepared[1, :, 21:59]).max() <= 2


PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from cxrbench.data import Radiographs, decoding, prepare_images
from cxrbench.foundation.progress import LineProgress

decoding._WORTH_PROCESSES = int(sys.argv[3])
root, cache = Path(sys.argv[1]), Path(sys.argv[2])
names = sorted(path.name for path in root.iterdir())
samples = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "path": names})
data = Radiographs("small", root, samples.assign(split="train", view="frontal"), (), False)
prepare_images(data, 512, cache=cache, workers=2, progress=LineProgress(every=0.0))
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of 600 files that take a while to decode: links to one large PNG."""
    (tmp_path / "many").mkdir()
    Image.fromarray(RANDOM.integers(0, 256, (1500, 1500)).astype(np.uint8)).save(tmp_path / "one.png")
    for number in range(600):
        (tmp_path / "many" / f"{number:03}.png").hardlink_to(tmp_path / "one.png")
    return tmp_path / "many"


@pytest.mark.parametrize("files", [1, 10**6], ids=["processes", "threads"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_stopped_while_decoding_it_ends_at_once_and_leaves_nothing_to_be_read(
    many: Path, tmp_path: Path, sent: int, files: int
):
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", PROGRAM, str(many), str(cache), str(files)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("preparing small at 512 x 512: "):
            break
    process.send_signal(sent)
    began = time.monotonic()
    process.communicate(timeout=20)
    assert time.monotonic() - began < 1.0
    assert process.returncode != 0
    names = [path.name for path in (cache / "images").iterdir()]
    assert {name.partition(".")[2] for name in names} == {"building", "lock"}


def test_real_images_are_near_what_pillow_makes_of_them(realdata: Path, tmp_path: Path):
    root = realdata / "kermany" / "chest_xray"
    names = [str(path.relative_to(root)) for path in sorted(root.glob("**/*.jpeg"))[::150]]
    prepared = prepare_images(table(root, names), 112, cache=tmp_path / "cache").batch(slice(None))
    for image, name in zip(prepared, names, strict=True):
        grey = np.asarray(Image.open(root / name).convert("L").reduce(2)).astype(float)
        clip = np.percentile(grey, 99)
        truth = 255 * (np.minimum(grey, clip) - grey.min()) / (clip - grey.min())
        assert np.abs(image - truth).max() < 5, name
