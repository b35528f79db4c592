"""Settings of the training loop, checked before anything expensive starts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..foundation.settings import Settings


class TrainingSettings(Settings):
    """How a network is trained: `[training]` in a file, `--set training.lr=1e-4` on the command line.

    Attributes:
        optimiser: adamw, adam, sgd or lars (lightly's; parameters with one dimension have neither decay nor
            adaptation).
        lr: learning rate after warm-up.
        weight_decay: decoupled for adamw, an L2 penalty otherwise.
        momentum: sgd and lars only.
        batch_size: images a step of one accumulation, over all devices together.
        epochs: the most passes over the training part.
        patience: epochs without a better validation after which training stops; 0 never stops early.
        schedule: none keeps `lr`, cosine lowers it to 0 over `epochs`, steps multiplies it by 0.1 after 2/3 and
            after 8/9 of all steps, plateau multiplies it by `plateau_factor` after `plateau_patience` epochs without
            a better validation.
        warmup_epochs: epochs over which the rate rises linearly to `lr`.
        clip: largest norm of the gradient; 0 is off.
        accumulate: batches whose gradients are averaged before a step.
        precision: auto takes bf16 where the hardware is quick at it, float32 elsewhere.
        device: auto takes a GPU where there is one.
        devices: GPUs, or processes on the CPU.
        deterministic: only algorithms that give the same bits again (slower on a GPU).
    """

    optimiser: Literal["adamw", "adam", "sgd", "lars"] = "adamw"
    lr: float = Field(default=1e-4, gt=0, le=100)
    weight_decay: float = Field(default=1e-4, ge=0, le=10)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    batch_size: int = Field(default=32, ge=1)
    epochs: int = Field(default=100, ge=1)
    patience: int = Field(default=10, ge=0)
    schedule: Literal["none", "cosine", "steps", "plateau"] = "none"
    warmup_epochs: float = Field(default=0.0, ge=0)
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    plateau_patience: int = Field(default=10, ge=1)
    clip: float = Field(default=0.0, ge=0)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["auto", "float32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(default=1, ge=1)
    deterministic: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> TrainingSettings:
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs ({self.warmup_epochs:g}) is longer than epochs ({self.epochs})")
        if self.devices > self.batch_size:
            raise ValueError(f"batch_size ({self.batch_size}) is smaller than devices ({self.devices})")
        if self.optimiser == "lars" and self.weight_decay == 0:
            raise ValueError("optimiser lars adapts only what decays: set weight_decay above 0, or take sgd")
        return self
