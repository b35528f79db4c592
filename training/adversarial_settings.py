"""Settings of a training of a generator against a discriminator."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..foundation.settings import Settings


class AdversarialSettings(Settings):
    """How two networks are trained against each other, both with Adam.

    The defaults are those of StyleGAN2 (Karras et al. 2020, appendix B): one rate of 0.002 for both and betas 0, 0.99.

    Attributes:
        steps: generator steps in all.
        batch_size: images of a batch; whoever makes the batches uses it.
        discriminator_steps: discriminator steps before each generator step, each on a batch of its own; the generator
            trains on the last of them.
        generator_lr, discriminator_lr: learning rates.
        generator_betas, discriminator_betas: of Adam.
        decay_from: share of the steps after which both rates fall linearly to 0; 1 keeps them.
        penalty_every: discriminator steps from one penalty (R1) to the next; its gradient counts so many times.
        average_half_life: images after which the moving average of the generator has forgotten half; 0 is off.
        row_every: steps that a row of the history sums up.
        precision: auto takes bf16 where the hardware is quick at it, float32 elsewhere; penalties run in float32.
        device: auto takes a GPU where there is one.
        deterministic: only algorithms that give the same bits again (slower on a GPU).
    """

    steps: int = Field(default=10_000, ge=1)
    batch_size: int = Field(default=32, ge=1)
    discriminator_steps: int = Field(default=1, ge=1, le=100)
    generator_lr: float = Field(default=2e-3, gt=0, le=100)
    discriminator_lr: float = Field(default=2e-3, gt=0, le=100)
    generator_betas: tuple[float, float] = (0.0, 0.99)
    discriminator_betas: tuple[float, float] = (0.0, 0.99)
    decay_from: float = Field(default=1.0, ge=0, le=1)
    penalty_every: int = Field(default=16, ge=1)
    average_half_life: float = Field(default=0.0, ge=0)
    row_every: int = Field(default=100, ge=1)
    precision: Literal["auto", "float32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    deterministic: bool = False

    @model_validator(mode="after")
    def _betas(self) -> AdversarialSettings:
        for name in ("generator_betas", "discriminator_betas"):
            if not all(0 <= beta < 1 for beta in getattr(self, name)):
                raise ValueError(f"{name} must be at least 0 and below 1")
        return self
