"""Several randomly changed views of each image, as the pretraining methods compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.handing_on import lazily

if TYPE_CHECKING:
    from .presets import VIEW_PRESETS
    from .recipe import TRANSFORMS
    from .views import Views

__all__ = ["TRANSFORMS", "VIEW_PRESETS", "Views"]

# Looked up on use, because `Views` imports OpenCV and the names of the presets do not.
_HOMES = {"TRANSFORMS": "recipe", "VIEW_PRESETS": "presets", "Views": "views"}

__getattr__ = lazily(__name__, _HOMES)
