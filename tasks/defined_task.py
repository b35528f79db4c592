"""A task that a definition describes: what the families of tasks share, whatever they measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from ..foundation.errors import unknown_name
from ..foundation.settings import Settings, override
from ..training.settings import TrainingSettings
from .registry import TaskDefinition
from .task import Task

if TYPE_CHECKING:
    from ..data.preprocessing import Preset
    from ..data.radiographs import Radiographs
    from .trial import Trial


class TaskSettings(Settings):
    """What can be set about every task with images.

    Attributes:
        image_size: side in pixels of what the network sees; images are squares, whatever their aspect was.
        preprocessing: `default`, or `paper` (8-bit images are clipped and not stretched).
    """

    image_size: int
    preprocessing: Literal["default", "paper"] = "default"


class TrainedTaskSettings(TaskSettings):
    """What can be set about every task that trains a network.

    Attributes:
        training: see `TrainingSettings`.
    """

    training: TrainingSettings = TrainingSettings()


S = TypeVar("S", bound=TaskSettings)
T = TypeVar("T", bound=TrainedTaskSettings)


class DefinedTask(Task, Generic[S]):
    """A task with a definition and settings; a family says what they are and what it measures.

    Attributes:
        settings_kind: the family's settings, whose defaults a definition changes.
        metrics: name -> True where higher is better.
        settings: as resolved.
    """

    settings_kind: ClassVar[type[Any]]
    metrics: ClassVar[Mapping[str, bool]]

    def __init__(self, definition: TaskDefinition, settings: S):
        self._definition = definition
        self.settings = settings
        self.meta = definition.meta(self.metrics)

    @classmethod
    def from_definition(cls, definition: TaskDefinition) -> Self:
        """The task of a TOML in the catalog, or of a plug-in's own definition.

        Raises UserError for settings, or settings of a preset, that are wrong.
        """
        settings = override(cls.settings_kind(), definition.settings, f"task {definition.name}, settings")
        for preset, values in definition.presets.items():
            override(settings, values, f"task {definition.name}, preset {preset}")
        return cls(definition, settings)

    def configured(self, preset: str | None, overrides: Mapping[str, Any], where: str) -> Self:
        settings = self.settings
        if preset is not None:
            if preset not in self.presets:
                raise unknown_name("preset", preset, self.presets)
            settings = override(settings, self._definition.presets[preset], f"preset {preset}")
        settings = override(settings, overrides, where)
        self.check_settings(settings, where)
        return type(self)(self._definition, settings)

    def check_settings(self, settings: S, where: str) -> None:
        """Raise UserError, naming `where`, for what the types of the settings let pass."""

    @property
    def presets(self) -> tuple[str, ...]:
        return tuple(self._definition.presets)

    @property
    def image_size(self) -> int:
        return self.settings.image_size

    @property
    def preprocessing(self) -> Preset:
        return self.settings.preprocessing


class TrainedTask(DefinedTask[T]):
    """A task with a definition that trains a network with the one training loop."""

    def training_settings(self) -> dict[str, Any]:
        """The settings of the training as they enter a fingerprint, as JSON."""
        from ..training.device import resolve_device, resolve_precision

        training = self.settings.training
        shown = training.model_dump(mode="json")
        shown["precision"] = resolve_precision(training.precision, resolve_device(training.device))
        # Where it runs is provenance: the same training on another device is the same trial.
        shown.pop("device")
        return shown

    def images_trained_on(self, trial: Trial, radiographs: Radiographs, passes: int = 3) -> int:
        """Images that a training passes through the network at most; a step costs about three forward passes."""
        split = self.split(radiographs, trial)
        per_epoch = passes * len(split.train) + len(split.validation)
        return self.settings.training.epochs * per_epoch + len(split.test)
