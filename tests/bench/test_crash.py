"""Kills, interruptions and two runs at once: nothing lost, nothing twice, nothing half-written."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from cxrbench.results import Store

from .conftest import SMALL, Cli, command
from .test_run import scores

GRID = (*SMALL, "--fractions", "20,100", "--replicates", "2", "--set", "training.epochs=1")
KILLS = 3


def start(tmp_path: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("run", *arguments), cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_kill_9_at_random_moments_changes_nothing_in_the_end(chexpert: Path, cli: Cli, tmp_path: Path) -> None:
    for protocol in ("frozen", "finetune"):
        given = (*GRID, "--protocol", protocol, "--data", chexpert)
        whole = cli("run", *given, "--store", tmp_path / "whole", "--cache", tmp_path / "cache-1")
        assert whole.returncode == 0, whole.stderr
    began = time.monotonic()
    rng = random.Random(4)
    for protocol in ("frozen", "finetune"):
        given = (*GRID, "--protocol", protocol, "--data", chexpert)
        cut = (*given, "--store", tmp_path / "cut", "--cache", tmp_path / "cache-2")
        for _ in range(KILLS):
            process = start(tmp_path, *cut)
            time.sleep(rng.uniform(2, 8))
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            assert all(Store(tmp_path / "cut").has(record.place) for record in Store(tmp_path / "cut").records())
        done = cli("run", *cut)
        assert done.returncode == 0, done.stderr
    assert scores(tmp_path / "cut") == scores(tmp_path / "whole")
    assert not (tmp_path / "cut" / ".partial").exists(), f"after {time.monotonic() - began:.0f} s"


def test_two_runs_at_once_share_the_work(chexpert: Path, tmp_path: Path) -> None:
    given = (*GRID, "--protocol", "frozen", "--data", chexpert)
    given = (*given, "--store", tmp_path / "store", "--cache", tmp_path / "cache")
    both = [start(tmp_path, *given) for _ in range(2)]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    records = list(Store(tmp_path / "store").records())
    assert len(records) == len({record.fingerprint for record in records}) == 4
    assert len(list((tmp_path / "cache" / "images").glob("*/values.npy"))) == 1
    assert len(list((tmp_path / "cache" / "features").glob("*/values.npy"))) == 1


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(chexpert: Path, cache: Path, tmp_path: Path) -> None:
    slow = (*SMALL, "--protocol", "finetune", "--fractions", "100", "--replicates", "2", "--data", chexpert)
    slow = (*slow, "--set", "training.epochs=500", "--set", "training.patience=0")
    process = start(tmp_path, *slow, "--store", tmp_path / "store", "--cache", cache)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("2 trials"):
            break
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "interrupted; 0 of 2 trials are in" in said
    assert "the same command goes on" in said
    assert "Traceback" not in said
