"""Yes-or-no questions that all processes of a training must answer alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist

from .gathering import world_size


class Agreement:
    """What is true in one process is true for all.

    Asked after every step, several processes get the answer one step later, so that none waits for it; one process
    has it at once.
    """

    def __init__(self, device: torch.device):
        self._device = device
        self._under_way: tuple[Tensor, dist.Work] | None = None

    def after_step(self, answers: Sequence[bool]) -> list[bool]:
        """The answers that were given a step ago, or now in one process; each true where any process says so."""
        if world_size() == 1:
            return list(answers)
        before, mine = self._under_way, self._tensor(answers)
        work = dist.all_reduce(mine, dist.ReduceOp.MAX, async_op=True)
        assert work is not None
        self._under_way = mine, work
        if before is None:
            return [False] * len(answers)
        before[1].wait()
        return [bool(answer) for answer in before[0].tolist()]

    def now(self, answer: bool) -> bool:
        """Whether any process says yes; all wait for it."""
        if world_size() == 1:
            return answer
        mine = self._tensor([answer])
        dist.all_reduce(mine, dist.ReduceOp.MAX)
        return bool(mine.item())

    def _tensor(self, answers: Sequence[bool]) -> Tensor:
        return torch.tensor([int(answer) for answer in answers], dtype=torch.int32, device=self._device)
