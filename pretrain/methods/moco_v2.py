"""MoCo v2, and with it CheSS: a query is told apart from a queue of keys that a momentum network made."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..encoder import Encoder
from ..method import Shape, ours, stated
from ..parts.ifa import NEEDS_STAGES, IfaTerms, ifa_blocks, weighted_ifa
from ..parts.momentum_contrast import MomentumContrast, MomentumContrastSettings
from ..parts.requirements import require_stages

_CODE = "MoCo v2's and CheSS' released code"


class MocoV2Settings(MomentumContrastSettings):
    """Settings of MoCo v2; see `MomentumContrastSettings`.

    Attributes:
        ifa: terms of the IFA loss that are added: `3`, `1:0.3:1,4:1:1` (block:target:weight) or `ifa_released`.
    """

    hidden: int = stated(0, f"{_CODE}: as wide as the features", ge=0)
    dim: int = stated(128, _CODE, ge=2)
    queue: int = stated(65536, _CODE, ge=1)
    momentum: float = stated(0.999, _CODE, ge=0, le=1)
    temperature: float = stated(0.2, "MoCo v2, section 3; CheSS' released command", gt=0)
    group_size: int = stated(32, "MoCo: 256 images on 8 GPUs, each normalised alone", ge=2)
    ifa: IfaTerms = ours((), "the loss is added by --ifa; the IFA paper's choice is 3")


class MocoV2(MomentumContrast):
    """InfoNCE of query against its key and the queue; with `ifa`, the maps inside agree too.

        q = g(f(x1)) / |.|     k = g'(f'(x2)) / |.|     f', g' <- m f', g' + (1 - m) f, g after every step
        L_con = -1/B sum_i log( exp(q_i.k_i / T) / (exp(q_i.k_i / T) + sum_j exp(q_i.queue_j / T)) )
        L = L_con + sum_t weight_t IFA(Q, P, target_t)       Q, P: maps of f(x1), f'(x2) after block_t

    Images [B, S, S] -> features [B, D] -> embeddings [B, dim] by two linear layers with ReLU between. Keys, P and
    queue are constants. Keys go through in a shuffled order (Shuffling BN), P comes back to the order of Q.

    Sources: Chen 2020, arXiv:2003.04297; He 2020, arXiv:1911.05722; CheSS: Cho 2023, doi:10.1007/s10278-023-00782-4;
    IFA: Cho 2024, doi:10.1007/s10278-024-01032-x.

    Raises:
        UserError: a queue or groups that do not fit the batch, or IFA with an encoder that has no stages.
    """

    Settings = MocoV2Settings
    settings: MocoV2Settings

    def __init__(self, encoder: Encoder, settings: MocoV2Settings, shape: Shape):
        if settings.ifa:
            require_stages(encoder, NEEDS_STAGES)
        super().__init__(encoder, settings, shape)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        terms = self.settings.ifa
        contrasted = self.contrasted(batch, ifa_blocks(terms))
        if not terms:
            return {"loss": contrasted.loss}
        ifa, each = weighted_ifa(terms, contrasted.query_maps, contrasted.key_maps)
        return {"loss": contrasted.loss + ifa, "contrast": contrasted.loss.detach(), **each}
