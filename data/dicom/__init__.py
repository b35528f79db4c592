"""DICOM files: their pixels as grey arrays, and a few header elements of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.handing_on import lazily

if TYPE_CHECKING:
    from .headers import read_headers
    from .reading import read_dicom

__all__ = ["read_dicom", "read_headers"]

_HOMES = {"read_dicom": "reading", "read_headers": "headers"}

__getattr__ = lazily(__name__, _HOMES)
