from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress
from cxrbench.training import BatchLoader, History, NotFiniteLossError, TrainingSettings, fit

SGD = TrainingSettings(
    optimiser="sgd", lr=0.1, momentum=0, weight_decay=0, epochs=1, patience=0, precision="float32", device="cpu"
)


class Words(SilentProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def with_(**changes: Any) -> TrainingSettings:
    return TrainingSettings(**(SGD.model_dump() | changes))


def line(weight: float = 0.0) -> nn.Linear:
    """y = w x, without an intercept."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, weight)
    return network


def squared(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return ((network(batch[0]) - batch[1]) ** 2).mean()


def batches_of(*pairs: tuple[float, float]) -> Callable[[int], list[tuple[Tensor, Tensor]]]:
    """One batch of one sample for every (x, y)."""
    return lambda epoch: [(torch.tensor([[x]]), torch.tensor([[y]])) for x, y in pairs]


def small_network() -> nn.Module:
    torch.manual_seed(5)
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(4 * 36, 1)]
    return nn.Sequential(*layers)


class Images:
    """Prepares batches of made-up images; picklable."""

    def __init__(self, n: int = 24):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(n, 1, 8, 8, generator=generator)
        self.targets = (self.images.mean(dim=(1, 2, 3)) > 0.5).float()

    def __call__(self, places: np.ndarray, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        return self.images[places], self.targets[places]


def binary(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(network(batch[0])[:, 0], batch[1])


def test_one_step_of_sgd_is_the_hand_worked_one() -> None:
    network = line(1.0)
    history = fit(network, squared, batches_of((2.0, 1.0)), 1, SGD, seed=0)
    # d/dw (2w - 1)^2 = 4 (2w - 1) = 4 at w = 1.
    assert network.weight.item() == pytest.approx(1 - 0.1 * 4)
    assert history.rows[0]["loss"] == 1.0
    assert history.rows[0]["lr"] == 0.1


def test_accumulated_batches_are_averaged_and_a_short_last_group_too() -> None:
    network = line(1.0)
    fit(network, squared, batches_of((2.0, 1.0), (1.0, 3.0), (1.0, 0.0)), 3, with_(accumulate=2), seed=0)
    # Gradients 4 and -4 cancel; then 2 w = 2 alone.
    assert network.weight.item() == pytest.approx(1 - 0.1 * 2)


def test_clipping_shortens_the_gradient_to_the_norm() -> None:
    network = line(1.0)
    fit(network, squared, batches_of((2.0, 1.0)), 1, with_(clip=0.5), seed=0)
    assert network.weight.item() == pytest.approx(1 - 0.1 * 0.5, abs=1e-6)


def validations(*values: float) -> Callable[[nn.Module], dict[str, float]]:
    remaining = iter(values)
    return lambda network: {"log_loss": next(remaining)}


def test_best_weights_are_kept_and_patience_ends_training() -> None:
    network = line(1.0)
    settings = with_(epochs=10, patience=2)
    seen: list[float] = []
    values = iter([0.5, 0.4, 0.4, 0.6])

    def validate(network: nn.Module) -> dict[str, float]:
        assert not network.training
        assert not torch.is_grad_enabled()
        seen.append(next(network.parameters()).item())
        return {"log_loss": next(values), "auc": 0.9}

    history = fit(network, squared, batches_of((1.0, 0.0)), 1, settings, seed=0, validate=validate)
    assert history.best_epoch == 2
    assert network.weight.item() == seen[1]
    assert len(history.rows) == 4
    assert history.stopped == "log_loss was not better for 2 epochs"
    assert [row["validation_log_loss"] for row in history.rows] == [0.5, 0.4, 0.4, 0.6]
    assert history.rows[0]["validation_auc"] == 0.9
    assert not network.training


def test_monitored_metric_may_be_one_to_raise_and_nan_is_never_best() -> None:
    scores = iter([math.nan, 0.6, 0.7, 0.65])
    history = fit(
        line(),
        squared,
        batches_of((1.0, 1.0)),
        1,
        with_(epochs=4),
        seed=0,
        validate=lambda network: {"auc": next(scores)},
        monitor="auc",
        mode="max",
    )
    assert history.best_epoch == 3
    assert history.stopped == "all 4 epochs done"


def test_without_validation_the_last_epoch_is_kept_and_said() -> None:
    history = fit(line(), squared, batches_of((1.0, 1.0)), 1, with_(epochs=3, patience=1), seed=0)
    assert history.best_epoch == 3
    assert history.stopped == "all 3 epochs done; there is no validation, so the last epoch's weights were kept"


def test_validation_that_is_never_a_number_keeps_the_last_epoch_and_says_so() -> None:
    nan = validations(math.nan, math.nan)
    history = fit(line(), squared, batches_of((1.0, 1.0)), 1, with_(epochs=2), seed=0, validate=nan)
    assert history.best_epoch == 2
    assert "log_loss was never a number" in history.stopped


def test_monitor_that_validation_does_not_give_is_an_error() -> None:
    with pytest.raises(ValueError, match="not the monitored dice"):
        fit(line(), squared, batches_of((1.0, 1.0)), 1, SGD, 0, validate=validations(0.1), monitor="dice")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_loss_that_is_not_finite_says_where_and_the_way_out(bad: float) -> None:
    with pytest.raises(NotFiniteLossError, match=r"epoch 1, step 2, at learning rate 0\.1; lower training\.lr"):
        fit(line(), squared, batches_of((1.0, 1.0), (1.0, bad), (1.0, 1.0)), 3, SGD, seed=0)
    assert issubclass(NotFiniteLossError, UserError)


def test_loss_that_is_not_finite_can_end_with_the_best_epoch(tmp_path: Path) -> None:
    network, seen = line(1.0), []

    def validate(network: nn.Module) -> dict[str, float]:
        seen.append(next(network.parameters()).item())
        return {"auc": [0.5, 0.7, 0.6][len(seen) - 1]}

    def batches(epoch: int) -> list[tuple[Tensor, Tensor]]:
        return batches_of((1.0, 0.0), (1.0, math.nan if epoch == 3 else 0.0))(epoch)

    history = fit(
        network,
        squared,
        batches,
        2,
        with_(epochs=9),
        seed=0,
        validate=validate,
        monitor="auc",
        mode="max",
        checkpoint=tmp_path / "trial.pt",
        checkpoint_after=0,
        not_finite="keep best",
    )
    assert history.best_epoch == 2
    assert network.weight.item() == seen[1]
    assert not network.training
    assert len(history.rows) == 3
    assert history.not_finite.startswith("the loss is nan in epoch 4, step 2, at learning rate 0.1")
    assert history.stopped == history.not_finite


def test_loss_that_is_not_finite_before_any_validation_is_an_error_all_the_same() -> None:
    bad = batches_of((1.0, math.nan))
    for validate in (None, validations(0.1)):
        with pytest.raises(NotFiniteLossError, match="epoch 1, step 1"):
            fit(line(), squared, bad, 1, SGD, 0, validate=validate, not_finite="keep best")


def test_batches_that_are_not_as_many_as_announced_are_an_error() -> None:
    with pytest.raises(ValueError, match="gave 1 batches, 2 were announced"):
        fit(line(), squared, batches_of((1.0, 1.0)), 2, SGD, seed=0)


def test_frozen_network_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to train"):
        fit(line().requires_grad_(False), squared, batches_of((1.0, 1.0)), 1, SGD, seed=0)


def test_global_random_numbers_are_as_before() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 1))
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
    loader = BatchLoader(Images(), 24, 8, seed=0)
    fit(network, binary, loader, 3, SGD, seed=3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]
    assert random.getstate() == before[2]


def train_small(
    seed: int = 0, batches: Any = None, validate: bool = True, **arguments: Any
) -> tuple[History, dict[str, Tensor]]:
    network, images = small_network(), Images()
    settings = with_(optimiser="adamw", lr=0.01, epochs=5, schedule="cosine", warmup_epochs=1, precision="bf16")
    loader = BatchLoader(images, 24, 8, seed=seed)

    def held_out(network: nn.Module) -> dict[str, float]:
        return {"log_loss": binary(network, (images.images, images.targets)).item()}

    history = fit(
        network, binary, batches or loader, 3, settings, seed, validate=held_out if validate else None, **arguments
    )
    return history, network.state_dict()


def without_times(history: History) -> list[dict[str, float]]:
    timed = ("seconds", "images_per_second")
    return [{name: value for name, value in row.items() if name not in timed} for row in history.rows]


def test_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    first, again, other = train_small(0), train_small(0), train_small(1)
    assert without_times(first[0]) == without_times(again[0])
    assert all(torch.equal(first[1][name], again[1][name]) for name in first[1])
    assert without_times(first[0]) != without_times(other[0])


def crashing(at_epoch: int, error: type[BaseException]) -> Callable[[int], Iterator[Any]]:
    loader = BatchLoader(Images(), 24, 8, seed=0)

    def batches(epoch: int) -> Iterator[Any]:
        for number, batch in enumerate(loader(epoch)):
            if epoch == at_epoch and number == 1:
                raise error
            yield batch

    return batches


@pytest.mark.parametrize("validate", [True, False])
def test_resumed_training_equals_the_uninterrupted_one_bit_for_bit(tmp_path: Path, validate: bool) -> None:
    file = tmp_path / "partial" / "trial.pt"
    whole_history, whole = train_small(validate=validate)
    with pytest.raises(KeyboardInterrupt):
        train_small(batches=crashing(3, KeyboardInterrupt), validate=validate, checkpoint=file, checkpoint_after=0)
    assert file.exists()
    started: list[int] = []
    loader = BatchLoader(Images(), 24, 8, seed=0)

    def batches(epoch: int) -> Any:
        started.append(epoch)
        return loader(epoch)

    history, weights = train_small(batches=batches, validate=validate, checkpoint=file, checkpoint_after=0)
    assert started == [3, 4]
    assert without_times(history) == without_times(whole_history)
    assert (history.best_epoch, history.stopped) == (whole_history.best_epoch, whole_history.stopped)
    assert all(torch.equal(weights[name], whole[name]) for name in whole)
    # It stays until the caller has the result on disk.
    assert [path.name for path in tmp_path.rglob("*.pt*")] == ["trial.pt"]


def test_short_training_writes_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_small(batches=crashing(3, KeyboardInterrupt), checkpoint=tmp_path / "trial.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_cut_checkpoint_is_ignored_with_a_word(tmp_path: Path, keep: float) -> None:
    file = tmp_path / "trial.pt"
    with pytest.raises(KeyboardInterrupt):
        train_small(batches=crashing(3, KeyboardInterrupt), checkpoint=file, checkpoint_after=0)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)])
    words = Words()
    history, _ = train_small(checkpoint=file, progress=words)
    assert len(history.rows) == 5
    assert "cannot be read" in words.lines[0]


def test_checkpoint_of_other_settings_is_ignored_with_a_word(tmp_path: Path) -> None:
    file = tmp_path / "trial.pt"
    with pytest.raises(KeyboardInterrupt):
        train_small(batches=crashing(3, KeyboardInterrupt), checkpoint=file, checkpoint_after=0)
    words = Words()
    train_small(seed=1, checkpoint=file, progress=words)
    assert "other settings" in words.lines[0]


def test_algorithm_without_deterministic_version_is_named_with_the_way_out() -> None:
    def loss(network: nn.Module, batch: Any) -> Tensor:
        raise RuntimeError("upsample_backward does not have a deterministic implementation, but you set x")

    with pytest.raises(UserError, match=r"upsample_backward .* set training\.deterministic to false"):
        fit(line(), loss, batches_of((1.0, 1.0)), 1, with_(deterministic=True), seed=0)
    assert not torch.are_deterministic_algorithms_enabled()


def test_history_counts_images() -> None:
    history, _ = train_small()
    row = history.rows[0]
    assert row["images_per_second"] * row["seconds"] == pytest.approx(24)
