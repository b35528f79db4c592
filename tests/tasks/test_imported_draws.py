"""Tasks whose splits come from a file: used as they are, refused where they cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.imported_splits import ImportedSplits
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.split_files import DrawName
from cxrbench.data.splits import ROLES, Split
from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.tasks.classification.draw import draw
from cxrbench.tasks.classification.settings import DrawSettings
from cxrbench.tasks.trial import Trial

from .test_draw import imbalanced

TRIAL = Trial("any", "six_class", "default", "frozen", 100, 0)


def with_file(data: Radiographs, split: Split) -> Radiographs:
    """`data` with the one draw of `TRIAL` imported."""
    ids = data.samples["sample_id"].to_numpy(dtype=str)
    name = DrawName(TRIAL.variant, TRIAL.fraction, TRIAL.replicate)
    draws = {name: {role: ids[getattr(split, role)] for role in ROLES}}
    return replace(data, splits=ImportedSplits(Path("splits.csv"), draws))


def test_the_file_decides_and_the_settings_of_the_draw_do_not() -> None:
    data = imbalanced()
    drawn = draw(data, TRIAL, 1, DrawSettings())
    other = draw(data, TRIAL, 1, DrawSettings(validation="val"))
    assert drawn.digest(data) != other.digest(data)
    assert draw(with_file(data, drawn), TRIAL, 1, DrawSettings(validation="val")).digest(data) == drawn.digest(data)


def test_images_that_a_selection_left_away_are_missed() -> None:
    data = imbalanced()
    fewer = with_file(data, draw(data, TRIAL, 1, DrawSettings())).where(np.arange(len(data)) != 0)
    with pytest.raises(
        UserError, match=r"splits.csv: default 100 % replicate 0 holds 1 sample \(.*\) that six_class has"
    ):
        draw(fewer, TRIAL, 1, DrawSettings())


def test_a_file_that_leaks_is_refused_even_where_nobody_checked_it_before() -> None:
    data = imbalanced()
    drawn = draw(data, TRIAL, 1, DrawSettings())
    leaking = with_file(data, Split(drawn.train, drawn.test, drawn.test))
    with pytest.raises(RefusedError, match="validation and test are the same"):
        draw(leaking, TRIAL, 1, DrawSettings())


def test_a_file_without_a_class_to_train_on_is_an_error() -> None:
    data = imbalanced()
    drawn = draw(data, TRIAL, 1, DrawSettings())
    nodules = data.samples["nodule"].to_numpy() == 1
    without = Split(drawn.train[~nodules[drawn.train]], drawn.validation, drawn.test)
    with pytest.raises(UserError, match="no training image of class nodule"):
        draw(with_file(data, without), TRIAL, 1, DrawSettings())


def test_a_draw_that_the_file_lacks_stops_the_trial() -> None:
    data = imbalanced()
    imported = with_file(data, draw(data, TRIAL, 1, DrawSettings()))
    with pytest.raises(
        UserError, match="no draws of variant default: 100 % replicate 1; it holds variant default: 100 % x 1"
    ):
        draw(imported, replace(TRIAL, replicate=1), 1, DrawSettings())
