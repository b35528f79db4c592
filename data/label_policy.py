"""What labels count as that were left open (the policies of the CheXpert paper) or that readers dispute (votes)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..foundation.errors import UserError, unknown_name

POLICIES = ("ones", "zeros", "ignore", "mixed")

Readers = Literal["any", "majority", "consensus"]
READERS: tuple[Readers, ...] = ("any", "majority", "consensus")

# Irvin et al. 2019 (arXiv:1901.07031), section 4: uncertain edema and atelectasis did best counted as present.
_PRESENT_WHERE_UNCERTAIN = ("Edema", "Atelectasis")


def apply_policy(
    targets: np.ndarray, policy: str, labels: Sequence[str], *, readers: Readers = "majority"
) -> np.ndarray:
    """Targets for training or scoring, from labels as the dataset states them.

    A blank (not mentioned) counts as absent under every policy.

    Args:
        targets: [N, L], 1 present, 0 absent, -1 uncertain, NaN not stated, and between 0 and 1 the share of the
            readers who saw it.
        policy: uncertain counts as present (`ones`), as absent (`zeros`), as not known (`ignore`), or as present for
            Edema and Atelectasis and absent for all others (`mixed`).
        labels: the L names; only `mixed` reads them.
        readers: where readers disagree, present counts what one of them saw (`any`), more than half of them
            (`majority`) or all of them (`consensus`). Changes nothing where they agree.

    Returns:
        [N, L] float64 of 1, 0 and, under `ignore` only, NaN for what the loss and the metric leave out.

    Raises:
        UserError: an unknown policy, a number of labels that is not L, or a value that is none of these.
    """
    if policy not in POLICIES:
        raise unknown_name("label policy", policy, POLICIES)
    if readers not in READERS:
        raise unknown_name("reader policy", readers, READERS)
    stated = np.asarray(targets, dtype=np.float64)
    if stated.ndim != 2 or stated.shape[1] != len(labels):
        raise UserError(f"targets of shape {stated.shape} do not fit {len(labels)} labels; give one column a label")
    blank = np.isnan(stated)
    odd = stated[~blank & (stated != -1.0) & ~((stated >= 0.0) & (stated <= 1.0))]
    if odd.size:
        raise UserError(
            f"label value {odd[0]:g} is not 1, 0, -1, blank or a share of readers; correct the dataset's table"
        )
    least = {"any": 0.0, "majority": 0.5, "consensus": 1.0}[readers]
    disputed = (stated > 0.0) & (stated < 1.0)
    stated = np.where(disputed, (stated > least).astype(np.float64), stated)
    return np.where(stated == -1.0, _uncertain(policy, labels), np.where(blank, 0.0, stated))


def _uncertain(policy: str, labels: Sequence[str]) -> np.ndarray:
    """What uncertain counts as under `policy`, one value a label: [L]."""
    if policy == "mixed":
        return np.array([float(label in _PRESENT_WHERE_UNCERTAIN) for label in labels])
    return np.full(len(labels), {"ones": 1.0, "zeros": 0.0, "ignore": np.nan}[policy])
