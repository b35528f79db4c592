"""The generator that the settings name: a file of the user's, or the phantom generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.phantom.marker import seed_of
from ...foundation.errors import UserError
from ...foundation.files import expanded
from ...pretrain.generator.files import load_generator, read_generator_meta
from ...pretrain.generator.phantom_generator import phantom_generator, recipe_hash
from ...pretrain.generator.spec import GeneratorSpec

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs
    from ...foundation.progress import Progress
    from ...pretrain.generator.meta import GeneratorMeta
    from ...pretrain.generator.network import Generator
    from .settings import InversionSettings

# Of the deepest feature map of an encoder one position is left at this size.
SMALLEST = 32


class ChosenGenerator:
    """What is known of a generator before it is loaded or made.

    Args:
        settings: of the inversion.

    Raises UserError where the file is no generator, the recipe asks for one that cannot be, or the images would be
    smaller than SMALLEST.
    """

    def __init__(self, settings: InversionSettings):
        self._path = expanded(settings.generator) if settings.generator else None
        self._recipe = settings.phantom_generator
        self._meta: GeneratorMeta | None = None if self._path is None else read_generator_meta(self._path)
        spec = GeneratorSpec(self._recipe.resolution) if self._meta is None else self._meta.spec
        self.resolution = spec.resolution
        if self.resolution < SMALLEST:
            raise UserError(
                f"{self.words}: makes images of {self.resolution} px; encoders need {SMALLEST} px or more, so take "
                "another generator"
            )

    @property
    def words(self) -> str:
        """For messages."""
        return "the phantom generator" if self._path is None else f"generator {self._path}"

    def identity(self) -> dict[str, Any]:
        """What it is in a fingerprint, as JSON: never a path."""
        if self._meta is None:
            return {"phantom": recipe_hash(self._recipe), "resolution": self.resolution}
        return {"name": self._meta.name, "sha256": self._meta.sha256, "resolution": self.resolution}

    def check_data(self, radiographs: Radiographs, task: str) -> None:
        """Raise UserError where real images would be sought by a generator that knows phantoms only, where it learns
        from these very phantoms, or where its file is damaged: images are prepared next, and all that was read of it is
        the header."""
        if self._path is not None:
            load_generator(self._path)
        elif seed_of(radiographs.root) == self._recipe.phantom_seed:
            raise UserError(
                f"{task}: phantoms of seed {self._recipe.phantom_seed} are what the phantom generator learns from; "
                "take another seed"
            )
        if radiographs.synthetic or (self._meta is not None and not self._meta.synthetic):
            return
        raise UserError(
            f"{task}: {self.words} knows phantoms only, and {radiographs.dataset} is real: --set generator=FILE, made "
            "with `cxrbench generator train`, or from a trained StyleGAN2 with `cxrbench generator convert`"
        )

    def load(self, cache: Path, progress: Progress) -> tuple[Generator, GeneratorMeta]:
        """The generator in eval mode, float32, on the CPU, with frozen weights; the phantom one is made on first use.

        Raises UserError where its file has changed since its hash was taken.
        """
        path = self._path or phantom_generator(self._recipe, cache, progress)
        generator, meta = load_generator(path)
        if self._meta is not None and meta.sha256 != self._meta.sha256:
            raise UserError(f"{path}: has changed since the run began; start it again")
        return generator.eval().requires_grad_(False), meta
