"""Which trial stands against which, and what must not differ between the two."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results.record import Identity, Record
from cxrbench.results.regression.pairing import difference_between, pair

from ..stores import record


def trials(**changes: object) -> list[Record]:
    return [record(replicate=each, split={"hash": "s"}, **changes) for each in range(3)]


def test_weights_may_differ() -> None:
    new = [replace(each, weights={"sha256": "cd"}, fingerprint="f", code={"encoder": "x"}) for each in trials()]
    pairs, unasked = pair(trials(), new)
    assert [both for of_cell in pairs.values() for both in of_cell] == list(zip(trials(), new, strict=True))
    assert unasked == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"settings": {"image_size": 128}}, r"image_size \(64 / 128\)"),
        ({"dataset": {"name": "chexpert", "fingerprint": "b"}}, r"dataset.fingerprint \(absent / b\)"),
        ({"task_version": 2}, r"task_version \(1 / 2\)"),
        ({"split": {"hash": "t"}}, r"split \(s / t\)"),
        ({"code": {"task": "b"}}, r"code.task \(absent / b\)"),
    ],
)
def test_what_must_not_differ_is_named_with_both_values(changes: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named) as caught:
        pair(trials(), [replace(each, **changes) for each in trials()])  # type: ignore[arg-type]
    assert caught.value.exit_code == 2


def test_what_is_missing_is_none_and_what_is_not_asked_for_is_counted() -> None:
    new = [*trials()[:2], record(encoder="other")]
    pairs, unasked = pair(trials(), new)
    assert [new is None for of_cell in pairs.values() for _, new in of_cell] == [False, False, True]
    assert unasked == 1


def test_nothing_in_common_is_no_answer() -> None:
    with pytest.raises(UserError, match=r"none of the baseline's 3 trials is in it \(the first: scratch on chexpert"):
        pair(trials(), trials(encoder="other"))
    with pytest.raises(UserError, match=r"frozen 1 %, replicate 2\)"):
        pair(trials()[2:], trials(encoder="other"))


def test_a_trial_that_is_planned_is_held_to_the_same_as_one_that_ran() -> None:
    old = replace(trials()[0], code={"encoder": "x", "task": "y"})
    known = {each.name: getattr(old, each.name) for each in fields(Identity) if each.name != "split"}
    planned = Identity(**known, split="s")
    assert difference_between(old, planned) == ""
    assert difference_between(old, replace(planned, weights={}, code={"task": "y"})) == ""
    assert difference_between(old, replace(planned, split="t")) == "split (s / t)"
    assert difference_between(old, replace(planned, task_version=2)) == "task_version (1 / 2)"
    assert difference_between(old, replace(planned, code={"task": "z"})) == "code.task (y / z)"


def test_two_weights_under_one_name_are_not_chosen_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has 2 trials of it: .*0-a.* and .*0-b.*--rerun"):
        pair(trials(), [replace(each, fingerprint=name) for name in "ab" for each in trials()])


def test_a_store_of_two_settings_gives_the_one_of_the_baseline() -> None:
    other = [replace(each, settings={"image_size": 128}, fingerprint="b") for each in trials()]
    pairs, _ = pair(trials(), [*other, *trials()])
    assert [new for of_cell in pairs.values() for _, new in of_cell] == trials()
