"""What a training shows and keeps: the note, the log, the history, the warning."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import Method
from cxrbench.pretrain.watching import watch as watch_module
from cxrbench.pretrain.watching.watch import Watch, WatchSettings
from cxrbench.training.loop import fit
from cxrbench.training.observer import StepReport
from cxrbench.training.settings import TrainingSettings

from ..method_cases import SIZE, build

BATCH = 16


class _Probe:
    """Stands for an OnlineProbe."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def auc(self, encoder: nn.Module, size: int) -> float:
        self.asked.append(size)
        return 0.75


def _report(step: int, steps: int = 25, per_epoch: int = 5) -> StepReport:
    terms = {"loss": torch.tensor(1.0 / (step + 1)), "ifa_3": torch.tensor(0.5)}
    return StepReport(step, steps, step // per_epoch, 0.1, terms, images=8, seconds=0.5, waiting=0.06)


def _method(seed: int = 0) -> Method:
    method = build("simsiam", 8, seed=seed)
    method.watched = torch.randn(8, 16, generator=torch.Generator().manual_seed(seed))
    return method


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_note_is_spread_and_waiting_and_stays_between_looks():
    watch, method = Watch(WatchSettings(every=10)), _method()
    note = watch.after_step(method, _report(0))
    assert note == "sd 0.99, rank 8/8, 12 % waiting"
    method.watched = torch.ones(8, 16)
    assert watch.after_step(method, _report(1)) == note
    for step in range(2, 11):
        note = watch.after_step(method, _report(step))
    assert note == "sd 0.00, rank 1/8, 12 % waiting"


def test_the_log_has_a_line_every_so_many_steps_and_at_the_ends_of_epochs(tmp_path: Path):
    watch, method = Watch(WatchSettings(every=4), tmp_path), _method()
    watch.probe = _Probe()  # type: ignore[assignment]
    history = []
    for step in range(10):
        watch.after_step(method, _report(step, steps=10))
        if step % 5 == 4:
            row = {"epoch": float(step // 5 + 1), "loss": 1.0}
            watch.after_epoch(method, row)
            history.append(row)
    rows = _rows(tmp_path)
    assert [row["step"] for row in rows] == ["0", "4", "8", "9"]
    assert list(rows[0]) == [
        *("step", "epoch", "lr", "loss", "ifa_3", "images_per_second", "waiting"),
        *("feature_sd", "feature_rank", "projection_sd", "projection_rank", "probe_auc"),
    ]
    assert [row["epoch"] for row in rows] == ["1", "1", "2", "2"]
    assert [row["probe_auc"] for row in rows] == ["", "0.75", "", "0.75"]
    assert [row["loss"] for row in rows] == ["1", "0.2", "0.111111", "0.1"]
    assert {row["images_per_second"] for row in rows} == {"16"}
    assert {row["waiting"] for row in rows} == {"0.12"}
    assert {row["projection_rank"] for row in rows} == {rows[0]["projection_rank"]}
    assert history[1]["probe_auc"] == 0.75
    assert history[1]["collapsed"] == 0.0
    assert history[1]["projection_sd"] == pytest.approx(float(rows[0]["projection_sd"]), rel=1e-5)


def test_the_probe_runs_as_often_as_asked_and_at_the_end_at_the_size_of_the_views():
    watch, method, probe = Watch(WatchSettings(probe_every=3)), _method(), _Probe()
    watch.probe = probe  # type: ignore[assignment]
    rows: list[dict[str, float]] = []
    for step in range(5):
        watch.after_step(method, _report(step, steps=5, per_epoch=1))
        rows.append({"epoch": step + 1.0})
        watch.after_epoch(method, rows[-1])
    assert [row.get("probe_auc") for row in rows] == [None, None, 0.75, None, 0.75]
    assert probe.asked == [SIZE, SIZE]
    assert watch.after_step(method, _report(0)).endswith("probe AUC 0.750")


@pytest.mark.parametrize("kept_at", [0, 3, 4, 6, 9])
@pytest.mark.parametrize("in_epoch", [False, True])
def test_killed_and_resumed_the_log_is_that_of_one_try(tmp_path: Path, kept_at: int, in_epoch: bool):
    """The checkpoint is of step `kept_at`, before or after the epoch's end where it is one; the kill comes later."""

    def steps(watch: Watch, first: int, last: int, state_at: int = -1) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for step in range(first, last):
            watch.after_step(_method(step), _report(step))
            if step == state_at:
                state = watch.state()
            if step % 5 == 4:
                watch.after_epoch(_method(step), {"epoch": step // 5 + 1.0})
                if step == state_at and not in_epoch:
                    state = watch.state()
        return state

    def fresh(folder: Path) -> Watch:
        watch = Watch(WatchSettings(every=3), folder)
        watch.probe = _Probe()  # type: ignore[assignment]
        return watch

    steps(fresh(tmp_path / "whole"), 0, 25)
    state = steps(fresh(tmp_path / "killed"), 0, 13, kept_at)
    torch.save(state, tmp_path / "state")
    again = fresh(tmp_path / "killed")
    again.restore(torch.load(tmp_path / "state", weights_only=True))
    if in_epoch and kept_at % 5 == 4:
        again.after_epoch(_method(kept_at), {"epoch": kept_at // 5 + 1.0})
    steps(again, kept_at + 1, 25)
    whole, resumed = _rows(tmp_path / "whole"), _rows(tmp_path / "killed")
    # Features are caught in a step that was not made here.
    assert resumed == whole
    assert len({row["step"] for row in resumed}) == len(resumed)


def test_a_resumed_log_loses_later_lines_even_where_it_now_has_fewer(tmp_path: Path):
    method, often = _method(), Watch(WatchSettings(every=1), tmp_path)
    for step in range(5):
        often.after_step(method, _report(step))
    state = often.state()
    for step in range(5, 10):
        often.after_step(method, _report(step))
    seldom = Watch(WatchSettings(every=10), tmp_path)
    seldom.restore(state)
    for step in range(5, 12):
        seldom.after_step(method, _report(step))
    assert [row["step"] for row in _rows(tmp_path)] == ["0", "1", "2", "3", "4", "10"]


def test_only_the_first_process_looks_writes_and_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch_module, "rank", lambda: 1)
    watch, method = Watch(WatchSettings(every=1), tmp_path), _method()
    watch.probe = _Probe()  # type: ignore[assignment]
    assert watch.after_step(method, _report(0)) == ""
    row = {"epoch": 1.0}
    watch.after_epoch(method, row)
    assert row == {"epoch": 1.0}
    assert list(tmp_path.iterdir()) == []


def test_it_travels_to_another_process(tmp_path: Path):
    watch = pickle.loads(pickle.dumps(Watch(WatchSettings(every=1), tmp_path, title="mine", about={"lr": 0.1})))
    watch.after_step(_method(), _report(0))
    watch.close()
    assert len(_rows(tmp_path)) == 1


def test_settings_are_checked_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="pip install"):
        Watch(WatchSettings(loggers=("wandb",)))
    with pytest.raises(ValueError, match="loggers"):
        WatchSettings(loggers=("mlflow",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="every"):
        WatchSettings(every=0)


class _Views:
    """Two views of images with one random pattern each: 4 batches an epoch."""

    def __init__(self, n: int = 4 * BATCH):
        generator = torch.Generator().manual_seed(0)
        coarse = torch.rand(n, 1, 4, 4, generator=generator)
        self.images = nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")[:, 0] * 200

    def __call__(self, epoch: int, first: int = 0) -> Iterator[dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(epoch)
        places = torch.randperm(len(self.images), generator=generator).split(BATCH)
        for place in places[first:]:
            yield {view: self._view(place, 2 * epoch + number) for number, view in enumerate(("one", "two"))}

    def _view(self, place: Tensor, seed: int) -> Tensor:
        """Shifted, of another contrast and brightness, and noisy: easier to agree on by saying nothing."""
        generator = torch.Generator().manual_seed(seed)
        shift = torch.randint(-10, 11, (2,), generator=generator).tolist()
        contrast, brightness = torch.rand(2, len(place), 1, 1, generator=generator)
        noise = 10 * torch.randn(len(place), SIZE, SIZE, generator=generator)
        shifted = torch.roll(self.images[place], shift, (1, 2))
        return (shifted * (0.6 + 0.8 * contrast) + 100 * (brightness - 0.5) + noise).clamp(0, 255).to(torch.uint8)


def _loss(network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return network(batch)


def _train(folder: Path, epochs: int, **options: Any) -> list[dict[str, float]]:
    settings = TrainingSettings(
        optimiser="sgd", lr=0.1, batch_size=BATCH, epochs=epochs, precision="float32", device="cpu"
    )
    method = build("simsiam", BATCH, stop_gradient=options.pop("stop_gradient", True))
    watch = Watch(WatchSettings(every=4), folder)
    return fit(method, _loss, _Views(), 4, settings, seed=0, observer=watch, **options).rows


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_simsiam_without_its_stopped_gradient_is_noticed_within_tens_of_steps(
    stop_gradient: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    history = _train(tmp_path, 15, stop_gradient=stop_gradient)
    said = capfd.readouterr().err
    assert history[-1]["collapsed"] == (not stop_gradient)
    assert ("the projections are collapsing" in said) is not stop_gradient
    assert said.count("collapsing") == (not stop_gradient)
    ranks = [float(row["projection_rank"]) for row in _rows(tmp_path)]
    assert ranks[0] > 6
    assert (ranks[-1] < 2) is not stop_gradient


def test_features_are_measured_in_training(tmp_path: Path):
    _train(tmp_path, 3)
    rows = _rows(tmp_path)
    # Before the first step nobody knows that there will be one; an epoch's last step is only then known to be one.
    assert [row["step"] for row in rows if row["feature_rank"] == ""] == ["0", "3", "7"]
    assert all(1 <= float(row["feature_rank"]) <= 16 for row in rows if row["feature_rank"])


def test_a_stopped_training_goes_on_in_its_log(tmp_path: Path):
    told = iter([False] * 5 + [True] * 100)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    expected = _train(whole, 4)
    with pytest.raises(UserError):
        _train(stopped, 4, checkpoint=tmp_path / "state", stop=lambda: next(told))
    resumed = _train(stopped, 4, checkpoint=tmp_path / "state")
    timed = ("images_per_second", "waiting", "feature_sd", "feature_rank")
    assert [{k: v for k, v in row.items() if k not in timed} for row in _rows(stopped)] == [
        {k: v for k, v in row.items() if k not in timed} for row in _rows(whole)
    ]
    assert [row["projection_sd"] for row in resumed] == [row["projection_sd"] for row in expected]
