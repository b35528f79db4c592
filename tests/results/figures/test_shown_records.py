from __future__ import annotations

import pytest

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.results.figures.shown_records import encoder_name, in_order, of_fraction, shown_records
from cxrbench.results.record import Record

from ..stores import record


def trial(encoder: str, fraction: float = 100.0, replicate: int = 0, **changes: object) -> Record:
    name = f"{encoder}{fraction}{replicate}{changes}"
    weights = {"sha256": encoder}
    given = {"encoder": encoder, "fraction": fraction, "replicate": replicate, "weights": weights, **changes}
    return record(fingerprint=name, **given)


RECORDS = [trial("a", 1.0), trial("a", 10.0), trial("b", 10.0), trial("b", 100.0), trial("c", 100.0)]


def test_encoders_stand_as_they_were_asked_for_else_sorted() -> None:
    assert in_order(RECORDS, ("c", "a")) == ["c", "a"]
    assert in_order(RECORDS[::-1], None) == ["a", "b", "c"]
    assert {each.encoder for each in shown_records(RECORDS, ("c", "a"))} == {"a", "c"}


def test_the_fraction_is_the_largest_that_all_have() -> None:
    assert {each.fraction for each in of_fraction(RECORDS[:4], None)} == {10.0}
    assert len(of_fraction(RECORDS[3:], None)) == 2
    with pytest.raises(UserError, match="no fraction that all of them have \\(a: 1, 10 %; b: 10, 100 %; c: 100 %\\)"):
        of_fraction(RECORDS, None)
    with pytest.raises(UserError, match="--fraction 100: a has 1, 10 % only"):
        of_fraction(RECORDS, 100.0)


@pytest.mark.parametrize(
    ("records", "choice", "said"),
    [
        (RECORDS, {"encoders": ("a", "bb")}, "--encoder: unknown encoder in these records 'bb'"),
        ([*RECORDS, trial("a", protocol="finetune")], {}, "--protocol: there are records of finetune, frozen; choose"),
        (RECORDS, {"protocol": "finetune"}, "--protocol: unknown protocol in these records 'finetune'; known: frozen"),
        ([*RECORDS, trial("a", variant="dc5")], {}, "--variant: there are records of dc5, default; choose one"),
        (RECORDS, {"variant": "c4"}, "--variant: unknown variant in these records 'c4'; known: default"),
        (RECORDS, {"settings": ("bbbbbbbb",)}, "--settings: unknown settings hash 'bbbbbbbb'"),
    ],
)
def test_what_is_not_there_or_not_chosen_is_one_line(
    records: list[Record], choice: dict[str, tuple[str, ...]], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        shown_records(records, **choice)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_several_settings_are_refused_until_one_is_chosen() -> None:
    records = [trial("a"), trial("b", settings_hash="bbbbbbbb", settings={"image_size": 32})]
    with pytest.raises(RefusedError, match="records of 2 settings: aaaaaaaa \\(1 trial\\), bbbbbbbb \\(1 trial\\)"):
        shown_records(records)
    assert [each.encoder for each in shown_records(records, settings=("bbbbbbbb",))] == ["b"]
    with pytest.raises(UserError, match="--settings: these encoders have no records of such settings"):
        shown_records(records, ("a",), settings=("bbbbbbbb",))


def test_names_bear_the_signs_of_any_of_their_records() -> None:
    records = [trial("a", 1.0), trial("a", 10.0, weights={"sha256": "a", "contamination": ["chexpert"]})]
    assert str(encoder_name(records, "a")) == "a ‡"
    assert str(encoder_name([trial("b", dataset={"name": "chexpert", "left_out": 2})], "b")) == "b ¶"
