"""`cxrbench pretrain` as a user types it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cxrbench.bench.cli import main
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.method import Method
from cxrbench.pretrain.running import pretraining as module

from ..pretrain.pretraining_cases import in_a_child, same_weights, tiny_arch
from .conftest import command

__all__ = ["tiny_arch"]

# 32 frontal and lateral images of 40 are for training; the others are tested on.
DATA = "phantom:n=40,size=32"
SMALL = (
    *("--data", DATA, "--arch", "tiny", "--image-size", 32, "--batch-size", 8, "--epochs", 2),
    *("--set", "training.precision=float32"),
)
Said = Callable[..., tuple[int, str, str]]

PLUGIN = '''
"""A method of a user's own."""

from __future__ import annotations

from cxrbench.pretrain.method import Method, images
from cxrbench.pretrain.method_card import MethodCard, MethodSource, methods


class Length(Method):
    def forward(self, batch):
        embedding = self.encoder(images(batch["one"]))
        self.watched = embedding.detach()
        return {"loss": embedding.square().mean()}


CARD = MethodCard(title="shorter", source="none", builds="Length", loss=("L = z.z",), shapes="[B, D]", views="moco")
methods.register("length", MethodSource(CARD, lambda: Length))
'''


@pytest.fixture
def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, cache: Path, tiny_arch: str
) -> Said:
    """Run `cxrbench pretrain` in this process: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cxrbench", "pretrain", *map(str, arguments), "--cache", str(cache)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return code, output.out, output.err

    return run


def test_a_pretrained_folder_is_an_encoder_and_a_start(said: Said, tmp_path: Path) -> None:
    code, out, err = said("--method", "moco_v2", *SMALL, "--set", "method.queue=32", "--out", "first", "--name", "own")
    assert code == 0, err
    assert "(synthetic phantom data)" in out
    assert "use it: cxrbench run --encoder first" in out
    assert "left out, because tasks test on them" in err
    assert "synthetic phantoms" in load_encoder(str(tmp_path / "first")).meta.trained_on
    start = ("--method", "moco_v2", *SMALL, "--set", "method.queue=32", "--init", "first")
    code, _, err = said(*(each for each in start if each not in ("--arch", "tiny")), "--ifa", 3, "--out", "second")
    assert code == 0, err
    assert "besides the encoder taken: " in err
    assert (tmp_path / "second" / "encoder.toml").exists()
    code, out, _ = said(*start[:-2], "--out", "first", "--resume")
    assert (code, out) == (0, "first: finished; nothing to do\n")


def test_what_is_wrong_is_one_line(said: Said, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[training]\nlearning_rate = 1\n")
    (tmp_path / "few").mkdir()
    cases = [
        (("--method", "mocov2"), 2, "unknown method 'mocov2'; did you mean 'moco_v2'?"),
        (("--method", "moco_v2", "--ifa", 5), 2, "there is no block 5"),
        (("--method", "vicreg", "--ifa", 3), 2, "cannot be combined with IFA"),
        (("--method", "simsiam", "--set", "training.epochs=3"), 2, "--epochs 2 and --set training.epochs=3 differ"),
        (("--method", "simsiam", "--config", "own.toml"), 2, "training.learning_rate"),
        (("--method", "simsiam", "--data", "few"), 2, "few"),
        (("--method", "simsiam", "--data", "nosuch=phantom"), 2, "nosuch"),
        (("--method", "simsiam", "--batch-size", 64), 2, "fewer than a batch of 64"),
        (("--method", "simsiam", "--include", "gone.py"), 2, "gone.py: no such file"),
        (("--method", "simsiam", "--out", "own.toml"), 2, "is a file"),
    ]
    for arguments, code, words in cases:
        found, _, err = said(*SMALL, "--out", "new", *arguments)
        lines = [line for line in err.splitlines() if line.startswith("cxrbench: ")]
        assert (found, len(lines)) == (code, 1), err
        assert words in lines[0]
        assert not (tmp_path / "new").exists()


def test_test_images_among_them_are_refused_or_marked(said: Said, tmp_path: Path, chexpert: Path) -> None:
    given = ("--method", "simsiam", *SMALL[2:], "--data", chexpert, "--epochs", 1, "--batch-size", 16)
    code, _, err = said(*given, "--out", "a")
    assert code == 1
    assert "test images of chexpert" in err
    assert "--allow-contamination" in err
    code, _, err = said(*given, "--out", "a", "--allow-contamination")
    assert code == 0, err
    assert load_encoder(str(tmp_path / "a")).meta.contamination == ("chexpert",)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(said: Said, tmp_path: Path) -> None:
    code, out, err = said("--method", "moco_v2", *SMALL, "--set", "method.queue=32", "--out", "new", "--dry-run")
    assert code == 0, err
    assert "training.batch_size = 8    # set" in out
    assert 'views.preset = "ifa"    # CheSS' in out
    assert "steps an epoch" in out
    assert "parameters" in out
    assert "about " in out
    assert not (tmp_path / "new").exists()


def test_a_method_of_the_users_own_is_pretrained_with(said: Said, tmp_path: Path) -> None:
    (tmp_path / "length.py").write_text(PLUGIN)
    code, out, err = said("--include", "length.py", "--method", "length", *SMALL, "--out", "a")
    assert code == 0, err
    assert "length on" in out


def test_ctrl_c_ends_it_with_its_exit_code(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("--method", "simsiam", *SMALL)
    said(*given, "--out", "whole")
    before = module.after_step

    def after(network: Method, step: int, steps: int) -> None:
        before(network, step, steps)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(module, "after_step", after)
        assert in_a_child(lambda: sys.exit(said(*given, "--out", "cut")[0])) == 130
    assert (tmp_path / "cut" / "checkpoint.pt").exists()
    assert said(*given, "--out", "cut")[0] == 2
    assert said(*given, "--out", "cut", "--resume")[0] == 0
    assert same_weights(tmp_path / "cut", tmp_path / "whole")


def test_sigterm_ends_the_command_itself(tmp_path: Path, cache: Path) -> None:
    given = ("pretrain", "--method", "simsiam", "--data", DATA, "--arch", "timm:test_resnet", "--image-size", 32)
    given = (*given, "--set", "method.projection=16", "--epochs", 10000, "--batch-size", 8, "--cache", cache)
    process = subprocess.Popen(command(*given, "--out", "out"), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    # The log begins with the first step.
    while not (tmp_path / "out" / "log.csv").exists() and process.poll() is None:
        time.sleep(0.1)
    process.terminate()
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 143, err
    assert "stopped as asked after" in err
    assert (tmp_path / "out" / "checkpoint.pt").exists()
