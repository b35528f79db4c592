"""DiRA: CAiD, with a discriminator that the restored view has to pass."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..encoder import Encoder
from ..method import Shape, ours, stated
from ..parts.discriminator import PatchDiscriminator, adversarial_loss, discriminator_loss
from ..parts.restoration import restoration_loss
from .caid import CAiD, CAiDSettings

_CODE = "released code (fhaghighi/DiRA)"


class DiRASettings(CAiDSettings):
    """Settings of DiRA; see `CAiDSettings`.

    Attributes:
        adversarial_weight: of what the encoder and the decoder pay where the discriminator sees through them.
        discriminator_weight: of the discriminator's own loss; its steps are so many times the learning rate.
        warm_up: share of the steps before the discriminator joins in.
        discriminator: channels of its first layer.
    """

    adversarial_weight: float = stated(0.001, f"{_CODE}: --adv_weight", ge=0)
    discriminator_weight: float = ours(
        0.01, "with SGD at 0.03, 1 goes to infinity and 0.01 falls about as released (Adam at 2e-4)", ge=0
    )
    warm_up: float = stated(0.75, f"{_CODE}: 1200 epochs of mode dir before 400 of dira", ge=0, le=1)
    discriminator: int = stated(64, _CODE, ge=1)


class DiRA(CAiD):
    """InfoNCE of the query, its view restored, and the restored view taken for a real one.

        L = InfoNCE(q, k, queue) + 10 mean (r - c1)^2 + 0.001 mean (D*(r) - 1)^2
            + 0.01 (mean (D(c1) - 1)^2 + mean D(r*)^2) / 2
        r = sigmoid(U(maps of x1))                           * constant: no gradient

    As CAiD, with D a discriminator of patches, [B, 1, S, S] -> [B, 1, S / 8, S / 8]. The first line moves encoder,
    head and decoder, with D's weights constant; the second only D, with r constant. Both are minimised in one step.
    Both adversarial terms are 0 in the first `warm_up` of the steps.

    Source: Haghighi 2022, arXiv:2204.10437, and its released code.

    Raises:
        UserError: an encoder without maps, a queue or groups that do not fit the batch.
    """

    Settings = DiRASettings
    preset = "dira"
    warmed_up: Tensor

    def __init__(self, encoder: Encoder, settings: DiRASettings, shape: Shape):
        super().__init__(encoder, settings, shape)
        self.adversarial_weight = settings.adversarial_weight
        self.discriminator_weight = settings.discriminator_weight
        self.warm_up = settings.warm_up
        self.discriminator = PatchDiscriminator(settings.discriminator)
        self.register_buffer("warmed_up", torch.tensor(settings.warm_up == 0))

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`loss` and the terms `contrast`, `restoration`, `adversarial`, `discriminator` (without their weights)."""
        contrast, restored, clean = self.contrasted_and_restored(batch)
        restoration = restoration_loss(restored, clean)
        adversarial, discriminating = self._game(restored, clean)
        loss = (
            contrast
            + self.settings.restoration_weight * restoration
            + self.adversarial_weight * adversarial
            + self.discriminator_weight * discriminating
        )
        return {
            "loss": loss,
            "contrast": contrast,
            "restoration": restoration,
            "adversarial": adversarial,
            "discriminator": discriminating,
        }

    def after_step(self, step: int, steps: int) -> None:
        super().after_step(step, steps)
        self.warmed_up.fill_(step + 1 >= self.warm_up * steps)

    def _game(self, restored: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder pays and what the discriminator pays; 0 before the game begins."""
        if bool(self.warmed_up):
            return adversarial_loss(self.discriminator, restored), discriminator_loss(
                self.discriminator, restored, clean
            )
        # A gradient of 0, not none: with several processes every parameter must have one.
        nothing = 0 * torch.stack([weight.sum() for weight in self.discriminator.parameters()]).sum()
        return torch.zeros_like(nothing), nothing
