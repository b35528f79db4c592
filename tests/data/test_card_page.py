from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.data.card import DatasetCard, read_card
from cxrbench.data.card_page import count_table, facts, own_cards, page, write_page
from cxrbench.data.source import datasets

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
RENEW = "python -c \"from cxrbench.data.card_page import write_page; write_page('docs/datasets.md')\""
# Quantities that are counted whatever the labels are.
QUANTITIES = {"images", "patients", "studies", "frontal", "boxes", "boxed images", "masked images"}


def test_the_page_says_what_the_cards_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(own_cards()), f"docs/datasets.md is old; renew it: {RENEW}"


def test_write_page_writes_the_page(tmp_path: Path) -> None:
    write_page(tmp_path / "datasets.md")
    assert (tmp_path / "datasets.md").read_text(encoding="utf-8") == page(own_cards())


@pytest.mark.parametrize("name", own_cards())
def test_a_card_says_what_a_person_must_know(name: str) -> None:
    card = read_card(name)
    assert card.traps
    assert all(sentence.endswith(".") for sentence in (*card.traps, *card.forbids))
    assert card.description.endswith(".")
    if name in ("six_class", "coco_detection"):  # a user's own images
        return
    assert card.forbids
    assert card.address.startswith("http")
    assert card.licence_address == "" or card.licence_address.startswith("http")
    assert card.creators
    assert card.published[:4].isdigit()
    assert card.version


@pytest.mark.parametrize("name", own_cards())
def test_counts_are_of_quantities_and_labels_that_the_dataset_has(name: str) -> None:
    labels = set(datasets.get(name).labels)
    for key in read_card(name).counts:
        _, _, quantity = key.partition("/")
        label = quantity.rsplit("=", 1)[0] if quantity not in labels else quantity
        assert quantity in QUANTITIES or label in labels, key


def test_datasets_that_images_were_drawn_from_are_known() -> None:
    for name, card in own_cards().items():
        assert set(card.drawn_from) <= set(datasets.names()) - {name}


def test_a_page_has_a_row_and_a_section_a_dataset() -> None:
    card = DatasetCard(
        title="A | B",
        description="Films.",
        licence="mine",
        citation="me",
        forbids=("No.",),
        traps=("Mind.",),
        counts={"train/images": 1500, "test/images": 20, "train/nodule": 7},
    )
    text = page({"a": card})
    assert "| [`a`](#a) | A \\| B | 1,520 |  | mine |" in text
    assert "## a\n\n**A | B.** Films.\n\n- licence: mine\n- cite as: me\n\nAsked or forbidden:\n\n- No.\n" in text
    assert "\nTraps:\n\n- Mind.\n" in text
    assert "|  | train | test |\n|---|---|---|\n| images | 1,500 | 20 |\n| nodule | 7 |  |\n" in text


@pytest.mark.parametrize("counts", [{"all/images": 9, "train/images": 5}, {"train/images": 5, "test/images": 4}])
def test_the_total_is_the_whole_or_the_sum_of_parts_without_further_releases(counts: dict[str, int]) -> None:
    card = DatasetCard(title="A", licence="B", citation="C", counts={**counts, "kaggle/images": 5})
    assert "| A | 9 |  | B |" in page({"a": card})


def test_facts_leave_out_what_is_not_known_and_counts_keep_their_order() -> None:
    card = DatasetCard(title="A", licence="B", licence_address="http://b", citation="C", counts={"x/b": 1, "x/a": 2})
    assert facts(card) == [("licence", "B (http://b)"), ("cite as", "C")]
    assert count_table(card) == (["", "x"], [["b", "1"], ["a", "2"]])
