"""One step of a generator and the steps of its discriminator before it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .adversarial_settings import AdversarialSettings
from .device import Device, Precision, autocast, channels_last
from .epoch import arranged
from .fabric import move_data_to_device
from .seeding import seed_random_numbers

AdversarialLoss = Callable[[nn.Module, nn.Module, Any], Tensor | Mapping[str, Tensor]]


class AlternatingSteps:
    """Two networks with an Adam each, and where it is wanted a moving average of the generator.

    Args:
        losses: of the generator and of the discriminator.
        penalty: of the discriminator, or None.
        where: device and precision.

    Attributes:
        average: the moving average of the generator in eval mode, or None.

    Raises ValueError where a network has nothing to train.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        losses: tuple[AdversarialLoss, AdversarialLoss],
        penalty: AdversarialLoss | None,
        settings: AdversarialSettings,
        seed: int,
        where: tuple[Device, Precision],
    ):
        self._device: Device = where[0]
        self._precision: Precision = where[1]
        self._settings, self._seed, self._penalty = settings, seed, penalty
        networks = [channels_last(each.to(where[0])).train() for each in (generator, discriminator)]
        self._generator = _Player("generator", networks[0], losses[0], settings.generator_lr, settings.generator_betas)
        self._discriminator = _Player(
            "discriminator", networks[1], losses[1], settings.discriminator_lr, settings.discriminator_betas
        )
        self.average: nn.Module | None = None
        if settings.average_half_life > 0:
            self.average = copy.deepcopy(networks[0]).eval().requires_grad_(False)

    def make(self, number: int, coming: Iterator[Any]) -> dict[str, Tensor]:
        """Make step `number` (from 0): of the discriminator on the next batches, then of the generator on the last one.

        Returns:
            Scalars: loss (the sum of both), generator_loss, discriminator_loss, <network>_<term>, and penalty (the sum
            of those that were taken, before it is counted `penalty_every` times).
        """
        settings = self._settings
        turns: list[dict[str, Tensor]] = []
        batch: Any = None
        for turn in range(settings.discriminator_steps):
            batch = arranged(move_data_to_device(next(coming), torch.device(self._device)))
            turns.append(self._turn(self._discriminator, number, turn, batch))
        terms = _together(turns) | self._turn(self._generator, number, settings.discriminator_steps, batch)
        if self.average is not None:
            self._follow(self.average, number)
        return {"loss": terms["generator_loss"].detach() + terms["discriminator_loss"].detach(), **terms}

    def penalties(self, steps: int) -> int:
        """How often the penalty is taken in the first `steps` steps."""
        if self._penalty is None:
            return 0
        return -(-steps * self._settings.discriminator_steps // self._settings.penalty_every)

    def finish(self) -> None:
        """Leave both networks in eval mode."""
        for each in (self._generator, self._discriminator):
            each.network.eval()

    def shapes(self) -> list[Any]:
        """Names and shapes of all tensors, JSON-ready."""
        networks = self._generator.network, self._discriminator.network
        return [[name, list(value.shape)] for each in networks for name, value in each.state_dict().items()]

    def are_finite(self) -> bool:
        """Whether no weight is NaN or infinite."""
        weights = [each.detach() for player in (self._generator, self._discriminator) for each in player.parameters]
        return bool(torch.stack([each.isfinite().all() for each in weights]).all())

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        average = None if self.average is None else self.average.state_dict()
        return {"generator": self._generator.state(), "discriminator": self._discriminator.state(), "average": average}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._generator.restore(state["generator"])
        self._discriminator.restore(state["discriminator"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _turn(self, player: _Player, number: int, turn: int, batch: Any) -> dict[str, Tensor]:
        """One optimiser step of `player`."""
        settings = self._settings
        player.set_rate(_decay(number, settings.steps, settings.decay_from))
        other = self._discriminator if player is self._generator else self._generator
        # Every step has random numbers of its own, so that a resumed training draws what the first try drew.
        seed_random_numbers(self._seed, number, turn)
        with other.frozen():
            with autocast(self._device, self._precision):
                found = player.loss(self._generator.network, self._discriminator.network, batch)
            terms = {"loss": found} if isinstance(found, Tensor) else dict(found)
            terms["loss"].backward()
            terms = {f"{player.name}_{name}": value.detach() for name, value in terms.items()}
            if player is self._discriminator and self._penalty is not None:
                at = number * settings.discriminator_steps + turn
                terms |= self._penalise(self._penalty, batch) if at % settings.penalty_every == 0 else {}
        player.step()
        return terms

    def _penalise(self, penalty: AdversarialLoss, batch: Any) -> dict[str, Tensor]:
        found = penalty(self._generator.network, self._discriminator.network, batch)
        loss = found if isinstance(found, Tensor) else found["loss"]
        (loss * self._settings.penalty_every).backward()
        return {"penalty": loss.detach()}

    def _follow(self, average: nn.Module, number: int) -> None:
        settings, generator = self._settings, self._generator.network
        momentum = 0.5 ** (settings.batch_size / settings.average_half_life)
        # Early on it keeps up, or it would hold the first, random weights for long.
        momentum = min(momentum, (1 + number) / (10 + number))
        with torch.no_grad():
            follow = get_ema_multi_avg_fn(momentum)
            follow([each.data for each in average.parameters()], [each.data for each in generator.parameters()], 0)
            for mine, theirs in zip(average.buffers(), generator.buffers(), strict=True):
                mine.copy_(theirs)


class _Player:
    """A network, its loss, and its optimiser."""

    def __init__(self, name: str, network: nn.Module, loss: AdversarialLoss, lr: float, betas: tuple[float, float]):
        self.name, self.network, self.loss, self._lr = name, network, loss, lr
        self.parameters = [each for each in network.parameters() if each.requires_grad]
        if not self.parameters:
            raise ValueError(f"no parameter of the {name} requires a gradient: nothing to train")
        self._optimiser = torch.optim.Adam(self.parameters, lr, betas, fused=True)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside the block its parameters require no gradient."""
        for each in self.parameters:
            each.requires_grad_(False)
        try:
            yield
        finally:
            for each in self.parameters:
                each.requires_grad_(True)

    def set_rate(self, factor: float) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self._lr * factor

    def step(self) -> None:
        self._optimiser.step()
        self._optimiser.zero_grad()

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimiser": self._optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])


def _together(turns: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Means of the terms over the discriminator's turns, and the sum of its penalties, which not every turn has."""
    found = {name: torch.stack([terms[name] for terms in turns if name in terms]) for terms in turns for name in terms}
    return {name: values.sum() if name == "penalty" else values.mean() for name, values in found.items()}


def _decay(step: int, steps: int, start: float) -> float:
    """1 until the share `start` of `steps` is made, then linearly towards 0, which is reached after the last one."""
    begin = start * steps
    return 1.0 if step < begin else (steps - step) / max(steps - begin, 1.0)
