"""One input that we and R are both asked about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import special

Input = np.ndarray | float | bool


@dataclass(frozen=True)
class Case:
    """Inputs of one test and what is known about them beforehand.

    Attributes:
        name: what is particular about it; unique within its test.
        inputs: arguments by name, arrays float64; in a batch every array has one leading axis more.
        batch: the first axis of the arrays counts independent inputs, which R is asked about one by one.
        flagged: our result has to say that it is degenerate.
        convention: our answer by quantity where R has none (an error, NA or NaN).
    """

    name: str
    inputs: Mapping[str, Input]
    batch: bool = False
    flagged: bool = False
    convention: Mapping[str, float] = field(default_factory=dict)

    def digest(self) -> str:
        """Hash of the inputs: equal for equal bits of names, shapes and values."""
        found = hashlib.sha256()
        for name, value in sorted(self.inputs.items()):
            array = np.ascontiguousarray(value, dtype="<f8")
            # Adding 0 makes -0 and 0 one number.
            found.update(f"{name} {array.shape} ".encode() + (array + 0.0).tobytes())
        return found.hexdigest()[:16]

    def rows(self) -> list[dict[str, Input]]:
        """The independent inputs, one by one."""
        if not self.batch:
            return [dict(self.inputs)]
        arrays = {name: value for name, value in self.inputs.items() if isinstance(value, np.ndarray)}
        count = {len(value) for value in arrays.values()}
        return [
            {name: value[row] if isinstance(value, np.ndarray) else value for name, value in self.inputs.items()}
            for row in range(min(count))
        ]


def generator(*seed: int) -> np.random.Generator:
    """Draws that a release of numpy does not change: use them through `normal` and `random` only."""
    return np.random.Generator(np.random.PCG64(seed))


def normal(rng: np.random.Generator, *shape: int, decimals: int = 6) -> np.ndarray:
    """Standard normal numbers, rounded so that the last bit of a machine's arithmetic does not matter."""
    return special.ndtri(rng.random(shape)).round(decimals)


def integers(rng: np.random.Generator, below: int | np.ndarray, *shape: int) -> np.ndarray:
    """Whole numbers from 0 to `below` - 1, as floats."""
    return np.floor(rng.random(shape) * below)
