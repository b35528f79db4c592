"""TensorBoard and Weights & Biases: what is written, and what is said where they are not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.watching.logger import Extra, Logger, open_loggers, refuse_absent


def _open(extras: tuple[Extra, ...], folder: Path, first: int = 0) -> list[Logger]:
    return open_loggers(
        extras,
        folder,
        first,
        title="mine",
        about={"method": "simsiam"},
        wandb_mode="offline",
        wandb_project="cxrbench",
        wandb_identity="abc",
    )


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_an_absent_package_is_asked_for_with_the_command_that_installs_it(name: Extra, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"watch\.loggers asks for {name}.*pip install 'cxrbench\[{name}\]'"):
        refuse_absent([name])


def test_without_extras_there_is_the_csv_file_alone(tmp_path: Path):
    for logger in _open((), tmp_path):
        logger.log(0, {"loss": 1.0})
        logger.close()
    assert [each.name for each in tmp_path.iterdir()] == ["log.csv"]


def test_tensorboard_reads_each_step_once_after_a_kill(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for first, last in ((0, 9), (5, 12)):
        _, board = _open(("tensorboard",), tmp_path, first)
        for step in range(first, last):
            board.log(step, {"loss": step / 2 + first, "probe_auc": None})
        board.close()
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert found.Tags()["scalars"] == ["loss"]
    scalars = found.Scalars("loss")
    assert [each.step for each in scalars] == list(range(12))
    assert scalars[6].value == 8.0


class _FakeWandb(SimpleNamespace):
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        super().__init__(asked={}, lines=[], finished=False)

    def Settings(self, **settings: Any) -> dict[str, Any]:  # noqa: N802
        return settings

    def init(self, **asked: Any) -> _FakeWandb:
        self.asked = asked
        return self

    def log(self, values: dict[str, float], step: int) -> None:
        self.lines.append((step, values))

    def finish(self) -> None:
        self.finished = True


def test_wandb_is_offline_unless_asked_and_goes_on_with_its_own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake = _FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setenv("WANDB_MODE", "online")
    _, run = _open(("wandb",), tmp_path, 5)
    run.log(5, {"loss": 1.0, "probe_auc": None})
    run.close()
    assert fake.asked["mode"] == "offline"
    assert (fake.asked["id"], fake.asked["resume"], fake.asked["dir"]) == ("abc", "allow", str(tmp_path))
    assert (fake.asked["name"], fake.asked["config"]) == ("mine", {"method": "simsiam"})
    assert fake.lines == [(5, {"loss": 1.0})]
    assert fake.finished


def test_wandb_offline_writes_files_and_nothing_else(tmp_path: Path):
    pytest.importorskip("wandb")
    _, run = _open(("wandb",), tmp_path)
    run.log(0, {"loss": 1.0})
    run.close()
    assert list(tmp_path.glob("wandb/offline-run-*-abc/*.wandb"))
