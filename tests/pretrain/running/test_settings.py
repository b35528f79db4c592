"""The method's card under what the user set, and who says what."""

from __future__ import annotations

from typing import Any

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method_card import methods
from cxrbench.pretrain.running.settings import PretrainingSettings, pretraining_settings, shown_settings


def settings(method: str, **values: Any) -> PretrainingSettings[Any]:
    source = methods.get(method)
    given = {key.replace("__", "."): value for key, value in values.items()}
    return pretraining_settings(method, source.card, source.load(), given)


@pytest.mark.parametrize("method", methods.names())
def test_every_method_has_whole_settings(method: str) -> None:
    found, card = settings(method), methods.get(method).card
    assert found.views.preset == card.views
    assert found.image_size == card.image_size
    for key, value in card.training.items():
        if key != "lr":
            assert getattr(found.training, key) == value
    assert found.channels == 1
    assert found.initialisation == "xavier_uniform"


def test_the_rate_of_a_card_for_256_images_follows_the_images_of_a_step() -> None:
    lr = methods.get("simsiam").card.training["lr"]
    assert settings("simsiam", training__batch_size=64).training.lr == lr / 4
    assert settings("simsiam", training__batch_size=64, training__accumulate=8).training.lr == lr * 2
    assert settings("simsiam", training__batch_size=64, training__lr=0.3).training.lr == 0.3


def test_a_shorter_training_has_a_shorter_warm_up() -> None:
    name = next(name for name in methods.names() if methods.get(name).card.training.get("warmup_epochs"))
    card = methods.get(name).card
    warmup, epochs = card.training["warmup_epochs"], card.training["epochs"]
    assert settings(name, training__epochs=1).training.warmup_epochs == pytest.approx(warmup / epochs)
    assert settings(name, training__epochs=2 * epochs).training.warmup_epochs == warmup
    assert settings(name, training__epochs=5, training__warmup_epochs=2).training.warmup_epochs == 2


def test_wrong_settings_are_one_line() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"channels": 2}, "channels must be 1 or 3"),
        ({"normalisation__mean": 0.5}, "give both mean and std, or neither"),
        ({"image_size": 16}, "image_size"),
        ({"views__stored_size": 100}, "views.stored_size (100) is below image_size (224)"),
        ({"preprocessing": "papers"}, "preprocessing"),
        ({"method__projections": 3}, "did you mean 'method.projection'?"),
    ]
    for values, words in cases:
        with pytest.raises(UserError) as caught:
            settings("simsiam", **values)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_changes_no_weight_is_not_part_of_what_lasts() -> None:
    one = settings("simsiam")
    other = settings("simsiam", views__threads=3, checkpoint_seconds=1, watch__every=7)
    assert one.lasting == other.lasting
    assert one.lasting != settings("simsiam", views__stored_size=512).lasting


def test_every_value_says_who_says_so() -> None:
    card = methods.get("simsiam").card
    shown = {
        key: (value, origin) for key, value, origin in shown_settings({"training.epochs": 3}, card, settings("simsiam"))
    }
    assert shown["training.epochs"][1] == "set"
    assert "scaled with the batch" in shown["training.lr"][1]
    assert shown["normalisation.images"][1].startswith("ours: ")
    silent = [key for key in shown if key.startswith("method.") and not shown[key][1]]
    assert not silent
