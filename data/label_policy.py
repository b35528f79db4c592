"""What a label that a radiologist left open counts as: the policies of the CheXpert paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..foundation.errors import UserError, unknown_name

POLICIES = ("ones", "zeros", "ignore", "mixed")

# Irvin et al. 2019 (arXiv:1901.07031), section 4: uncertain edema and atelectasis did best counted as present.
_PRESENT_WHERE_UNCERTAIN = ("Edema", "Atelectasis")


def apply_policy(targets: np.ndarray, policy: str, labels: Sequence[str]) -> np.ndarray:
    """Targets for training or scoring, from labels as the dataset states them.

    A blank (not mentioned) counts as absent under every policy.

    Args:
        targets: [N, L], 1 present, 0 absent, -1 uncertain, NaN not stated.
        policy: uncertain counts as present (`ones`), as absent (`zeros`), as not known (`ignore`), or as present for
            Edema and Atelectasis and absent for all others (`mixed`).
        labels: the L names; only `mixed` reads them.

    Returns:
        [N, L] float64 of 1, 0 and, under `ignore` only, NaN for what the loss and the metric leave out.

    Raises:
        UserError: an unknown policy, a number of labels that is not L, or a value that is none of the four.
    """
    if policy not in POLICIES:
        raise unknown_name("label policy", policy, POLICIES)
    stated = np.asarray(targets, dtype=np.float64)
    if stated.ndim != 2 or stated.shape[1] != len(labels):
        raise UserError(f"targets of shape {stated.shape} do not fit {len(labels)} labels; give one column a label")
    blank = np.isnan(stated)
    odd = stated[~blank & ~np.isin(stated, (-1.0, 0.0, 1.0))]
    if odd.size:
        raise UserError(f"label value {odd[0]:g} is not 1, 0, -1 or blank; correct the dataset's table")
    return np.where(stated == -1.0, _uncertain(policy, labels), np.where(blank, 0.0, stated))


def _uncertain(policy: str, labels: Sequence[str]) -> np.ndarray:
    """What uncertain counts as under `policy`, one value a label: [L]."""
    if policy == "mixed":
        return np.array([float(label in _PRESENT_WHERE_UNCERTAIN) for label in labels])
    return np.full(len(labels), {"ones": 1.0, "zeros": 0.0, "ignore": np.nan}[policy])
