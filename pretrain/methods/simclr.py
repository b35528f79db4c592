"""SimCLR: two views of an image find each other among all other views of the batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from torch import Tensor

from ...training.gathering import gathered
from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images, ours, stated
from ..parts.full_precision import full_precision
from ..parts.ifa import NEEDS_STAGES, IfaTerms, ifa_blocks, weighted_ifa
from ..parts.requirements import refuse_batch_of_one, require_stages


class SimCLRSettings(MethodSettings):
    """Settings of SimCLR.

    Attributes:
        hidden: width of the head's hidden layer; 0 is the encoder's own width.
        dim: width of embeddings.
        temperature: of the contrast.
        ifa: terms of the IFA loss that are added: `3`, `1:0.3:1,4:1:1` (block:target:weight) or `ifa_released`.
    """

    hidden: int = stated(0, "section 4.2 and released code: as wide as the features, 2048", ge=0)
    dim: int = stated(128, "section 2.3", ge=2)
    temperature: float = stated(0.1, "table 5 and released code", gt=0)
    ifa: IfaTerms = ours((), "the loss is added by --ifa; the IFA paper's choice is 3")


class SimCLR(Method):
    """NT-Xent over the 2B views of the batch of all processes; with `ifa`, the maps inside agree too.

        L_con = 1/2B sum_i -log( exp(z_i.z_p(i) / T) / sum_{k != i} exp(z_i.z_k / T) )       |z| = 1
        L = L_con + sum_t weight_t IFA(Q, P, target_t)       Q, P: maps of f(x1) and f(x2) after block_t

    p(i) is the other view of the same image. Images [B, S, S] -> features [B, D] -> embeddings [B, dim] by two
    linear layers, each with batch normalisation, ReLU between. Both views pass the network together. P is a constant,
    so IFA moves the maps of `one` only; the views are drawn alike, so either direction is the same on average.

    Sources: Chen 2020, arXiv:2002.05709, equation 1; IFA: Cho 2024, doi:10.1007/s10278-024-01032-x.

    Raises:
        UserError: a batch of one image, or IFA with an encoder that has no stages.
    """

    Settings = SimCLRSettings
    negatives = True
    settings: SimCLRSettings

    def __init__(self, encoder: Encoder, settings: SimCLRSettings, shape: Shape):
        super().__init__(encoder, settings, shape)
        refuse_batch_of_one("simclr", shape)
        if settings.ifa:
            require_stages(encoder, NEEDS_STAGES)
        width = encoder.meta.dim
        self.head = SimCLRProjectionHead(width, settings.hidden or width, settings.dim)
        self.contrast = NTXentLoss(settings.temperature)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        both, terms = images(torch.cat([batch["one"], batch["two"]])), self.settings.ifa
        features, stages = self.encoder.pooled_and_stages(both) if terms else (self.encoder(both), [])
        one, two = self.head(features).chunk(2)
        self.watched = one.detach()
        with full_precision(one):
            loss = self.contrast(gathered(one.float()), gathered(two.float()))
        if not terms:
            return {"loss": loss}
        halves = {block: stages[block].chunk(2) for block in ifa_blocks(terms)}
        ifa, each = weighted_ifa(
            terms,
            {block: query for block, (query, _) in halves.items()},
            {block: positive for block, (_, positive) in halves.items()},
        )
        return {"loss": loss + ifa, "contrast": loss.detach(), **each}
