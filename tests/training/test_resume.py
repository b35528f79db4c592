"""A training that was interrupted anywhere ends as one that was not."""

from __future__ import annotations

import math
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxrbench.foundation.errors import UserError
from cxrbench.training import (
    BatchLoader,
    History,
    NotFiniteLossError,
    StepReport,
    StoppedError,
    StopRequest,
    TrainingSettings,
    fit,
    stop_on_sigterm,
)

EPOCHS = 3
BATCHES = 5
IMAGES = 20


class Images:
    """Prepares batches of made-up images, with a draw of the loader's generator."""

    def __init__(self, poison: tuple[int, int] | None = None) -> None:
        self.images = torch.rand(IMAGES, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        self.calls = 0

    def __call__(self, places: np.ndarray, generator: np.random.Generator) -> dict[str, Tensor]:
        self.calls += 1
        return {"one": self.images[places] * generator.uniform(0.9, 1.1), "index": torch.from_numpy(places)}


class Follower(nn.Module):
    """A network with dropout, batch statistics, and a momentum copy that only `after_step` moves."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, 2)
        )
        self.register_buffer("slow", torch.zeros(144))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        out = self.body(batch["one"] + 0.01 * torch.randn_like(batch["one"]))
        size, spread = out.square().mean(), (out.std(0) - 1).square().sum()
        return {"loss": size + spread, "size": size, "spread": spread}


def follow(network: nn.Module, step: int, steps: int) -> None:
    assert isinstance(network, Follower)
    assert int(network.steps) == step  # type: ignore[arg-type]
    assert steps == network.planned  # type: ignore[attr-defined]
    network.steps += 1  # type: ignore[operator]
    network.slow.lerp_(network.body[5].weight.detach().mean(0), 0.1)  # type: ignore[operator,union-attr,index]


class Sum:
    """An observer whose state is a sum over all steps."""

    def __init__(self) -> None:
        self.total = torch.zeros((), dtype=torch.float64)
        self.reports: list[StepReport] = []

    def after_step(self, network: nn.Module, report: StepReport) -> str:
        assert isinstance(network, Follower)
        self.total += report.terms["size"].double()
        self.reports.append(report)
        return f"sum {float(self.total):.3f}"

    def after_epoch(self, network: nn.Module, row: dict[str, float]) -> None:
        row["total"] = float(self.total)

    def state(self) -> dict[str, Any]:
        return {"total": self.total}

    def restore(self, state: dict[str, Any]) -> None:
        self.total = state["total"]


def loss(module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return module(batch)


def trained(accumulate: int = 1, **arguments: Any) -> tuple[History, dict[str, Tensor], Sum]:
    settings = TrainingSettings(
        optimiser="sgd",
        lr=0.05,
        epochs=EPOCHS,
        schedule="cosine",
        warmup_epochs=0.5,
        accumulate=accumulate,
        precision="float32",
        device="cpu",
    )
    network, observer = Follower(), Sum()
    network.planned = EPOCHS * math.ceil(BATCHES / accumulate)  # type: ignore[assignment]
    chosen: dict[str, Any] = {"after_step": follow, "observer": observer, "loss": loss}
    chosen |= {"batches": BatchLoader(Images(), IMAGES, 4, seed=1)}
    history = fit(network, n_batches=BATCHES, settings=settings, seed=7, **(chosen | arguments))
    return history, network.state_dict(), observer


def without_times(history: History) -> list[dict[str, float]]:
    timed = ("seconds", "images_per_second")
    return [{name: value for name, value in row.items() if name not in timed} for row in history.rows]


@pytest.fixture(scope="module")
def whole() -> tuple[History, dict[str, Tensor], Sum]:
    return trained()


def assert_equal(found: tuple[History, dict[str, Tensor], Sum], whole: tuple[History, dict[str, Tensor], Sum]) -> None:
    assert without_times(found[0]) == without_times(whole[0])
    assert found[0].stopped == whole[0].stopped
    different = [name for name in whole[1] if not torch.equal(found[1][name], whole[1][name])]
    assert different == []


def killed_after(steps: int) -> Callable[[nn.Module, int, int], None]:
    def after_step(network: nn.Module, step: int, all_steps: int) -> None:
        if step == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        follow(network, step, all_steps)

    return after_step


def in_a_process_of_its_own(**arguments: Any) -> int:
    process = multiprocessing.get_context("fork").Process(target=_alone, kwargs=arguments)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def _alone(**arguments: Any) -> None:
    torch.set_num_threads(1)
    trained(**arguments)


# In the middle of an epoch, with its last step done, and in the last epoch.
@pytest.mark.parametrize("steps", [2, 5, 13])
def test_killed_training_goes_on_bit_for_bit(
    steps: int, tmp_path: Path, whole: tuple[History, dict[str, Tensor], Sum]
) -> None:
    file = tmp_path / "training.pt"
    died = in_a_process_of_its_own(checkpoint=file, checkpoint_every_steps=1, after_step=killed_after(steps))
    assert died == -signal.SIGKILL
    images = Images()
    found = trained(checkpoint=file, batches=BatchLoader(images, IMAGES, 4, seed=1))
    assert_equal(found, whole)
    assert [report.step for report in found[2].reports] == list(range(steps, EPOCHS * BATCHES))
    # What was trained on is not prepared again.
    assert images.calls == EPOCHS * BATCHES - steps


def test_killed_between_checkpoints_repeats_the_steps_since(
    tmp_path: Path, whole: tuple[History, dict[str, Tensor], Sum]
) -> None:
    file = tmp_path / "training.pt"
    in_a_process_of_its_own(checkpoint=file, checkpoint_every_steps=4, after_step=killed_after(11))
    found = trained(checkpoint=file)
    assert found[2].reports[0].step == 8
    assert_equal(found, whole)


def test_batches_that_cannot_leave_any_out_are_skipped(
    tmp_path: Path, whole: tuple[History, dict[str, Tensor], Sum]
) -> None:
    file, loader = tmp_path / "training.pt", BatchLoader(Images(), IMAGES, 4, seed=1)
    in_a_process_of_its_own(checkpoint=file, checkpoint_every_steps=1, after_step=killed_after(7))
    assert_equal(trained(checkpoint=file, batches=lambda epoch: loader(epoch)), whole)


def test_accumulated_gradients_are_never_cut_apart(tmp_path: Path) -> None:
    uninterrupted = trained(accumulate=2)
    file = tmp_path / "training.pt"
    # Steps of 2, 2 and 1 batches an epoch.
    in_a_process_of_its_own(accumulate=2, checkpoint=file, checkpoint_every_steps=1, after_step=killed_after(4))
    found = trained(accumulate=2, checkpoint=file)
    assert_equal(found, uninterrupted)
    assert [report.images for report in uninterrupted[2].reports[:3]] == [8, 8, 4]
    assert found[2].reports[0].step == 4


def test_stop_writes_and_ends_with_143_and_goes_on(
    tmp_path: Path, whole: tuple[History, dict[str, Tensor], Sum]
) -> None:
    file = tmp_path / "training.pt"
    asked = iter([False] * 4 + [True])
    with pytest.raises(StoppedError, match=r"stopped as asked after 5 of 15 steps; .*training\.pt is kept") as error:
        trained(checkpoint=file, stop=lambda: next(asked))
    assert error.value.exit_code == 143
    assert_equal(trained(checkpoint=file, stop=lambda: False), whole)


def test_stop_without_a_checkpoint_says_that_nothing_is_kept() -> None:
    with pytest.raises(StoppedError, match="after 1 of 15 steps; nothing was kept"):
        trained(stop=lambda: True)


def test_sigterm_is_a_request_and_a_second_one_is_none() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_sigterm() as request:
        assert not request()
        os.kill(os.getpid(), signal.SIGTERM)
        assert request()
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


def test_request_is_seen_in_another_process() -> None:
    request = StopRequest()
    asked = multiprocessing.get_context("fork").Process(target=request.make)
    asked.start()
    asked.join()
    assert request()


class Poisoned:
    """The loss of a batch is not a number from a step on."""

    def __init__(self, step: int, value: float = math.nan):
        self.left, self.value = step, value

    def __call__(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        self.left -= 1
        terms = module(batch)
        return terms if self.left >= 0 else terms | {"loss": terms["loss"] * self.value}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_last_good_state_stays_and_is_named(
    value: float, tmp_path: Path, whole: tuple[History, dict[str, Tensor], Sum]
) -> None:
    file = tmp_path / "training.pt"
    words = r"the loss is (nan|inf) in epoch 2, step 3, .*; the last good state, after 7 steps, is in .*training\.pt"
    with pytest.raises(NotFiniteLossError, match=words):
        trained(checkpoint=file, checkpoint_every_steps=1, loss=Poisoned(7, value))
    assert_equal(trained(checkpoint=file), whole)


def test_weights_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    file = tmp_path / "training.pt"

    def spoil(network: nn.Module, step: int, steps: int) -> None:
        if step == 2:
            next(network.parameters()).data[0] = math.inf

    with pytest.raises(NotFiniteLossError, match=r"weights are no longer finite .* after 2 steps"):
        trained(checkpoint=file, checkpoint_every_steps=1, after_step=spoil)
    state = torch.load(file, weights_only=True)["state"]
    assert all(tensor.isfinite().all() for tensor in state["network"].values())


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_that_gets_full_ends_with_one_line_and_the_last_state_stays(
    tmp_path: Path, whole: tuple[History, dict[str, Tensor], Sum]
) -> None:
    file = tmp_path / "training.pt"
    in_a_process_of_its_own(checkpoint=file, checkpoint_every_steps=1, after_step=killed_after(6))
    before = file.read_bytes()
    with (
        files_no_larger_than(len(before) // 2),
        pytest.raises(UserError, match=r"cannot write .*training\.pt") as error,
    ):
        trained(checkpoint=file, checkpoint_every_steps=1)
    assert "\n" not in str(error.value)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["training.pt"]
    assert_equal(trained(checkpoint=file), whole)


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".training.pt.0123abcd").write_bytes(b"half")
    (tmp_path / ".other.pt.0123abcd").write_bytes(b"another's")
    trained(checkpoint=tmp_path / "training.pt", checkpoint_every_steps=7)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.pt.0123abcd", "training.pt"]


def test_terms_of_the_loss_stand_in_the_history_as_means(whole: tuple[History, dict[str, Tensor], Sum]) -> None:
    history, _, observer = whole
    for number, row in enumerate(history.rows):
        reports = [report for report in observer.reports if report.epoch == number]
        assert len(reports) == BATCHES
        for name in ("loss", "size", "spread"):
            assert row[name] == pytest.approx(np.mean([float(report.terms[name]) for report in reports]), rel=1e-12)
        assert row["loss"] == pytest.approx(row["size"] + row["spread"], rel=1e-6)
        assert row["lr"] == reports[-1].lr
    assert list(history.rows[0]) == ["epoch", "lr", "loss", "size", "spread", "seconds", "images_per_second", "total"]


def test_observer_is_told_what_happened(whole: tuple[History, dict[str, Tensor], Sum]) -> None:
    history, _, observer = whole
    assert [report.step for report in observer.reports] == list(range(15))
    assert {report.steps for report in observer.reports} == {15}
    assert {report.images for report in observer.reports} == {4}
    assert all(0 <= report.waiting <= report.seconds for report in observer.reports)
    assert sum(report.seconds for report in observer.reports) <= sum(row["seconds"] for row in history.rows)
    assert not observer.reports[0].terms["loss"].requires_grad
    assert history.rows[-1]["total"] == float(observer.total)


def test_term_called_as_a_column_is_an_error() -> None:
    with pytest.raises(ValueError, match="called lr"):
        trained(loss=lambda module, batch: module(batch) | {"lr": torch.ones(())})


@pytest.mark.parametrize("fault", ["cut", "other settings"])
def test_a_checkpoint_that_must_fit_is_refused_and_kept_where_it_does_not(fault: str, tmp_path: Path) -> None:
    file = tmp_path / "training.pt"
    trained(checkpoint=file, checkpoint_every_steps=2)
    words, accumulate = "is of a training with other settings; name another folder", 2
    if fault == "cut":
        file.write_bytes(file.read_bytes()[:-500])
        words, accumulate = "cannot be read", 1
    before = file.read_bytes()
    with pytest.raises(UserError, match=words) as error:
        trained(accumulate, checkpoint=file, checkpoint_must_fit=True)
    assert "\n" not in str(error.value)
    assert file.read_bytes() == before
