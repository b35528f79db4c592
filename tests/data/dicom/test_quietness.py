"""What pydicom warns of stays away from the terminal; what others warn of does not."""

from __future__ import annotations

import warnings

import pytest
from pydicom.uid import UID

from cxrbench.data.dicom.quietness import silence_pydicom


def test_warnings_of_pydicom_are_silent_whatever_filters_came_before_and_others_are_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="Invalid value for VR UI"):
            UID("no uid")
        silence_pydicom()
        UID("no uid")
        with pytest.raises(UserWarning, match="ours"):
            warnings.warn("ours", stacklevel=1)


def test_one_filter_stands_however_often_it_is_asked_for() -> None:
    with warnings.catch_warnings():
        silence_pydicom()
        before = list(warnings.filters)
        silence_pydicom()
        assert list(warnings.filters) == before
