from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import LineProgress
from cxrbench.training.adversarial import AdversarialHistory, fit_adversarial
from cxrbench.training.adversarial_settings import AdversarialSettings
from cxrbench.training.data_loader import BatchLoader
from cxrbench.training.endless_batches import EndlessBatches
from cxrbench.training.loss_watch import NotFiniteLossError
from cxrbench.training.stopping import StoppedError

STEPS, IMAGES, BATCH = 7, 12, 4
SETTINGS = AdversarialSettings(
    steps=STEPS,
    batch_size=BATCH,
    discriminator_steps=2,
    decay_from=0.5,
    penalty_every=3,
    average_half_life=8,
    row_every=3,
    precision="float32",
    device="cpu",
)


def with_(**changes: Any) -> AdversarialSettings:
    return AdversarialSettings(**(SETTINGS.model_dump() | changes))


class Number(nn.Module):
    """One trained number."""

    def __init__(self, value: float):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self) -> Tensor:
        return self.value * 1.0


def number(generator: nn.Module, judge: nn.Module, batch: Tensor) -> Tensor:
    return generator()


def other_number(generator: nn.Module, judge: nn.Module, batch: Tensor) -> Tensor:
    return judge()


class Prepare:
    """Batches of made-up images with a draw of the loader's generator; counts how many it made."""

    def __init__(self) -> None:
        self.images = torch.rand(IMAGES, 1, 6, 6, generator=torch.Generator().manual_seed(0))
        self.calls = 0

    def __call__(self, places: np.ndarray, generator: np.random.Generator) -> Tensor:
        self.calls += 1
        return self.images[places] * generator.uniform(0.9, 1.1)


class Judge(nn.Module):
    """A discriminator with dropout and a buffer that its loss moves, as an adaptive augmentation does."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(64, 1))
        self.probability = nn.Buffer(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images + 0.1 * self.probability * torch.randn_like(images))


def maker() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 36), nn.Tanh(), nn.Unflatten(1, (1, 6, 6)))


def fool(generator: nn.Module, judge: nn.Module, real: Tensor) -> dict[str, Tensor]:
    verdict = judge(generator(torch.randn(len(real), 3)))
    return {"loss": nn.functional.softplus(-verdict).mean(), "verdict": verdict.mean()}


def tell_apart(generator: nn.Module, judge: nn.Module, real: Tensor) -> Tensor:
    fake = judge(generator(torch.randn(len(real), 3)))
    truth = judge(real)
    assert isinstance(judge, Judge)
    judge.probability += 0.01 * truth.detach().sign().mean()
    return nn.functional.softplus(fake).mean() + nn.functional.softplus(-truth).mean()


def r1(generator: nn.Module, judge: nn.Module, real: Tensor) -> Tensor:
    real = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(judge(real).sum(), real, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()


def trained(**arguments: Any) -> tuple[AdversarialHistory, dict[str, Tensor]]:
    torch.manual_seed(3)
    generator, judge = maker(), Judge()
    chosen: dict[str, Any] = {"batches": BatchLoader(Prepare(), IMAGES, BATCH, seed=1), "penalty": r1}
    chosen |= {"generator_loss": fool, "discriminator_loss": tell_apart, "settings": SETTINGS, "seed": 5}
    history = fit_adversarial(generator, judge, n_batches=3, **(chosen | arguments))
    assert history.average is not None
    assert not any(each.training for each in (generator, judge, history.average))
    networks = {"generator": generator, "judge": judge, "average": history.average}
    return history, {f"{name}.{key}": v for name, each in networks.items() for key, v in each.state_dict().items()}


def same(
    one: tuple[AdversarialHistory, dict[str, Tensor]], other: tuple[AdversarialHistory, dict[str, Tensor]]
) -> bool:
    def rows(history: AdversarialHistory) -> list[dict[str, float]]:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in history.rows]

    weights = all(torch.equal(one[1][name], other[1][name]) for name in one[1])
    return weights and rows(one[0]) == rows(other[0])


def test_first_steps_are_those_of_adam_worked_by_hand() -> None:
    # With betas 0 a step of Adam is lr * gradient / |gradient|.
    generator, judge = Number(1.0), Number(2.0)
    order: list[str] = []

    def generator_loss(made: nn.Module, told: nn.Module, batch: Tensor) -> Tensor:
        order.append(f"g{batch.item():g}")
        assert not told().requires_grad
        return made() * told()

    def discriminator_loss(made: nn.Module, told: nn.Module, batch: Tensor) -> Tensor:
        order.append(f"d{batch.item():g}")
        assert not made().requires_grad
        return -made() * told()

    settings = with_(
        steps=2, generator_betas=(0, 0), discriminator_betas=(0, 0), generator_lr=0.1, discriminator_lr=0.3
    )
    settings = settings.model_copy(update={"decay_from": 1.0, "average_half_life": 0.0, "row_every": 1})
    history = fit_adversarial(
        generator,
        judge,
        generator_loss,
        discriminator_loss,
        lambda epoch: [torch.tensor([float(epoch)])],
        1,
        settings,
        0,
    )
    assert order == ["d0", "d1", "g1", "d2", "d3", "g3"]
    assert generator.value.item() == pytest.approx(1 - 2 * 0.1)
    assert judge.value.item() == pytest.approx(2 + 4 * 0.3)
    # The generator met 2.6 at 1; the discriminator had 2 and 2.3 before.
    assert history.rows[0]["generator_loss"] == pytest.approx(2.6)
    assert history.rows[0]["discriminator_loss"] == pytest.approx(-(2 + 2.3) / 2)
    assert history.average is None


def test_penalty_is_taken_at_every_third_step_and_counted_three_times() -> None:
    judge, taken = Number(0.0), []

    def penalty(made: nn.Module, told: nn.Module, batch: Tensor) -> Tensor:
        taken.append(batch.item())
        return told() * 2.0

    gradients: list[float] = []
    judge.value.register_post_accumulate_grad_hook(lambda p: gradients.append(p.grad.item()))
    history = fit_adversarial(
        Number(0.0),
        judge,
        number,
        other_number,
        lambda epoch: [torch.tensor([float(epoch)])],
        1,
        with_(average_half_life=0),
        0,
        penalty=penalty,
    )
    assert taken == [0, 3, 6, 9, 12]
    # 1 of the loss, then 1 + 3 * 2 where the penalty comes on top.
    assert gradients[:5] == [1, 7, 1, 1, 1]
    assert [row["step"] for row in history.rows] == [3, 6, 7]
    assert "penalty" in history.rows[2]


def test_average_follows_by_the_half_life_after_a_quick_start() -> None:
    generator = Number(0.0)
    expected, values = 0.0, []

    def watched(made: nn.Module, told: nn.Module, batch: Tensor) -> Tensor:
        values.append(made().item())
        return made()

    settings = with_(steps=30, decay_from=1)
    history = fit_adversarial(
        generator,
        Number(0.0),
        watched,
        other_number,
        lambda e: [torch.zeros(1)],
        1,
        settings,
        0,
    )
    values = [*values[1:], generator.value.item()]
    for step, value in enumerate(values):
        momentum = min(0.5 ** (BATCH / 8), (1 + step) / (10 + step))
        expected = momentum * expected + (1 - momentum) * value
    assert history.average is not None
    assert history.average().item() == pytest.approx(expected, rel=1e-5)


def test_rates_fall_linearly_after_their_share() -> None:
    generator = Number(0.0)
    settings = with_(steps=4, generator_lr=1.0, generator_betas=(0, 0), average_half_life=0)
    fit_adversarial(
        generator,
        Number(0.0),
        number,
        other_number,
        lambda epoch: [torch.zeros(1)],
        1,
        settings,
        0,
    )
    assert generator.value.item() == pytest.approx(-(1 + 1 + 1 + 0.5))


def test_it_repeats_itself_and_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    trained()
    after = torch.rand(1)
    torch.manual_seed(3)
    _ = maker(), Judge()
    assert torch.equal(after, torch.rand(1))
    assert same(trained(), trained())
    assert not same(trained(), trained(seed=6))


@pytest.mark.parametrize("at", [1, 3, 5])
def test_killed_after_a_step_and_gone_on_with_it_is_equal_bit_for_bit(tmp_path: Path, at: int) -> None:
    whole = trained()
    made = Prepare()
    calls = iter(range(1, STEPS + 1))
    with pytest.raises(StoppedError, match=rf"stopped as asked after {at} of 7 steps.*state.pt is kept"):
        trained(checkpoint=tmp_path / "state.pt", stop=lambda: next(calls) == at)
    resumed = trained(checkpoint=tmp_path / "state.pt", batches=BatchLoader(made, IMAGES, BATCH, seed=1))
    assert same(whole, resumed)


def test_crash_after_a_regular_checkpoint_is_gone_on_with(tmp_path: Path) -> None:
    def crash(generator: nn.Module, judge: nn.Module, real: Tensor) -> dict[str, Tensor]:
        nonlocal left
        left -= 1
        if left == 0:
            raise RuntimeError("power cut")
        return fool(generator, judge, real)

    left = 6
    with pytest.raises(RuntimeError, match="power cut"):
        trained(checkpoint=tmp_path / "state.pt", checkpoint_every_steps=2, generator_loss=crash)
    content = torch.load(tmp_path / "state.pt", weights_only=True)
    assert content["state"]["steps_done"] == 4
    assert same(trained(), trained(checkpoint=tmp_path / "state.pt"))


def test_batches_before_a_resumed_step_are_not_made_again() -> None:
    made = Prepare()
    stream = EndlessBatches(BatchLoader(made, IMAGES, BATCH, seed=1), 3)
    late = stream(4)
    first = next(late)
    assert made.calls <= 3
    whole = EndlessBatches(BatchLoader(Prepare(), IMAGES, BATCH, seed=1), 3)(0)
    assert torch.equal(first, [next(whole) for _ in range(5)][4])


def test_an_epoch_of_another_length_is_an_error() -> None:
    def short(epoch: int) -> Iterator[int]:
        yield from range(2)

    with pytest.raises(ValueError, match="epoch 1 gave 2 batches, 3 were announced"):
        list(EndlessBatches(short, 3)(0))


def test_loss_that_is_not_finite_is_one_line_that_names_the_way_out(tmp_path: Path) -> None:
    def poisoned(generator: nn.Module, judge: nn.Module, real: Tensor) -> Tensor:
        nonlocal left
        left -= 1
        return fool(generator, judge, real)["loss"] * (math.nan if left == 0 else 1.0)

    left = 5
    with pytest.raises(NotFiniteLossError, match="not finite by step 6 of 7; lower generator_lr") as found:
        trained(generator_loss=poisoned, checkpoint=tmp_path / "state.pt", checkpoint_every_steps=4)
    assert "the last good state, after 4 steps" in str(found.value)
    assert "\n" not in str(found.value)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["state"]["steps_done"] == 4


def test_checkpoint_of_another_training_is_refused_where_it_must_fit(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    trained(checkpoint=state, checkpoint_every_steps=5)
    with pytest.raises(UserError, match="of a training with other settings"):
        trained(checkpoint=state, checkpoint_must_fit=True, seed=9)
    assert same(trained(seed=9), trained(checkpoint=state, seed=9))


def test_plain_lines_tell_how_far_it_is() -> None:
    lines = io.StringIO()
    trained(progress=LineProgress(lines, every=0.0), title="generator")
    assert "generator: 4/7" in lines.getvalue()
    assert "discriminator " in lines.getvalue()


def test_bf16_trains_with_float32_weights() -> None:
    history, weights = trained(settings=with_(precision="bf16"))
    assert all(value.dtype == torch.float32 for value in weights.values())
    assert all(math.isfinite(row["generator_loss"]) for row in history.rows)


def test_network_without_anything_to_train_is_an_error() -> None:
    def nothing(*_: Any) -> Mapping[str, Tensor]:
        return {}

    with pytest.raises(ValueError, match="no parameter of the discriminator"):
        fit_adversarial(
            maker(),
            Judge().requires_grad_(False),
            nothing,
            nothing,
            lambda epoch: [],
            1,
            SETTINGS,
            0,
        )


@pytest.mark.parametrize("change", [{"generator_betas": (0.0, 1.0)}, {"steps": 0}, {"penalty_every": 0}])
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        with_(**change)
