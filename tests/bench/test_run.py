"""Whole runs on a phantom: repeatable, resumable, paired."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxrbench.results import Record, Store

from .conftest import SMALL, Cli

GRID = (*SMALL, "--fractions", "10,50,100", "--replicates", "2", "--protocol", "frozen")


def scores(store: Path) -> dict[str, bytes]:
    """Bytes of all scores by the place of the trial."""
    found = Store(store)
    return {
        str(record.place): np.stack(found.predictions(record).table["scores"].to_list()).tobytes()
        for record in found.records()
    }


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory, chexpert: Path, cache: Path) -> Path:
    """A finished grid of six frozen trials."""
    from cxrbench.bench.config import run_config
    from cxrbench.bench.plan import make_plan
    from cxrbench.bench.runner import Runner
    from cxrbench.foundation.progress import SilentProgress

    path = tmp_path_factory.mktemp("store")
    given = {
        "encoders": ("resnet18_scratch",),
        "tasks": ("chexpert",),
        "data": {"*": str(chexpert)},
        "store": path,
        "cache": cache,
        "fractions": (10.0, 50.0, 100.0),
        "replicates": 2,
        "protocol": "frozen",
    }
    config = run_config(given, ["image_size=32"], Path("/dev/null"))
    plan = make_plan(config, Store(path), SilentProgress())
    assert Runner(Store(path), cache, SilentProgress()).run(plan) == []
    return path


def records(store: Path) -> list[Record]:
    return list(Store(store).records())


def test_every_cell_of_the_grid_has_a_record_labelled_synthetic(grid: Path) -> None:
    cells = {(record.fraction, record.replicate) for record in records(grid)}
    assert cells == {(fraction, replicate) for fraction in (10, 50, 100) for replicate in (0, 1)}
    assert all(record.synthetic for record in records(grid))


def test_predictions_have_one_row_a_test_image(grid: Path, chexpert: Path) -> None:
    from cxrbench.data import load

    samples = load("chexpert", chexpert).samples
    frontal = samples[(samples["split"] == "test") & (samples["view"] == "frontal")]
    for record in records(grid):
        assert set(Store(grid).predictions(record).table["sample_id"]) == set(frontal["sample_id"])


def test_the_same_command_runs_nothing_again(grid: Path, chexpert: Path, cache: Path, cli: Cli) -> None:
    before = {path: path.stat().st_mtime_ns for path in grid.rglob("*") if path.is_file()}
    done = cli("run", *GRID, "--data", chexpert, "--store", grid, "--cache", cache)
    assert (done.returncode, "nothing to run" in done.stderr) == (0, True)
    assert before == {path: path.stat().st_mtime_ns for path in grid.rglob("*") if path.is_file()}


def test_one_replicate_alone_equals_the_one_of_the_grid(
    grid: Path, chexpert: Path, cache: Path, cli: Cli, tmp_path: Path
) -> None:
    whole = scores(grid)
    lost = next(place for place in whole if "/50/1-" in place)
    shutil.copytree(grid, tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / lost)
    done = cli("run", *GRID, "--data", chexpert, "--store", tmp_path / "store", "--cache", cache)
    assert (done.returncode, "1 trial done" in done.stderr) == (0, True)
    assert scores(tmp_path / "store") == whole


def test_a_new_cache_and_another_place_of_the_data_give_bit_equal_scores(
    grid: Path, chexpert: Path, cli: Cli, tmp_path: Path
) -> None:
    shutil.copytree(chexpert, tmp_path / "moved")
    done = cli("run", *GRID, "--data", tmp_path / "moved", "--store", tmp_path / "store", "--cache", tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path / "store") == scores(grid)


def test_a_changed_setting_is_another_trial_and_keeps_the_old_one(
    grid: Path, chexpert: Path, cache: Path, cli: Cli, tmp_path: Path
) -> None:
    shutil.copytree(grid, tmp_path / "store")
    one = (*SMALL, "--fractions", "100", "--replicates", "1", "--protocol", "frozen")
    done = cli(
        "run", *one, "--set", "probe.folds=3", "--data", chexpert, "--store", tmp_path / "store", "--cache", cache
    )
    assert done.returncode == 0, done.stderr
    hundred = [record for record in records(tmp_path / "store") if record.fraction == 100 and record.replicate == 0]
    assert sorted(record.settings["probe"]["folds"] for record in hundred) == [3, 5]
    assert set(scores(grid)) < set(scores(tmp_path / "store"))
    # A table never mixes the two.
    shown = cli("table", "--store", tmp_path / "store")
    assert shown.returncode == 1
    assert re.search(r"probe\.folds \((3 / 5|5 / 3)\)", shown.stderr)


def test_what_only_fine_tuning_uses_does_not_rerun_frozen_trials(
    grid: Path, chexpert: Path, cache: Path, cli: Cli
) -> None:
    done = cli("run", *GRID, "--set", "training.lr=0.5", "--data", chexpert, "--store", grid, "--cache", cache)
    assert "nothing to run" in done.stderr
    assert "note: training.lr has no effect with --protocol frozen" in done.stderr


def test_a_dry_run_shows_the_plan_and_writes_nothing(chexpert: Path, cache: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("run", *GRID, "--data", chexpert, "--store", tmp_path / "store", "--cache", cache, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "10 x 2, 50 x 2, 100 x 2" in done.stdout
    assert "6 of 6 trials to run" in done.stdout
    assert not (tmp_path / "store").exists()


def test_fine_tuning_is_repeatable_and_jobs_change_nothing_but_speed(
    chexpert: Path, cache: Path, cli: Cli, tmp_path: Path
) -> None:
    tune = (*SMALL, "--protocol", "finetune", "--fractions", "50", "--replicates", "2", "--data", chexpert)
    tune = (*tune, "--set", "training.epochs=2", "--set", "training.batch_size=16", "--cache", cache)
    for name, jobs in (("one", 1), ("again", 1), ("two", 2)):
        done = cli("run", *tune, "--store", tmp_path / name, "--jobs", jobs)
        assert done.returncode == 0, done.stderr
    assert len(scores(tmp_path / "one")) == 2
    assert scores(tmp_path / "one") == scores(tmp_path / "again")
    assert set(scores(tmp_path / "two")) == set(scores(tmp_path / "one"))
    record = records(tmp_path / "one")[0]
    assert record.resolved["best_epoch"] in (1, 2)
    assert len((tmp_path / "one" / record.place / "history.csv").read_text().splitlines()) == 3
    assert not (tmp_path / "two" / ".partial").exists()


def test_compare_shows_paired_differences_and_refuses_other_test_sets(
    grid: Path, chexpert: Path, cache: Path, cli: Cli, tmp_path: Path
) -> None:
    shutil.copytree(grid, tmp_path / "store")
    other = ("--encoder", "scratch", *SMALL[2:], "--fractions", "100", "--replicates", "2", "--data", chexpert)
    assert cli("run", *other, "--store", tmp_path / "store", "--cache", cache).returncode == 0
    shown = cli("compare", "resnet18_scratch", "scratch", "--task", "chexpert", "--store", tmp_path / "store")
    assert shown.returncode == 0, shown.stderr
    assert "2 replicates" in shown.stdout
    assert "SYNTHETIC" in shown.stdout
    both = [record for record in records(tmp_path / "store") if record.fraction == 100]
    mean = {
        name: np.mean([r.metrics["auc"] or 0.0 for r in both if r.encoder == name])
        for name in ("resnet18_scratch", "scratch")
    }
    assert f"{mean['resnet18_scratch'] - mean['scratch']:+.4f}" in shown.stdout
