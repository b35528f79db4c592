"""The pooled features of a step, taken as they pass, whichever way a method goes through the encoder."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..encoder import Encoder


class FeatureTap:
    """Placed before a step, it holds the first features [B, D] of it until it is emptied.

    Methods that need feature maps never call the encoder as a whole, so that its last stage is listened to as well;
    the features of a backbone without stages are caught where it is called as a whole, else not.
    """

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []
        self._features: Tensor | None = None

    def place(self, encoder: Encoder) -> None:
        """Catch the next features that `encoder` gives."""
        self.empty()
        modules: list[nn.Module] = [encoder]
        if encoder.blocks is not None:
            modules.append(encoder.blocks[-1])
        self._handles = [module.register_forward_hook(self._catch) for module in modules]

    def empty(self) -> Tensor | None:
        """What was caught since it was placed; it catches nothing more."""
        for handle in self._handles:
            handle.remove()
        found, self._handles, self._features = self._features, [], None
        return found

    def _catch(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if self._features is None and isinstance(output, Tensor) and output.ndim in (2, 4):
            output = output.detach()
            self._features = output.mean(dim=(2, 3)) if output.ndim == 4 else output
