"""What happened in a training, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """One row an epoch, and how it ended.

    Attributes:
        rows: epoch (from 1), lr (of its last step), loss (mean over its batches), validation_<metric> as
            the validation gave them, seconds (of the training part), images_per_second.
        best_epoch: the epoch whose weights the network has at the end.
        stopped: why it ended, and why these weights, in words.
        not_finite: which loss of which epoch and step was not a number, where that ended it; else empty.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""
    not_finite: str = ""
