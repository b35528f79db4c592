"""What every task is: its description, and the five things it can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..foundation.errors import UserError, unknown_name
from ..foundation.progress import Progress, SilentProgress
from .trial import Comparison, TestName, Trial, TrialResult

if TYPE_CHECKING:
    from ..data.images import Images
    from ..data.preprocessing import Preset
    from ..data.radiographs import Radiographs
    from ..data.splits import Split
    from ..pretrain.encoder import Encoder
    from .predictions import Predictions


@dataclass(frozen=True)
class TaskMeta:
    """What is known of a task before anything runs.

    Attributes:
        name: registered name.
        version: raised whenever a change would change results.
        title: one line for people.
        dataset: registered name of the dataset it reads.
        main_metric: the one that tables show first.
        metrics: name -> True where higher is better.
        tests: names of the tests that compare encoders on it: the papers' own and those that decide.
        protocols: which of frozen and finetune it has, the first being the default.
        variants: versions of the task, the first being the default.
        replicates: default plan: fraction in per cent -> number of replicates.
        source: the paper and table it comes from.
    """

    name: str
    version: int
    title: str
    dataset: str
    main_metric: str
    metrics: Mapping[str, bool]
    tests: tuple[TestName, ...]
    protocols: tuple[str, ...]
    variants: tuple[str, ...]
    replicates: Mapping[float, int]
    source: str = ""

    def higher_is_better(self, metric: str) -> bool:
        """Direction of a metric; that of one label (`auc/Edema`) is that of its mean, and unnamed ones rise."""
        return self.metrics.get(metric.partition("/")[0], True)


@dataclass(frozen=True)
class Context:
    """Where a task runs.

    Attributes:
        cache: folder for what can be made again.
        checkpoint_of: the file from which a long trial can go on after a crash; None for no file.
        progress: who is told.
        made_images_of: the file in the cache for images that a trial makes, which figures show; None for no file.
    """

    cache: Path
    checkpoint_of: Callable[[Trial], Path | None] = lambda trial: None
    progress: Progress = field(default_factory=SilentProgress)
    made_images_of: Callable[[Trial], Path | None] = lambda trial: None


class Task(ABC):
    """A dataset, a head, a metric and a test. Instances are immutable: `configured` gives a changed copy."""

    meta: TaskMeta

    @abstractmethod
    def configured(self, preset: str | None, overrides: Mapping[str, Any], where: str) -> Self:
        """This task with a named preset and then dotted overrides. Raises UserError naming `where`."""

    @property
    @abstractmethod
    def presets(self) -> tuple[str, ...]:
        """Names that `configured` takes."""

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Side in pixels of the square images that `run` gets."""

    @property
    @abstractmethod
    def preprocessing(self) -> Preset:
        """Name of the preprocessing that `run` expects."""

    @abstractmethod
    def settings_of(self, trial: Trial) -> dict[str, Any]:
        """All resolved settings that bear on `trial`, as JSON: they enter its fingerprint."""

    @abstractmethod
    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        """How many images a trial passes through the network at most: a guess of its cost."""

    def shares_features(self, protocol: str) -> bool:
        """Whether the trials of a group are all made from one pass of the images through the encoder."""
        return protocol == "frozen"

    def select(self, radiographs: Radiographs) -> Radiographs:
        """The samples this task uses (all, unless a task looks at some views only)."""
        return radiographs

    @abstractmethod
    def split(self, radiographs: Radiographs, trial: Trial) -> Split:
        """Who trains, who validates, who tests. Never depends on the encoder."""

    @abstractmethod
    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        """Run trials of one encoder, variant and protocol, each result as soon as it is there.

        `trials` is consumed one by one: a trial is taken only when the one before has been given back,
        so that several processes can share a plan. What a trial gives does not depend on the others.
        """

    @abstractmethod
    def score(self, predictions: Predictions) -> dict[str, float | None]:
        """Metrics of one trial from its predictions alone; None where a metric is undefined."""

    @abstractmethod
    def compare(self, a: Predictions, b: Predictions) -> list[Comparison]:
        """Paired differences between two trials on the same test set. Raises RefusedError where it is not."""

    def samples_of(self, predictions: Predictions) -> Sequence[str]:
        """The test sample that each row speaks of: its own id, unless a task has several rows a sample."""
        return predictions.table["sample_id"].tolist()

    def paired(self, a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
        """Both trials' predictions row by row, and of each only what both have. Raises RefusedError where test sets
        differ."""
        return a.aligned_with(b)

    def weighted(self, predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray]:
        """A metric as a function of how often each row counts, for the bootstrap.

        The function takes whole weights [B, N] and gives [B], NaN where the metric is undefined. This one repeats
        rows and scores them again, which is right for every metric and slow; a family has array forms.
        """

        def values(weights: np.ndarray) -> np.ndarray:
            found = [self.score(predictions.repeated(each)).get(metric) for each in weights]
            return np.array([np.nan if value is None else value for value in found])

        return values

    def about(self, metric: str) -> str:
        """What a reader of a table must know about a metric beside its name; mostly nothing."""
        return ""

    def references(self) -> tuple[Encoder, ...]:
        """What every run of this task has beside the encoders asked for: trials without one, such as a loss of pixels
        alone. See `reference.py`."""
        return ()

    def check_encoder(self, encoder: Encoder, trial: Trial) -> None:  # noqa: B027
        """Raise UserError where `trial` cannot use `encoder` (no feature maps, say); asked before anything runs."""

    def check(self, protocol: str, variant: str) -> None:
        """Raise UserError where this task has no such protocol or variant."""
        if protocol not in self.meta.protocols:
            raise UserError(f"--protocol: {self.meta.name}: {unknown_name('protocol', protocol, self.meta.protocols)}")
        if variant not in self.meta.variants:
            raise UserError(f"--variant: {self.meta.name}: {unknown_name('variant', variant, self.meta.variants)}")
