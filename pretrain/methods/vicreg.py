"""VICReg: views agree, dimensions keep their variance and do not correlate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lightly.models.modules.heads import VICRegProjectionHead
from torch import Tensor

from ...training.gathering import gathered
from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images, stated
from ..parts.full_precision import full_precision
from ..parts.requirements import refuse_batch_of_one
from ..parts.variance_covariance import VarianceCovarianceLoss


class VICRegSettings(MethodSettings):
    """Settings of VICReg.

    Attributes:
        projection: width of the expander's three layers.
        alpha, beta, gamma: weights of invariance, variance and covariance (the paper's lambda, mu and nu).
        inv: whether the squared distance of two embeddings is averaged over dimensions or summed.
        var: whether the views' variance terms are summed or averaged.
    """

    projection: int = stated(8192, "section 4.2", ge=2)
    alpha: float = stated(25.0, "section 4.2", ge=0)
    beta: float = stated(25.0, "section 4.2", ge=0)
    gamma: float = stated(1.0, "section 4.2", ge=0)
    inv: Literal["mean", "sum"] = stated("mean", "algorithm 1 and released code; sum is equation 5")
    var: Literal["sum", "mean"] = stated("sum", "equation 6 and algorithm 1; mean is the released code")


class VICReg(Method):
    """Embeddings of two views are pulled together, and their variance and covariance keep them from collapsing.

        L = alpha inv(Z, Z') + beta [var(Z) + var(Z')] + gamma [cov(Z) + cov(Z')]

    The terms are those of `VarianceCovarianceLoss`. Images [B, S, S] -> features [B, D] -> embeddings Z
    [B, projection]; the statistics are those of the whole batch, over all processes. Each view passes alone.

    Source: Bardes 2022, arXiv:2105.04906, equations 1 to 6.

    Raises:
        UserError: a batch of one image.
    """

    Settings = VICRegSettings

    def __init__(self, encoder: Encoder, settings: VICRegSettings, shape: Shape):
        super().__init__(encoder, settings, shape)
        refuse_batch_of_one("vicreg", shape)
        self.expander = VICRegProjectionHead(encoder.meta.dim, settings.projection, settings.projection)
        self.terms = VarianceCovarianceLoss(
            settings.alpha, settings.beta, settings.gamma, inv=settings.inv, var=settings.var
        )

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        z1, z2 = (self.expander(self.encoder(images(batch[view]))) for view in ("one", "two"))
        self.watched = z1.detach()
        with full_precision(z1):
            return self.terms(gathered(z1.float()), gathered(z2.float()))
