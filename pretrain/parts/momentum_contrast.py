"""What MoCo v2 and the methods that add to it share: two networks, the shuffled keys, the queue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from lightly.models.modules.heads import MoCoProjectionHead
from torch import Tensor, nn

from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images
from .contrast import Contrast
from .grouped_batch_norm import group_size_of, normalise_in_groups
from .key_shuffle import KeyShuffle
from .momentum import follow, momentum_copy

Pool = Callable[[int, Tensor], Tensor]

# Names in MoCo's checkpoints, without `module.`, and here. `fc.weight` is version 1's single layer.
_PARTS = {
    "encoder_q.fc.": "head.layers.",
    "encoder_k.fc.": "key_head.layers.",
    "encoder_k.": "key_encoder.network.body.",
}
_SINGLE = re.compile(r"(encoder_[qk]\.fc)\.(weight|bias)$")


class MomentumContrastSettings(MethodSettings):
    """What each of these methods can be set to; the sources stand at their own settings.

    Attributes:
        hidden: width of the head's hidden layer; 0 is the encoder's own width, as in MoCo v2.
        dim: width of embeddings.
        queue: keys of other images that a query is told apart from; a multiple of the batch.
        momentum: of the key network, at every step.
        temperature: of the contrast.
        group_size: images that batch normalisation takes together; with more than one group in a batch the keys
            are shuffled over all processes. A process with fewer images takes all that it has.
    """

    hidden: int
    dim: int
    queue: int
    momentum: float
    temperature: float
    group_size: int


@dataclass(frozen=True)
class Contrasted:
    """The InfoNCE loss of a batch, and maps of queries and keys, block -> [b, C, H, W], in the order of queries."""

    loss: Tensor
    query_maps: dict[int, Tensor]
    key_maps: dict[int, Tensor]


class MomentumContrast(Method):
    """Queries from view `one`, keys from view `two` through a network that follows with momentum.

    Where a batch is a single group of `group_size` images, all of it is normalised together and nothing is shuffled.

    Args:
        encoder: of the queries; its copy makes the keys. In training mode it normalises in groups from now on; its
            weights and their names stay, so that what is saved is a plain encoder.
        settings: see `MomentumContrastSettings`.
        shape: of the training.
        head: made for (features, hidden, dim); MoCo v2's without it.

    Raises:
        UserError: a queue or groups that do not fit the batch, or less than two images to normalise together.
    """

    # Groups of images are normalised apart, on purpose: not over all processes.
    own_batch_norm = True
    negatives = True

    def __init__(
        self, encoder: Encoder, settings: MomentumContrastSettings, shape: Shape, head: nn.Module | None = None
    ):
        super().__init__(encoder, settings, shape)
        self.group_size = group_size_of(settings.group_size, shape.batch_size, shape.processes)
        self.momentum = settings.momentum
        self.contrast = Contrast(settings.dim, settings.queue, settings.temperature, shape.batch_size)
        normalise_in_groups(encoder, self.group_size)
        width = encoder.meta.dim
        self.head = head or MoCoProjectionHead(width, settings.hidden or width, settings.dim)
        self.key_encoder = momentum_copy(encoder)
        self.key_head = momentum_copy(self.head)
        self.shuffle = KeyShuffle()

    def contrasted(
        self, batch: Mapping[str, Tensor], blocks: Sequence[int] = (), pool: Pool = lambda block, maps: maps
    ) -> Contrasted:
        """The InfoNCE loss of the batch, with the maps after `blocks` as `pool(block, map)` makes them smaller."""
        features, query_maps = _features_and_maps(self.encoder, images(batch["one"]), blocks, pool)
        query = self.head(features)
        with torch.no_grad():
            key, key_maps = self._keys(batch["two"], blocks, pool)
        self.watched = query.detach()
        return Contrasted(self.contrast(query, key), query_maps, key_maps)

    def after_step(self, step: int, steps: int) -> None:
        follow(self.key_encoder, self.encoder, self.momentum)
        follow(self.key_head, self.head, self.momentum)

    @classmethod
    def state_from(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Head, momentum network and queue of a checkpoint of MoCo (CheSS, IFA), and of its port to Lightning."""
        bare = {re.sub(r"^(?:module\.|model\.|_orig_mod\.)+", "", name): tensor for name, tensor in tensors.items()}
        found = {}
        for name, tensor in bare.items():
            name = _SINGLE.sub(r"\1.0.\2", name)
            prefix = next((prefix for prefix in _PARTS if name.startswith(prefix)), None)
            if prefix is not None:
                found[_PARTS[prefix] + name.removeprefix(prefix)] = tensor
        if "queue" in bare and bare["queue"].ndim == 2:
            # Theirs is [dim, size]; without the pointer the oldest key is taken to stand first.
            found["contrast.queue.keys"] = bare["queue"].T.contiguous()
            found["contrast.queue.place"] = bare.get("queue_ptr", torch.zeros(1)).reshape(-1)[0].to(torch.int64).clone()
        return found

    def _keys(self, views: Tensor, blocks: Sequence[int], pool: Pool) -> tuple[Tensor, dict[int, Tensor]]:
        order = self.shuffle.draw(len(views) * self.shape.processes, self.group_size, views.device)
        features, maps = _features_and_maps(self.key_encoder, images(order.taken(views)), blocks, pool)
        key = order.put_back(self.key_head(features))
        return key, {block: order.put_back(each) for block, each in maps.items()}


def _features_and_maps(
    encoder: Encoder, x: Tensor, blocks: Sequence[int], pool: Pool
) -> tuple[Tensor, dict[int, Tensor]]:
    if not blocks:
        return encoder(x), {}
    features, stages = encoder.pooled_and_stages(x)
    return features, {block: pool(block, stages[block]) for block in blocks}
