"""Barlow Twins: the cross-correlation of two views' embeddings becomes the identity."""

from __future__ import annotations

from collections.abc import Mapping

from lightly.loss import BarlowTwinsLoss
from lightly.models.modules import BarlowTwinsProjectionHead
from torch import Tensor

from ...training.gathering import gathered
from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images, stated
from ..parts.full_precision import full_precision
from ..parts.requirements import refuse_batch_of_one


class BarlowTwinsSettings(MethodSettings):
    """Settings of Barlow Twins.

    Attributes:
        projection: width of the projection's three layers.
        redundancy: lambda, the weight of the off-diagonal of the cross-correlation.
    """

    projection: int = stated(8192, "section 2.2", ge=2)
    redundancy: float = stated(5e-3, "section 2.2", ge=0)


class BarlowTwins(Method):
    """Each dimension of the embedding agrees between views, and no two dimensions say the same.

        L = sum_j (1 - C_jj)^2 + lambda sum_{j != k} C_jk^2
        C_jk = 1/n sum_i z1_ij z2_ik                         z normalised over the n images: mean 0, variance 1

    Images [B, S, S] -> features [B, D] -> projections z [B, projection]. The cross-correlation C [projection,
    projection] is that of the whole batch, over all processes. Each view passes alone.

    Source: Zbontar 2021, arXiv:2103.03230, equations 1 and 2, and algorithm 1.

    Raises:
        UserError: a batch of one image.
    """

    Settings = BarlowTwinsSettings

    def __init__(self, encoder: Encoder, settings: BarlowTwinsSettings, shape: Shape):
        super().__init__(encoder, settings, shape)
        refuse_batch_of_one("barlow_twins", shape)
        self.projection = BarlowTwinsProjectionHead(encoder.meta.dim, settings.projection, settings.projection)
        self.cross_correlation = BarlowTwinsLoss(settings.redundancy)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        z1, z2 = (self.projection(self.encoder(images(batch[view]))) for view in ("one", "two"))
        self.watched = z1.detach()
        with full_precision(z1):
            loss = self.cross_correlation(gathered(z1.float()), gathered(z2.float()))
        return {"loss": loss}
