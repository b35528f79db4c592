"""The papers' numbers: all there, with their sources, and their contradictions found again."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from cxrbench.results import published_numbers as reader
from cxrbench.results.published_numbers import (
    COMPUTED_MEAN,
    MEAN_CHECK,
    mean_checks,
    published_number,
    published_numbers,
)

TABLE_1 = ("MLVICX", "I", "NIH ChestX-ray14")


def test_every_line_of_the_files_is_read() -> None:
    lines = 0
    for path in sorted(Path(reader.FOLDER).glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            lines += len(list(csv.DictReader(file)))
    # The check's 48 lines become computed means.
    assert len(published_numbers()) == lines == 12 + 19 + 3 + 720 + 48 + 240 + 48 + 18


def test_every_number_has_a_source_that_names_its_paper() -> None:
    assert all(number.paper.split()[0] in number.source for number in published_numbers())
    assert {number.paper for number in published_numbers()} == {"CheSS", "IFA", "MLVICX"}


def test_numbers_read_in_the_paper() -> None:
    # arXiv:2403.11504v1: Table I, last row and Table III, last row.
    mean = published_number(*TABLE_1, "MLVICX", "finetune", "100%", "Mean", "AUC")
    assert mean is not None
    assert (mean.value, mean.decimals, mean.sd) == (0.790, 3, None)
    dice = published_number(
        "MLVICX", "III", "SIIM-ACR Pneumothorax", "MLVICX", "finetune", "100%", "pneumothorax mask", "Dice"
    )
    assert dice is not None
    assert (dice.value, dice.sd, dice.decimals) == (0.59, 0.01, 2)


def test_what_is_not_printed_is_none() -> None:
    assert published_number("IFA", "7", "CheXpert", "CheSS", "finetune", "1%", "Mean", "AUC") is None


def test_p_values_of_the_text_have_no_value() -> None:
    (t7, *_) = [number for number in published_numbers() if number.table == "text(T7)"]
    assert (t7.value, t7.p_value) == (None, "0.005")


def test_no_place_holds_two_numbers() -> None:
    places = Counter(
        (n.paper, n.table, n.dataset, n.model, n.protocol, n.fraction, n.label, n.metric)
        for n in published_numbers()
        if n.printed
    )
    assert max(places.values()) == 1


def test_check_of_the_means_follows_from_table_one() -> None:
    assert len(mean_checks()) == 48
    for check in mean_checks():
        row = [
            number
            for number in published_numbers()
            if (number.table, number.model, number.fraction) == ("I", check.model, check.fraction)
        ]
        values = [number.value for number in row if number.label not in ("Mean", COMPUTED_MEAN) and number.value]
        assert len(values) == 14
        assert sum(values) / 14 == pytest.approx(float(check.computed), abs=5.1e-5)
        assert [number.value for number in row if number.label == "Mean"] == [check.printed]
    assert Counter(check.flag for check in mean_checks()) == {"inconsistent": 35, "minor": 3, "rounding": 10}
    assert MEAN_CHECK in {path.name for path in reader.FOLDER.iterdir()}


def test_only_one_row_is_impossible_as_a_mean_of_fifteen() -> None:
    beyond = [(check.model, check.fraction) for check in mean_checks() if not 0.5 < check.fifteenth < 0.9]
    assert beyond == [("Barlow-Twins", "10%")]
    # 15 * 0.718 - 14 * 0.6884
    (check,) = [check for check in mean_checks() if check.fifteenth > 1]
    assert check.fifteenth == pytest.approx(1.1324)


@pytest.mark.parametrize("fraction", ["1%", "10%", "30%"])
def test_ablation_repeats_the_main_tables(fraction: str) -> None:
    nih = "NIH ChestX-ray14"
    last = "MLVICX ablation row 3 (L_G + L_L)"
    for table, protocol in (("I", "finetune"), ("II", "frozen")):
        main = published_number("MLVICX", table, nih, "MLVICX", protocol, fraction, "Mean", "AUC")
        ablation = published_number("MLVICX", "IV", nih, last, protocol, fraction, "Mean", "AUC")
        assert main is not None
        assert ablation is not None
        assert main.value == ablation.value
