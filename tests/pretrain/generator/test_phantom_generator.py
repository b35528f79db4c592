from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.generator import load_generator
from cxrbench.pretrain.generator import phantom_generator as module
from cxrbench.pretrain.generator.phantom_generator import PhantomGeneratorSettings, phantom_generator, recipe_hash

TINY = {
    "resolution": 16,
    "images": 24,
    "phantom_size": 32,
    "w_dim": 4,
    "channel_base": 64,
    "channel_max": 4,
    "steps": 4,
}


def tiny(**changes: Any) -> PhantomGeneratorSettings:
    return PhantomGeneratorSettings.model_validate({**TINY, **changes})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_file_is_named_after_the_recipe_and_says_what_it_is(cache: Path) -> None:
    path = phantom_generator(tiny(), cache)
    assert path == cache / "generators" / f"{recipe_hash(tiny())}.safetensors"
    generator, meta = load_generator(path)
    assert (meta.kind, meta.synthetic, meta.name) == ("StyleGAN2-architecture autoencoder", True, "phantom")
    assert "synthetic phantoms of vindr (seed 20200)" in meta.trained_on
    assert meta.spec.resolution == 16
    assert generator.grey(generator.w_avg[None]).shape == (1, 1, 16, 16)
    assert [each.name for each in path.parent.iterdir() if not each.name.endswith(".lock")] == [path.name]


def test_it_is_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = phantom_generator(tiny(), cache)
    monkeypatch.setattr(module, "_make", None)
    assert phantom_generator(tiny(), cache) == path


def test_equal_recipes_give_equal_weights_in_another_cache(cache: Path, tmp_path: Path) -> None:
    first, _ = load_generator(phantom_generator(tiny(), cache))
    # The phantoms and their images are the slow part.
    for folder in ("phantoms", "images"):
        (tmp_path / folder).symlink_to(cache / folder)
    second, _ = load_generator(phantom_generator(tiny(), tmp_path))
    weights = second.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.state_dict().items())


def test_killed_before_its_end_it_leaves_no_file_and_goes_on(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tiny(seed=1)
    path = cache / "generators" / f"{recipe_hash(settings)}.safetensors"

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cxrbench.pretrain.generator.files.save_generator", die)
        with pytest.raises(KeyboardInterrupt):
            phantom_generator(settings, cache)
    assert not path.exists()
    assert phantom_generator(settings, cache) == path


@pytest.mark.parametrize("change", [{"steps": 5}, {"seed": 1}, {"lr": 0.02}, {"phantom_seed": 3}, {"w_dim": 5}])
def test_another_recipe_has_another_hash(change: dict[str, Any]) -> None:
    assert recipe_hash(tiny(**change)) != recipe_hash(tiny())
    assert recipe_hash(tiny(), "bse_jsrt") != recipe_hash(tiny())


def test_recipes_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="resolution 48: must be a power of two") as found:
        phantom_generator(tiny(resolution=48), tmp_path)
    assert "\n" not in str(found.value)
    with pytest.raises(UserError, match="fewer than a batch of 200; raise images"):
        phantom_generator(tiny(batch_size=200), tmp_path)
