"""COCO's average precision and recall of detections held as arrays, their resampling, and a paired test."""

from __future__ import annotations

from .boxes import Detections, Truth
from .matches import Matches
from .matching import match
from .metrics import METRICS
from .permutation import paired_permutation_test

__all__ = ["METRICS", "Detections", "Matches", "Truth", "match", "paired_permutation_test"]
