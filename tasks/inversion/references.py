"""Rows of an inversion that have no encoder, and what every row adds to the error of the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.errors import UserError
from ..image_quality.lpips_files import load_lpips, lpips_identity
from ..perceptual.loss import PerceptualLoss, check_encoder
from ..perceptual.lpips_loss import LpipsLoss
from ..perceptual.settings import of_variant
from ..reference import is_reference, reference

if TYPE_CHECKING:
    from ...pretrain.encoder import Encoder
    from ..image_quality.lpips_files import LpipsSettings
    from ..perceptual.settings import PerceptualSettings

MSE_ALONE = "mse_alone"
LPIPS = "lpips"


def references_of(lpips: LpipsSettings) -> tuple[Encoder, ...]:
    """`mse_alone`, and `lpips` where the user's files are named."""
    alone = reference(MSE_ALONE, "no encoder: the error of pixels alone")
    identity = lpips_identity(lpips)
    return (alone,) if identity is None else (alone, reference(LPIPS, "LPIPS in the place of an encoder", identity))


def check_row(encoder: Encoder, lpips: LpipsSettings) -> None:
    """Raise UserError where `encoder` is neither one of the references nor of use as a perceptual loss.

    That of LPIPS has files, which must fit.
    """
    if not is_reference(encoder):
        check_encoder(encoder)
    elif encoder.meta.name not in (MSE_ALONE, LPIPS):
        raise UserError(f"{encoder.meta.name}: no row of an inversion; it has {MSE_ALONE} and {LPIPS}")
    elif encoder.meta.name == LPIPS and load_lpips(lpips) is None:
        raise UserError("lpips: name its files, --set lpips.backbone=FILE and --set lpips.linear=FILE")


def loss_of(
    encoder: Encoder, settings: PerceptualSettings, variant: str, lpips: LpipsSettings
) -> PerceptualLoss | LpipsLoss | None:
    """The perceptual loss of a row, with the weight of `raw`; None for the error of pixels alone.

    Raises UserError as `check_row` does.
    """
    check_row(encoder, lpips)
    if not is_reference(encoder):
        return PerceptualLoss(encoder, of_variant(settings, variant), settings.weight)
    network = load_lpips(lpips) if encoder.meta.name == LPIPS else None
    return None if network is None else LpipsLoss(network, settings.weight)
