"""MoCo whose intermediate layers agree too (Inter_MoCo): by squared distance, or by cross-correlation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from lightly.loss import BarlowTwinsLoss
from lightly.models.modules.heads import BarlowTwinsProjectionHead, MoCoProjectionHead, ProjectionHead
from torch import Tensor, nn
from torch.nn import functional as F

from ...training.gathering import gathered
from ..encoder import Encoder
from ..method import Shape, stated
from ..parts.full_precision import full_precision
from ..parts.grouped_batch_norm import normalise_in_groups
from ..parts.momentum_contrast import Contrasted, MomentumContrast, MomentumContrastSettings
from ..parts.requirements import require_stages

BLOCKS = (1, 2, 3, 4)
# Side of the pooled map after each block, for the squared distance.
GRIDS = {1: 16, 2: 16, 3: 4, 4: 4}
# The released code multiplies its cross-correlation term by this, besides the weight.
_SCALE = 1 / 32

_CODE = "released code"
Weights = tuple[float, float, float, float]


class InterMocoSettings(MomentumContrastSettings):
    """Settings of Inter_MoCo; see `MomentumContrastSettings`.

    Attributes:
        head: `linear`, one layer, or `mlp`, two with ReLU between, as in MoCo v2.
        intermediate: `mse`, the squared distance of pooled maps, or `barlow_twins`, their cross-correlation.
        mse: weight of each block's squared distance, blocks 1 to 4; 0 leaves one out.
        barlow_twins: weight of each block's cross-correlation term.
        width: of the three layers that project a block's features for the cross-correlation.
    """

    head: Literal["linear", "mlp"] = stated("linear", f"{_CODE}: use_mlp is off")
    hidden: int = stated(0, "MoCo v2, for the head `mlp`: as wide as the features", ge=0)
    dim: int = stated(128, _CODE, ge=2)
    queue: int = stated(65536, _CODE, ge=1)
    momentum: float = stated(0.999, _CODE, ge=0, le=1)
    temperature: float = stated(0.07, _CODE, gt=0)
    group_size: int = stated(32, "MoCo; the released code's batch of 16 is one group", ge=2)
    intermediate: Literal["mse", "barlow_twins"] = stated("mse", "the first of the two losses")
    mse: Weights = stated((0.25, 0.25, 0.25, 0.25), _CODE)
    barlow_twins: Weights = stated((5e-5, 5e-5, 5e-5, 5e-5), _CODE)
    width: int = stated(2048, _CODE, ge=2)

    @property
    def weights(self) -> dict[int, float]:
        """Block -> weight, of those that count."""
        chosen = self.mse if self.intermediate == "mse" else self.barlow_twins
        return {block: weight for block, weight in zip(BLOCKS, chosen, strict=True) if weight}


class InterMoco(MomentumContrast):
    """InfoNCE, and after every block b of the network a term that makes the maps Q_b, P_b of query and key agree.

        L = L_con + sum_b w_b mean (pool_b(Q_b) - pool_b(P_b))^2              pool to 16x16 (b = 1, 2), 4x4 (b = 3, 4)
        L = L_con + sum_b w_b / 32 (sum_j (1 - C_jj)^2 + sum_{j != k} C_jk^2)     intermediate barlow_twins
        C = 1/B sum_i z_i z'_i^T           z = h_b(mean over positions of Q_b), z' = h_b(that of P_b), normalised

    L_con as in `MocoV2`. Maps [B, C_b, H_b, W_b]; h_b: three linear layers [B, C_b] -> [B, width] with batch
    normalisation and ReLU between; z, z' have mean 0 and variance 1 over the whole batch. Keys' maps are constants.

    Source: Kaku 2021, arXiv:2110.14805, and its released code.

    Raises:
        UserError: a queue or groups that do not fit the batch, or an encoder that has no stages.
    """

    Settings = InterMocoSettings
    settings: InterMocoSettings

    def __init__(self, encoder: Encoder, settings: InterMocoSettings, shape: Shape):
        require_stages(encoder, "inter_moco needs feature maps after blocks 1 to 4")
        super().__init__(encoder, settings, shape, _head(encoder.meta.dim, settings))
        self.projections = nn.ModuleDict()
        if settings.intermediate == "barlow_twins":
            channels, width = encoder.meta.stage_channels, settings.width
            self.projections = nn.ModuleDict(
                {str(block): BarlowTwinsProjectionHead(channels[block], width, width) for block in settings.weights}
            )
            # In groups too: nothing else brings several processes together where groups are normalised apart.
            normalise_in_groups(self.projections, self.group_size)
        self.cross_correlation = BarlowTwinsLoss(lambda_param=1.0)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        weights = self.settings.weights
        contrasted = self.contrasted(batch, list(weights), self._pool)
        each = {f"{self.settings.intermediate}_{block}": self._term(contrasted, block) for block in weights}
        loss = contrasted.loss
        for weight, value in zip(weights.values(), each.values(), strict=True):
            loss = loss + weight * value
        return {
            "loss": loss,
            "contrast": contrasted.loss.detach(),
            **{name: value.detach() for name, value in each.items()},
        }

    def _pool(self, block: int, maps: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(maps, GRIDS[block] if self.settings.intermediate == "mse" else 1)

    def _term(self, contrasted: Contrasted, block: int) -> Tensor:
        query, key = contrasted.query_maps[block], contrasted.key_maps[block]
        if self.settings.intermediate == "mse":
            return F.mse_loss(query.float(), key.float())
        project = self.projections[str(block)]
        ours, theirs = (project(torch.flatten(each, 1)) for each in (query, key))
        with full_precision(ours):
            return _SCALE * self.cross_correlation(gathered(ours.float()), gathered(theirs.float()))


def _head(width: int, settings: InterMocoSettings) -> nn.Module:
    if settings.head == "mlp":
        return MoCoProjectionHead(width, settings.hidden or width, settings.dim)
    return ProjectionHead([(width, settings.dim, None, None)])
