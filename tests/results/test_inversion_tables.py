"""Tables of perceptual losses (IFA 10, CheSS): filled from predictions, signs held against SciPy's paired t."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from cxrbench.results.comparison import EncoderComparison, compare_encoders
from cxrbench.results.grid import Entry, Grid
from cxrbench.results.papers import layout_of, paper_table
from cxrbench.results.papers.marks import Compare
from cxrbench.results.papers.notes import Choice
from cxrbench.results.published_numbers import FOLDER
from cxrbench.results.record import Record
from cxrbench.results.rendering import render
from cxrbench.results.store import Store
from cxrbench.tasks.image_pairs.predictions import LABELS
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

from .stores import put, record
from .test_paper_marks import fake

N = 12
BASE = 20.0 + np.arange(N)
# What each loses to MSE alone in dB: nothing that stays sure beside the other pairs, a little, much.
LOSSES = {
    "mse_alone": np.zeros(N),
    "chess": np.tile([0.9, -0.35, 0.6], 4),
    "vgg16_imagenet": np.tile([0.9, 0.1, 0.5, 0.4], 3),
    "scratch": np.tile([4.0, 3.0], 6),
}


def images(psnr: np.ndarray, failed: Sequence[int] = ()) -> Predictions:
    """One image a patient; SSIM, RMSE and LPIPS follow from the PSNR, LPIPS is not there."""
    names = [f"s{number:02d}" for number in range(len(psnr))]
    psnr = np.where(np.isin(np.arange(len(psnr)), failed), np.nan, psnr)
    table = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names})
    why = ["the loss is NaN" if number in failed else "" for number in range(len(psnr))]
    truth = pd.Series([np.array([0.5, 0.25])] * len(psnr))
    table = table.assign(
        truth=truth, psnr=psnr, ssim=psnr / 50, rmse=255 * 10 ** (-psnr / 20), lpips=np.nan, failed=why
    )
    return Predictions(table, LABELS, False)


def inverted(store: Path, variants: Sequence[str] = ("calibrated", "raw")) -> list[Record]:
    return [
        put(
            store,
            images(BASE - loss),
            task="gan_inversion",
            encoder=encoder,
            variant=variant,
            settings_hash=f"{variant:.8}",
            dataset={"name": "vindr"},
        )
        for encoder, loss in LOSSES.items()
        for variant in variants
    ]


def comparing(store: Path) -> Compare:
    def compare(
        records: Sequence[Record], task: str, a: str, b: str, metrics: Sequence[str]
    ) -> Sequence[EncoderComparison]:
        return compare_encoders(Store(store), records, tasks.get(task), a, b, metrics, interval=False)

    return compare


def shown(grid: Grid, label: str) -> Mapping[tuple[str, str], Entry]:
    """(Group, column) -> entry, for one row."""
    (row,) = [row for row in grid.rows if row.label == label]
    columns = [(column.group, column.title) for column in grid.columns]
    return dict(zip(columns, row.entries, strict=True))


@pytest.fixture(scope="module")
def inversion(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    store = tmp_path_factory.mktemp("inversion")
    return paper_table(layout_of("ifa-10"), inverted(store), tasks.names(), comparing(store))


def test_rows_without_an_encoder_stand_first_and_means_are_those_of_the_images(inversion: Grid) -> None:
    assert [row.label for row in inversion.rows[:4]] == ["MSE alone", "LPIPS", "VGG-16 (ImageNet)", "Scratch"]
    for label, encoder in (("MSE alone", "mse_alone"), ("VGG-16 (ImageNet)", "vgg16_imagenet"), ("CheSS", "chess")):
        cells, psnr = shown(inversion, label), BASE - LOSSES[encoder]
        for group in ("calibrated", "raw, as the papers"):
            assert cells[group, "PSNR"].value == pytest.approx(psnr.mean())
            assert cells[group, "SSIM"].value == pytest.approx(psnr.mean() / 50)
            assert cells[group, "RMSE"].value == pytest.approx((255 * 10 ** (-psnr / 20)).mean())
    assert shown(inversion, "MSE alone")["calibrated", "PSNR"].best
    assert shown(inversion, "CheSS")["calibrated", "RMSE"].second
    text = render([inversion], "markdown")
    assert "| **25.50** |" in text
    assert "| **0.510** |" in text


def test_signs_are_those_of_a_paired_t_over_images_against_the_best(inversion: Grid) -> None:
    best = BASE - LOSSES["mse_alone"]
    p = {
        frozenset((a, b)): ttest_rel(BASE - LOSSES[a], BASE - LOSSES[b]).pvalue
        for number, a in enumerate(LOSSES)
        for b in list(LOSSES)[number + 1 :]
    }
    # Holm by hand: the k-th smallest of six times 7 - k, never below the one before.
    ordered = sorted(p, key=lambda pair: p[pair])
    adjusted = np.maximum.accumulate([p[pair] * (6 - place) for place, pair in enumerate(ordered)])
    holm = dict(zip(ordered, adjusted, strict=True))
    signs = {}
    for encoder in list(LOSSES)[1:]:
        pair = frozenset(("mse_alone", encoder))
        assert (BASE - LOSSES[encoder]).mean() < best.mean()
        signs[encoder] = "*" * bool(p[pair] < 0.05) + "†" * bool(holm[pair] < 0.05)
    assert signs == {"chess": "*", "vgg16_imagenet": "*†", "scratch": "*†"}
    labels = {"chess": "CheSS", "vgg16_imagenet": "VGG-16 (ImageNet)", "scratch": "Scratch"}
    for encoder, label in labels.items():
        assert shown(inversion, label)["calibrated", "PSNR"].marks == signs[encoder]


def test_the_notes_call_the_test_what_it_is(inversion: Grid) -> None:
    for sign in "*†":
        (note,) = [note for note in inversion.notes if note.startswith(sign)]
        assert "paired t-test over images, clustered by patient" in note
        assert "replicates" not in note.replace("another replicate", "")
    assert not any("not in this version" in note or "stay blank" in note for note in inversion.notes)


def test_a_metric_that_needs_a_file_is_unavailable_and_says_what_it_needs(inversion: Grid) -> None:
    cell = shown(inversion, "CheSS")["calibrated", "LPIPS"]
    assert (cell.value, cell.text, cell.count, cell.best) == (None, "unavailable", "", False)
    (note,) = [note for note in inversion.notes if note.startswith("unavailable")]
    assert note.startswith("unavailable: LPIPS needs two files of yours (--set lpips.backbone=FILE")
    empty = paper_table(layout_of("ifa-10"), [], tasks.names())
    assert not any(note.startswith("unavailable") for note in empty.notes)
    assert shown(empty, "CheSS")["calibrated", "LPIPS"].text == ""


def test_a_failed_image_is_left_out_of_pairs_and_of_its_own_mean(tmp_path: Path) -> None:
    for encoder, failed in (("mse_alone", [0]), ("scratch", [])):
        put(
            tmp_path,
            images(BASE - LOSSES[encoder], failed),
            task="gan_inversion",
            encoder=encoder,
            variant="calibrated",
            dataset={"name": "vindr"},
        )
    grid = paper_table(layout_of("ifa-10"), list(Store(tmp_path).records()), tasks.names(), comparing(tmp_path))
    assert shown(grid, "MSE alone")["calibrated", "PSNR"].value == pytest.approx(BASE[1:].mean())
    assert shown(grid, "Scratch")["calibrated", "PSNR"].value == pytest.approx((BASE - LOSSES["scratch"]).mean())
    assert shown(grid, "Scratch")["calibrated", "PSNR"].marks == "*†"


def test_the_papers_rank_is_quoted_and_its_body_stays_blank() -> None:
    grid = paper_table(layout_of("ifa-10"), [], tasks.names(), choice=Choice(published=True))
    published = [column for column in grid.columns if column.published]
    assert {column.group for column in published} == {"raw, as the papers, published"}
    assert "From the paper's text: SimCLR: rank on PSNR, SSIM, RMSE 1, p < 0.001." in grid.notes


def test_encoders_that_the_paper_does_not_have_stand_below(tmp_path: Path) -> None:
    given = {"variant": "raw", "settings_hash": "raw", "dataset": {"name": "vindr"}}
    mine = put(tmp_path, images(BASE + 1), task="gan_inversion", encoder="mine", **given)
    grid = paper_table(layout_of("ifa-10"), [*inverted(tmp_path, ["raw"]), mine], tasks.names(), comparing(tmp_path))
    assert (grid.rows[-1].group, grid.rows[-1].label) == ("other encoders", "mine")
    assert shown(grid, "mine")["raw, as the papers", "PSNR"].best


BONES = {"calibrated": "bone suppression, calibrated", "raw": "bone suppression, raw"}


def suppressed(encoder: str, psnr: float, variant: str, replicates: int = 5) -> list[Record]:
    return [
        record(
            encoder=encoder,
            task="bone_suppression",
            variant=variant,
            fraction=100.0,
            replicate=number,
            fingerprint=f"{encoder}{variant}{number}",
            settings_hash=f"bones {variant}",
            metrics={"psnr": psnr + number, "ssim": 0.9, "rmse": 50 - psnr - number, "lpips": None},
        )
        for number in range(replicates)
    ]


def generated(encoder: str, frechet: float, variant: str, fid: float | None = None) -> Record:
    return record(
        encoder=encoder,
        task="nodule_generation",
        variant=variant,
        fraction=100.0,
        settings_hash=f"nodules {variant}",
        metrics={"frechet": frechet, "fid": fid},
    )


def test_chess_abstract_stands_beside_the_raw_losses_as_printed() -> None:
    grid = paper_table(
        layout_of("chess"), suppressed("chess", 30.0, "raw"), tasks.names(), None, Choice(published=True)
    )
    found = {
        (row.label, column.group.removesuffix(", published"), column.title): f"{entry.value:.{entry.decimals}f}"
        for row in grid.rows
        for column, entry in zip(grid.columns, row.entries, strict=True)
        if column.published and entry.value is not None
    }
    with (FOLDER / "chess_abstract.csv").open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["protocol"] == "perceptual loss"]
    label = {
        "ImageNet pretrained": "ImageNet",
        "CheSS": "CheSS",
        "baseline (not named in abstract)": "Baseline of the abstract (not named)",
    }
    group = {"bone suppression (perceptual loss)": "bone suppression, raw", "nodule generation": "nodules, raw"}
    wanted = {(label[line["model"]], group[line["dataset"]], line["metric"]): line["value"] for line in lines}
    assert found == wanted
    assert len(wanted) == 8
    assert found["CheSS", "nodules, raw", "FID"] == "17.07"
    assert grid.title.endswith("(as CheSS)")
    ours = shown(grid, "CheSS")["bone suppression, raw", "PSNR"]
    assert (ours.value, ours.published, ours.best) == (32.0, False, False)


def test_directions_and_blanks_of_chess() -> None:
    records = [
        *suppressed("mse_alone", 31.0, "calibrated"),
        *suppressed("chess", 30.0, "calibrated"),
        generated("chess", 2.0, "calibrated", fid=20.0),
        generated("scratch", 3.0, "calibrated"),
    ]
    grid = paper_table(layout_of("chess"), records, tasks.names())
    chess, alone = shown(grid, "CheSS"), shown(grid, "MSE alone")
    assert (alone[BONES["calibrated"], "PSNR"].best, alone[BONES["calibrated"], "RMSE"].best) == (True, True)
    assert chess["nodules, calibrated", "Fréchet"].best
    assert shown(grid, "Scratch")["nodules, calibrated", "Fréchet"].second
    assert shown(grid, "Scratch")["nodules, calibrated", "FID"].text == "unavailable"
    assert chess["nodules, calibrated", "FID"].value == 20.0
    told = [note.split(" needs ")[0] for note in grid.notes if note.startswith("unavailable")]
    assert told == ["unavailable: LPIPS", "unavailable: FID"]
    assert grid.synthetic
    assert any("Synthetic phantom data: bone_suppression, nodule_generation." in note for note in grid.notes)


def test_chess_is_decided_over_replicates_that_differ_by_their_seeds() -> None:
    records = [
        each
        for encoder, psnr in (("chess", 31.0), ("scratch", 30.0))
        for each in (*suppressed(encoder, psnr, "raw"), generated(encoder, 40 - psnr, "raw"))
    ]
    grid = paper_table(layout_of("chess"), records, tasks.names(), fake({("chess", "scratch", "paired t"): 0.01}))
    assert shown(grid, "Scratch")["bone suppression, raw", "PSNR"].marks == "†"
    (note,) = [note for note in grid.notes if note.startswith(("*", "†"))]
    assert note.startswith("† worse than the best encoder of the column, p < 0.05 after Holm over all pairs")
    assert "paired t-test over replicates (all of one training pool and test set, for which alone it holds" in note


def test_one_replicate_earns_no_sign_because_two_trained_networks_are_no_two_losses(tmp_path: Path) -> None:
    records = [
        put(
            tmp_path,
            images(BASE - LOSSES[encoder]),
            task="bone_suppression",
            encoder=encoder,
            variant="calibrated",
            dataset={"name": "bse_jsrt"},
        )
        for encoder in ("chess", "scratch")
    ]
    grid = paper_table(layout_of("chess"), records, tasks.names(), comparing(tmp_path))
    cell = shown(grid, "Scratch")["bone suppression, calibrated", "PSNR"]
    assert (cell.marks, cell.count) == ("", "1/5")
    assert not [note for note in grid.notes if note.startswith("†") and "over images" in note]
    (note,) = [note for note in grid.notes if note.startswith("Not all of these tests were made")]
    assert "psnr at 100 %" in note


@pytest.mark.parametrize("name", ["ifa-10", "chess"])
@pytest.mark.parametrize("form", ["csv", "latex", "markdown"])
def test_every_form_has_the_tables(name: str, form: str) -> None:
    records = [*suppressed("chess", 30.0, "raw"), generated("chess", 2.0, "raw")]
    grid = paper_table(layout_of(name), records, tasks.names(), choice=Choice(published=True))
    text = render([grid], form)
    assert "CheSS" in text
    if name == "chess":
        assert "37.77" in text
        assert "SYNTHETIC" in text or form == "csv"
