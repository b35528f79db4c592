"""`cxrbench figure inversion`, `bones` and `nodules` as a user runs them, on images that were made by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.bench.cli import main
from cxrbench.results.store import Store
from cxrbench.tasks.made_images import MadeImages, made_images_path, shown_rows, write_made_images
from cxrbench.tasks.predictions import Predictions

from ..results.stores import HISTORY, record

Run = Callable[..., tuple[int, str]]
SIDE, N = 16, 70
IDS = np.array([f"im_{number:02d}" for number in range(N)])
FAILS_AT = "im_07"
# What each adds to the original, in grey levels.
ADDED = {"chess": 3, "mse_alone": -6}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `cxrbench figure` in an empty folder: exit code and standard error."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["cxrbench", "figure", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        shown = capsys.readouterr()
        assert shown.out == ""
        return int(caught.value.code or 0), shown.err

    return run


def originals(ids: np.ndarray) -> np.ndarray:
    """Each image has a grey of its own."""
    return np.stack([np.full((SIDE, SIDE), 50 + int(each[-2:]), np.uint8) for each in ids])


def save(store: Path, cache: Path, encoder: str, task: str = "gan_inversion", **changes: object) -> Path:
    """A trial and the images that it keeps; mse_alone fails at one. Gives the file of the images."""
    failed = ["the loss is NaN" if encoder == "mse_alone" and each == FAILS_AT else "" for each in IDS]
    psnr = np.array([np.nan if why else 20 + number / 100 for number, why in enumerate(failed)])
    table = pd.DataFrame({"sample_id": IDS, "patient_id": IDS, "study_id": IDS})
    truth = pd.Series([np.array([0.5, 0.25])] * N)
    table = table.assign(truth=truth, psnr=psnr, ssim=0.5, rmse=9.0, lpips=np.nan, failed=failed)
    given = {"fingerprint": f"{encoder:_<16}", "variant": "calibrated", "fraction": 100.0, **changes}
    one = record(encoder=encoder, task=task, metrics={"psnr": 20.345, "ssim": 0.5}, **given)
    Store(store).save(one, Predictions(table, ("image",), False), HISTORY)
    kept = [place for place in shown_rows(IDS, task) if not failed[place]]
    given_images = originals(IDS[kept])
    names = {"gan_inversion": ("original", "reconstruction"), "bone_suppression": ("film", "target", "output")}[task]
    made = (given_images.astype(int) + ADDED.get(encoder, 0)).astype(np.uint8)
    stacks = dict.fromkeys(names, given_images) | {names[-1]: made}
    path = made_images_path(cache, one.fingerprint)
    write_made_images(path, MadeImages(IDS[kept], stacks))
    return path


@pytest.fixture
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("made")
    for encoder in ADDED:
        save(folder / "store", folder / "cache", encoder)
    return folder / "store", folder / "cache"


def of(folders: tuple[Path, Path], task: str = "gan_inversion") -> tuple[object, ...]:
    return ("--task", task, "--store", folders[0], "--cache", folders[1])


def test_inversion_shows_images_in_the_order_of_a_hash_with_their_own_psnr(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    code, err = run("inversion", *of(folders), "--encoder", "mse_alone,chess", "--images", "3", "--out", "f.svg,f.png")
    assert (code, err) == (0, "wrote f.svg\nwrote f.png\n")
    svg = (tmp_path / "f.svg").read_text()
    shown = shown_rows(IDS, "gan_inversion")[:3]
    for number in shown:
        assert f"<!-- {IDS[number]} -->" in svg
        assert svg.count(f"<!-- PSNR {20 + number / 100:.2f} -->") == 2
    for words in ("SYNTHETIC phantom data", "PSNR 20.34, SSIM 0.500", "reconstruction minus original, in grey levels"):
        assert words in svg, words
    assert "First 3 test images in the order of a hash of the id" in svg
    assert "Under the names: all 70 test images of replicate 0; over a panel" in svg
    assert svg.index("<!-- mse_alone -->") < svg.index("<!-- chess -->")


def test_an_image_that_failed_with_one_encoder_is_shown_of_the_others(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    assert FAILS_AT in IDS[shown_rows(IDS, "gan_inversion")]
    assert run("inversion", *of(folders), "--sample", FAILS_AT, "--out", "f.svg")[0] == 0
    svg = (tmp_path / "f.svg").read_text()
    assert svg.count("<!-- failed -->") == 2
    assert svg.count("<!-- PSNR 20.07 -->") == 1
    assert "Empty panels: failed; means leave them out." in svg


def test_bones_of_one_replicate(run: Run, folders: tuple[Path, Path], tmp_path: Path) -> None:
    for replicate in (0, 1):
        given = {"replicate": replicate, "fingerprint": f"bones{replicate:_<11}"}
        save(*folders, "chess", "bone_suppression", **given)
    code, err = run("bones", *of(folders, "bone_suppression"), "--replicate", "1", "--images", "1", "--out", "f.svg")
    assert code == 0, err
    svg = (tmp_path / "f.svg").read_text()
    for words in ("film", "target", "output", "residual", "output minus target, in grey levels"):
        assert f"<!-- {words} -->" in svg
    assert "all 70 test images of replicate 1" in svg
    # Replicates are of one fraction, which says nothing.
    assert "of the training patients" not in svg


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sample", "nobody"), "--sample: 'nobody' is no test image of these records; one of the 70 is"),
        (("--images", "0"), "--images: a figure shows 1 to 20 images"),
        (("--images", "2", "--sample", "im_01"), "--images: --sample names them already; leave one of the two out"),
        (("--encoder", "ches"), "--encoder: unknown encoder in these records 'ches'; did you mean 'chess'"),
        (("--replicate", "3"), "--replicate 3: not one that all encoders have; they share 0"),
        (("--variant", "raw"), "--variant: unknown variant in these records 'raw'"),
        (("--cache", "elsewhere"), "the images of this trial are no longer in the cache; records keep none: name the"),
    ],
)
def test_wrong_use_is_one_line(
    run: Run, folders: tuple[Path, Path], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, err = run("inversion", *of(folders), *arguments, "--out", "f.png")
    assert (code, err.count("\n"), said in err) == (2, 1, True), err
    assert list(tmp_path.iterdir()) == []


def test_a_test_image_that_is_not_kept_is_said(run: Run, folders: tuple[Path, Path]) -> None:
    (absent, *_) = set(IDS) - set(IDS[shown_rows(IDS, "gan_inversion")])
    code, err = run("inversion", *of(folders), "--sample", absent, "--out", "f.png")
    assert (code, err.count("\n")) == (2, 1)
    assert f"--sample: '{absent}' is a test image, but 64 of the 70 are kept for figures; one of them is 'im_" in err


def test_figures_of_other_tasks_and_files_of_other_images_are_refused(run: Run, folders: tuple[Path, Path]) -> None:
    code, err = run("bones", *of(folders), "--out", "f.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "--task gan_inversion: its trials keep original, reconstruction, and this figure shows film, target" in err
    store, cache = folders
    path = made_images_path(cache, "chess___________")
    kept = IDS[shown_rows(IDS, "gan_inversion")]
    other = np.full((len(kept), SIDE, SIDE), 9, np.uint8)
    write_made_images(path, MadeImages(kept, {"original": other, "reconstruction": other}))
    code, err = run("inversion", "--task", "gan_inversion", "--store", store, "--cache", cache, "--out", "f.png")
    assert (code, err.count("\n")) == (1, 1)
    assert "--encoder: chess and mse_alone have different images as original of im_" in err
    wide = np.zeros((len(kept), SIDE, SIDE + 1), np.uint8)
    for stacks, said in (
        ({"original": other, "reconstruction": wide}, "not the images of a trial"),
        ({"original": other, "reconstruction": other.astype(float)}, "not the images of a trial"),
        ({"original": other[:3], "reconstruction": other[:3]}, "not the images of a trial"),
        ({"original": wide, "reconstruction": wide}, "the images of these trials are of different sizes"),
    ):
        write_made_images(path, MadeImages(kept, stacks))
        code, err = run("inversion", *of(folders), "--out", "f.png")
        assert (code in (1, 2), err.count("\n"), said in err) == (True, 1, True), err
    path.write_bytes(path.read_bytes()[:200])
    code, err = run("inversion", *of(folders), "--out", "f.png")
    assert (code, err.count("\n"), "the images of this trial are damaged" in err) == (2, 1, True), err


def test_too_many_encoders_and_hashed_ids_are_refused(run: Run, folders: tuple[Path, Path]) -> None:
    for number in range(3):
        save(*folders, f"more_{number}")
    code, err = run("inversion", *of(folders), "--out", "f.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "--encoder: 11 columns are too narrow; name 4 encoders at most" in err
    save(*folders, "private", dataset={"name": "vindr", "hashed_ids": "12345678"})
    code, err = run("inversion", *of(folders), "--encoder", "private", "--out", "f.png")
    assert (code, err.count("\n"), "its ids are hashed (--hash-ids)" in err) == (2, 1, True)
