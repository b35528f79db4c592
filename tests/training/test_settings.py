from __future__ import annotations

import pytest
from pydantic import ValidationError

from cxrbench.training import TrainingSettings


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lr": 0}, "greater than 0"),
        ({"lr": float("nan")}, "finite"),
        ({"weight_decay": -1}, "greater than or equal to 0"),
        ({"momentum": 1.0}, "less than 1"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"optimiser": "lion"}, "'adamw', 'adam', 'sgd' or 'lars'"),
        ({"precision": "float16"}, "'auto', 'float32' or 'bf16'"),
        ({"plateau_factor": 1.0}, "less than 1"),
        ({"warmup_epochs": 5, "epochs": 4}, "longer than epochs"),
        ({"devices": 8, "batch_size": 4}, "smaller than devices"),
        ({"optimiser": "lars", "weight_decay": 0}, "lars adapts only what decays"),
        ({"learning_rate": 1e-3}, "not permitted"),
    ],
)
def test_wrong_setting_is_refused_with_its_bound(wrong: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TrainingSettings(**wrong)


def test_settings_survive_a_round_trip_through_json() -> None:
    settings = TrainingSettings(optimiser="sgd", schedule="plateau", clip=1.0)
    assert TrainingSettings.model_validate_json(settings.model_dump_json()) == settings
