"""A guess of what the pending trials of a plan cost, for `--dry-run`."""

from __future__ import annotations

import time
from collections.abc import Callable

from .plan import Group, Plan

TIMED_IMAGES = 8


def cost_in_seconds(plan: Plan, seconds_per_image: Callable[[Group], float]) -> float:
    """Upper guess for the pending trials: images passed times the seconds that one takes.

    Features that are cached already are not looked up.
    """
    total = 0.0
    for group in plan.groups:
        pending = [each.trial for each in group.pending]
        if not pending:
            continue
        seen = [group.data.task.images_seen(trial, group.data.radiographs) for trial in pending]
        images = max(seen) if group.data.task.shares_features(pending[0].protocol) else sum(seen)
        total += images * seconds_per_image(group)
    return total


def time_one_image(group: Group) -> float:
    """Seconds one image takes through the encoder on this machine, from one small batch; 0 where there is none."""
    import torch

    from ..tasks.reference import is_reference
    from ..training.device import autocast, channels_last, images_channels_last, resolve_device, resolve_precision

    if is_reference(group.encoder):
        return 0.0
    device = resolve_device()
    size = group.data.task.image_size
    batch = images_channels_last(torch.zeros(TIMED_IMAGES, 1, size, size, device=device))
    encoder = channels_last(group.encoder).eval().to(device)
    with torch.inference_mode(), autocast(device, resolve_precision("auto", device)):
        encoder(batch)
        start = time.perf_counter()
        encoder(batch).cpu()
    return (time.perf_counter() - start) / len(batch)
