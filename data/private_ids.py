"""Ids of patients and images as hashes, for data whose ids must not leave a hospital."""

from __future__ import annotations

import hashlib

import pandas as pd

DIGITS = 16


def hashed(ids: pd.Series, salt: str) -> pd.Series:
    """The first 16 hexadecimal digits of SHA-256 over `salt` and each id: text [N], equal for equal ids.

    Numbers are hashed as they are printed; missing ids stay missing. Without the salt the ids cannot be found by
    trying; whoever has it can, so it is a secret.
    """
    codes, names = pd.factorize(ids)
    digests = [hashlib.sha256(f"{salt}\x1f{name}".encode()).hexdigest()[:DIGITS] for name in names]
    # -1, the code of a missing id, takes nothing.
    values = pd.array(digests, dtype="str").take(codes, allow_fill=True)
    return pd.Series(values, index=ids.index, name=ids.name)
