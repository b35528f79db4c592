"""MLVICX: variance, invariance and covariance of a global and of a multi-level embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn

from ...foundation.errors import UserError
from ...training.gathering import gathered
from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images, stated
from ..parts.context_bottleneck import ContextBottleneck
from ..parts.full_precision import full_precision
from ..parts.mlvicx_checkpoint import parts_of_checkpoint
from ..parts.multi_level_embedding import MultiLevelEmbedding
from ..parts.requirements import refuse_batch_of_one
from ..parts.variance_covariance import VarianceCovarianceLoss

LAST = 4


class MLVICXSettings(MethodSettings):
    """Settings of MLVICX.

    Attributes:
        global_loss: weight of L_G; 0 (or false) leaves it out.
        local_loss: lambda, the weight of L_L; 0 (or false) leaves it out.
        alpha, beta, gamma: weights of invariance, variance and covariance in both.
        inv: whether the squared distance of two embeddings is averaged over dimensions or summed.
        var: whether the views' variance terms are summed or averaged.
        bottlenecks: the stem (0) and stages (1 to 4) that a context-bottleneck follows; the multi-level embedding
            is made of these.
        reduction: how many times narrower channel attention is inside.
        width: common width of the maps in the multi-level embedding.
        grid: side that they are resized to.
        cells: side that they are averaged to.
        aggregation: how they come together.
        projection: width of the expanders' three layers.
        final_norm: whether batch normalisation follows the expanders' last layer too.
    """

    global_loss: float = stated(1.0, "the paper's equation of L, and released code", ge=0)
    local_loss: float = stated(1.0, "released code; the paper gives no lambda", ge=0)
    alpha: float = stated(25.0, "VICReg's, and released code", ge=0)
    beta: float = stated(25.0, "VICReg's, and released code", ge=0)
    gamma: float = stated(1.0, "VICReg's, and released code", ge=0)
    inv: Literal["mean", "sum"] = stated("mean", "released code; sum is the paper's equation")
    var: Literal["sum", "mean"] = stated("sum", "the paper's equation; mean is the released code")
    bottlenecks: tuple[int, ...] = stated((0, 1, 2, 3, 4), "released code")
    reduction: int = stated(2, "released code", ge=1)
    width: int = stated(512, "released code", ge=1)
    grid: int = stated(64, "released code", ge=1)
    cells: int = stated(4, "released code", ge=1)
    aggregation: Literal["sum", "concatenation"] = stated("sum", "released code; concatenation is figure 1")
    projection: int = stated(2048, "the paper; 4096 in the released code", ge=2)
    final_norm: bool = stated(False, "the paper; true is the released code")


class MLVICX(Method):
    """VICReg's loss of a global embedding, and of an embedding of all stages; bottlenecks feed the next stage.

        y_p  = stage_p(y^_{p-1})                             y^_p = bottleneck_p(y_p), see `ContextBottleneck`
        G    = expander(mean of y^_4 over positions)         [B, projection]
        E    = expander(multi-level embedding of y^_0..4)    [B, projection], see `MultiLevelEmbedding`
        L    = global_loss * L_G + local_loss * L_L          L_G: `VarianceCovarianceLoss` of G, L_L: of E

    Both views pass the same networks, each alone. Statistics are those of the whole batch, over all processes.
    What is kept is the encoder alone, without bottlenecks.

    Source: Singh, Gorade and Mishra 2024, arXiv:2403.11504.

    Raises:
        UserError: both losses off, bottlenecks outside 0 to 4, a last stage that no loss reaches, an encoder that
            does not come apart into stages, or a batch of one image.
    """

    Settings = MLVICXSettings

    def __init__(self, encoder: Encoder, settings: MLVICXSettings, shape: Shape):
        super().__init__(encoder, settings, shape)
        refuse_batch_of_one("mlvicx", shape)
        _check(encoder, settings)
        self.weights = {"global": settings.global_loss, "local": settings.local_loss}
        channels = {stage: encoder.meta.stage_channels[stage] for stage in sorted(settings.bottlenecks)}
        self.bottlenecks = nn.ModuleDict(
            {str(stage): ContextBottleneck(each, settings.reduction) for stage, each in channels.items()}
        )
        # A part that no loss uses would get no gradient, for which several processes wait in vain.
        if settings.global_loss:
            last = encoder.meta.stage_channels[LAST]
            self.global_expander = _expander(last, settings.projection, settings.final_norm)
        if settings.local_loss:
            self.levels = MultiLevelEmbedding(
                list(channels.values()),
                width=settings.width,
                grid=settings.grid,
                cells=settings.cells,
                aggregation=settings.aggregation,
            )
            self.local_expander = _expander(self.levels.dim, settings.projection, settings.final_norm)
        self.terms = VarianceCovarianceLoss(
            settings.alpha, settings.beta, settings.gamma, inv=settings.inv, var=settings.var
        )

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        one, two = (self._embeddings(batch[view]) for view in ("one", "two"))
        self.watched = next(iter(one.values())).detach()
        with full_precision(batch["one"]):
            terms = {key: self.terms(gathered(one[key].float()), gathered(two[key].float())) for key in one}
        parts = [self.weights[key] * each["loss"] for key, each in terms.items()]
        named = {f"{key}_{name}": value for key, each in terms.items() for name, value in each.items()}
        return {"loss": parts[0] if len(parts) == 1 else parts[0] + parts[1], **named}

    @classmethod
    def state_from(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Bottlenecks, multi-level embedding and expanders of a released checkpoint."""
        return parts_of_checkpoint(tensors)

    def _embeddings(self, view: Tensor) -> dict[str, Tensor]:
        """A view uint8 [B, S, S] -> embeddings [B, projection], `global` first, of the losses that are on."""
        last, maps = self._pass(view)
        found: dict[str, Tensor] = {}
        if self.weights["global"]:
            found["global"] = self.global_expander(last.mean(dim=(2, 3)))
        if self.weights["local"]:
            found["local"] = self.local_expander(self.levels(maps))
        return found

    def _pass(self, view: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """The last stage's map, and the maps that bottlenecks gave."""
        blocks = self.encoder.blocks
        assert blocks is not None
        x = self.encoder.normalise(images(view))
        maps = []
        for stage, block in enumerate(blocks):
            x = block(x)
            if str(stage) in self.bottlenecks:
                x = self.bottlenecks[str(stage)](x)
                maps.append(x)
        return x, maps


def _check(encoder: Encoder, settings: MLVICXSettings) -> None:
    stages = settings.bottlenecks
    if encoder.blocks is None or not encoder.has_stages:
        raise UserError(
            f"mlvicx puts a network between the stages of an encoder, and {encoder.meta.name} ({encoder.meta.arch}) "
            "does not come apart into stages; take a ResNet, for example --arch resnet18"
        )
    if not settings.global_loss and not settings.local_loss:
        raise UserError("method.global_loss and method.local_loss are both 0, which leaves no loss; set one of them")
    if len(set(stages)) < len(stages) or not set(stages) <= set(range(LAST + 1)):
        raise UserError(f"method.bottlenecks = {list(stages)}: name stages from 0 (stem) to {LAST}, each once")
    if not settings.global_loss and LAST not in stages:
        raise UserError(
            f"method.bottlenecks = {list(stages)} without {LAST} and method.global_loss = 0: no loss reaches the last "
            f"stage; add {LAST} to method.bottlenecks or set method.global_loss"
        )
    if settings.local_loss and not stages:
        raise UserError("method.bottlenecks is empty, so there is no multi-level embedding; set method.local_loss = 0")


def _expander(taken: int, width: int, final_norm: bool) -> ProjectionHead:
    """Three linear layers, batch normalisation and ReLU between them: [B, taken] -> [B, width]."""
    return ProjectionHead(
        [
            (taken, width, nn.BatchNorm1d(width), nn.ReLU()),
            (width, width, nn.BatchNorm1d(width), nn.ReLU()),
            (width, width, nn.BatchNorm1d(width) if final_norm else None, None),
        ]
    )
