"""Where encoders come from: networks, their weights, and the zoo of named ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation.handing_on import lazily

if TYPE_CHECKING:
    from .encoder import Encoder, EncoderMeta
    from .loading import load_encoder
    from .parts.ifa import ifa_loss
    from .saving import save_encoder
    from .source import EncoderSource, encoders

__all__ = ["Encoder", "EncoderMeta", "EncoderSource", "encoders", "ifa_loss", "load_encoder", "save_encoder"]

# Name -> module; looked up on use, because most of them import torch.
_HOMES = {
    "Encoder": "encoder",
    "EncoderMeta": "encoder",
    "EncoderSource": "source",
    "encoders": "source",
    "ifa_loss": "parts.ifa",
    "load_encoder": "loading",
    "save_encoder": "saving",
}

__getattr__ = lazily(__name__, _HOMES)
