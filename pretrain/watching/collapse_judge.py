"""Whether embeddings have collapsed: thresholds, and the one warning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .collapse import Spread

FEATURES, PROJECTIONS = "features", "projections"

# One point. Projections of healthy methods on small networks stayed above 0.3; those of BYOL without its target
# network, and of VICReg without variance and covariance, fell under 0.1 within 60 steps. Features are not centred and
# begin lower, at 0.26 in a random ResNet on radiographs.
LEAST_SD = {FEATURES: 0.05, PROJECTIONS: 0.1}
_USUAL_SD = {FEATURES: "0.2 and more is usual", PROJECTIONS: "near 1 is healthy"}
# One line. SimSiam without its stopped gradient falls from rank 35 to 2, but its SD stays near 0.5, because its
# projections are normalised over the batch. The rank of Barlow Twins falls as low, on the way to a healthy end: it
# begins by making all dimensions alike. Its embeddings then point both ways, at an SD above 0.8.
LEAST_RANK, ONE_SIDED_SD = 2.0, 0.7
# Two opposite points, however far apart.
TWO_POINTS_RANK = 1.2
# All embeddings alike to rounding, where no loss can pull them apart.
DEAD_SD = 1e-3

# A single batch may be odd; of three the median is not.
_LOOKS = 3
# A contrast with other images begins by pushing all embeddings away from the random ones in its queue, or from random
# neighbours, and so together: an SD of 0.03 for hundreds of steps, from which it comes back by itself.
_LOOKS_WITH_NEGATIVES = 100

_TRY = "try a lower training.lr, training.warmup_epochs = 10 or a larger batch"


@dataclass
class CollapseJudge:
    """Hears of every look at the embeddings, and warns once of each kind of them that has collapsed."""

    _last: dict[str, list[list[float]]] = field(default_factory=dict)
    _low: dict[str, int] = field(default_factory=dict)
    _warned: list[str] = field(default_factory=list)

    def look(self, step: int, spreads: Mapping[str, Spread], negatives: bool = False) -> str:
        """A warning where embeddings have collapsed; empty where not, or where it was said before.

        Args:
            step: of the training, from 0.
            spreads: of `features` and `projections`, whichever there are; what is not finite is passed over.
            negatives: whether the loss pushes embeddings of other images apart; it is then waited for longer.
        """
        patience = _LOOKS_WITH_NEGATIVES if negatives else 1
        return "\n".join(filter(None, (self._judge(step, name, spreads[name], patience) for name in spreads)))

    @property
    def collapsed(self) -> tuple[str, ...]:
        """What it has warned of."""
        return tuple(self._warned)

    def state(self) -> dict[str, Any]:
        """What a resume checkpoint must hold."""
        return {"last": self._last, "low": self._low, "warned": self._warned}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._last, self._low, self._warned = state["last"], state["low"], state["warned"]

    def _judge(self, step: int, name: str, spread: Spread, patience: int) -> str:
        if math.isnan(spread.sd) or math.isnan(spread.rank) or name in self._warned:
            return ""
        last = self._last.setdefault(name, [])
        last.append([spread.sd, spread.rank])
        del last[:-_LOOKS]
        if len(last) < _LOOKS:
            return ""
        sd, rank = (median(values) for values in zip(*last, strict=True))
        why = _why(name, sd, rank, spread.highest)
        self._low[name] = self._low.get(name, 0) + 1 if why else 0
        if not why or (self._low[name] < patience and sd >= DEAD_SD):
            return ""
        self._warned.append(name)
        return f"step {step}: the {name} are collapsing: {why}; {_TRY}"


def _why(name: str, sd: float, rank: float, highest: int) -> str:
    """Which number says so and what it should be; empty where none does."""
    if sd < LEAST_SD[name]:
        return f"their SD is {sd:.3f}: {_USUAL_SD[name]}, under {LEAST_SD[name]:g} they are nearly one point"
    if rank < (LEAST_RANK if sd < ONE_SIDED_SD else TWO_POINTS_RANK):
        return f"their effective rank is {rank:.1f} of {highest}: under {LEAST_RANK:g} they lie along one line"
    return ""
