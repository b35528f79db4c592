"""What a pretraining will take: one small step is made and timed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...foundation.errors import UserError
from ...training.device import autocast, channels_last, images_channels_last, resolve_device, resolve_precision
from ...training.epoch import steps_per_epoch
from ...training.optimiser import build_optimiser
from ..method import Method
from .plan import Plan
from .settings import PretrainingSettings

# On a CPU a step of a whole batch may take minutes.
_MOST_TIMED = 16
_REPEATS = 2


@dataclass(frozen=True)
class Cost:
    """What a pretraining will take.

    Attributes:
        steps_per_epoch, steps: optimiser steps.
        parameters: that are trained; encoder_parameters: those of them that are kept.
        timed: images of the step that was timed.
        images_per_second: of that step, its views made beforehand.
        seconds: of all steps.
    """

    steps_per_epoch: int
    steps: int
    parameters: int
    encoder_parameters: int
    timed: int
    images_per_second: float
    seconds: float


def cost_of(plan: Plan, images: int) -> Cost:
    """Time a step on noise, with as many images as a batch has, 16 at most on a CPU.

    Raises UserError where there are fewer images than a batch.
    """
    training = plan.settings.training
    if images < training.batch_size:
        raise UserError(f"{images} images are fewer than a batch of {training.batch_size}: set --batch-size {images}")
    per_epoch = steps_per_epoch(images // training.batch_size, training.accumulate)
    method = plan.build(plan.start())
    trained = [each.numel() for each in method.parameters() if each.requires_grad]
    encoder = sum(each.numel() for each in method.encoder.parameters() if each.requires_grad)
    timed, seconds = _timed(plan, method)
    seen = per_epoch * training.accumulate * training.batch_size * training.epochs
    return Cost(
        per_epoch, per_epoch * training.epochs, sum(trained), encoder, timed, timed / seconds, seen * seconds / timed
    )


def _timed(plan: Plan, method: Method) -> tuple[int, float]:
    """Images of a step on this machine's device, and the seconds that it takes."""
    whole = plan.settings.training.batch_size // plan.processes
    sizes = [whole] if resolve_device(plan.settings.training.device) == "cuda" else [min(_MOST_TIMED, whole), whole]
    for size in sizes[:-1]:
        small = replace(plan, settings=_with_batch(plan, size), processes=1)
        try:
            return size, _seconds_of_a_step(small, small.build(small.start()), size)
        except UserError:
            # A queue that the smaller batch does not divide, for one.
            continue
    return sizes[-1], _seconds_of_a_step(plan, method, sizes[-1])


def _with_batch(plan: Plan, size: int) -> PretrainingSettings[Any]:
    training = plan.settings.training.model_copy(update={"batch_size": size})
    return plan.settings.model_copy(update={"training": training})


def _seconds_of_a_step(plan: Plan, method: Method, size: int) -> float:
    settings = plan.settings
    device = resolve_device(settings.training.device)
    precision = resolve_precision(settings.training.precision, device)
    method = channels_last(method.to(device)).train()  # type: ignore[assignment]
    optimiser = build_optimiser(method, settings.training)
    batch = {name: value.to(device) for name, value in _noise(plan, size).items()}
    seconds = []
    for step in range(_REPEATS):
        _finish(device)
        start = time.perf_counter()
        with autocast(device, precision):
            loss = method({name: images_channels_last(value) for name, value in batch.items()})["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        method.after_step(step, _REPEATS)
        _finish(device)
        seconds.append(time.perf_counter() - start)
    # The first one also fills caches and chooses algorithms.
    return min(seconds)


def _noise(plan: Plan, size: int) -> dict[str, Tensor]:
    side = plan.settings.stored_size
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (size, side, side), dtype=np.uint8)
    views = plan.views()(pixels, np.arange(size))
    return {**{name: torch.from_numpy(each) for name, each in views.items()}, "index": torch.arange(size)}


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
