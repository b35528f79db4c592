"""docs/datasets.md, written from the cards: what each dataset is, may be used for, and goes wrong with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..foundation.files import new_file
from .card import CARDS, DatasetCard, read_card

_PARTS = ("train", "val", "valid", "test")
_HEAD = """# Datasets

Written from the cards in `data/cards/`; a test compares the two and says how to renew this page.
`cxrbench data card NAME` prints one of them, and `--croissant FILE` writes it for machines. Counts are those of a full
copy.

"""


def own_cards() -> dict[str, DatasetCard]:
    """The cards of our own datasets, by name."""
    return {path.stem: read_card(path.stem) for path in sorted(CARDS.glob("*.toml"))}


def page(cards: Mapping[str, DatasetCard]) -> str:
    """The page in Markdown: a table of all datasets, then one section each."""
    rows = [
        f"| [`{name}`](#{name}) | {_cell(card.title)} | {_thousands(_total(card, 'images'))} "
        f"| {_thousands(_total(card, 'patients'))} | {_cell(card.licence)} |"
        for name, card in cards.items()
    ]
    table = "\n".join(["| name | dataset | images | patients | licence |", "|---|---|---|---|---|", *rows])
    return _HEAD + table + "\n\n" + "\n".join(_section(name, card) for name, card in cards.items())


def write_page(path: Path | str) -> None:
    """Renew the page at `path`, docs/datasets.md."""
    with new_file(Path(path)) as file:
        file.write_text(page(own_cards()), encoding="utf-8")


def facts(card: DatasetCard) -> list[tuple[str, str]]:
    """What the card says in one line each, as (what, words); what it does not say is left out."""
    licence = card.licence + (f" ({card.licence_address})" if card.licence_address else "")
    found = [
        ("version", card.version),
        ("published", card.published),
        ("by", ", ".join(card.creators)),
        ("from", card.address),
        ("licence", licence),
        ("cite as", card.citation),
        ("drawn from", ", ".join(card.drawn_from)),
    ]
    return [(what, words) for what, words in found if words]


def count_table(card: DatasetCard) -> tuple[list[str], list[list[str]]]:
    """The card's counts as a table: its header (``, then the parts) and its rows (a quantity, then numbers)."""
    split = {key: key.partition("/")[::2] for key in card.counts}
    parts = list(dict.fromkeys(part for part, _ in split.values()))
    quantities = list(dict.fromkeys(quantity for _, quantity in split.values()))
    rows = [
        [quantity, *(_thousands(card.counts.get(f"{part}/{quantity}")) for part in parts)] for quantity in quantities
    ]
    return ["", *parts], rows


def _section(name: str, card: DatasetCard) -> str:
    lines = [f"## {name}", "", f"**{card.title}.** {card.description}".rstrip(), ""]
    lines += [f"- {what}: {words}" for what, words in facts(card)]
    lines += _listed("Asked or forbidden", card.forbids) + _listed("Traps", card.traps)
    if card.counts:
        header, rows = count_table(card)
        lines += ["", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _listed(title: str, sentences: tuple[str, ...]) -> list[str]:
    return ["", f"{title}:", "", *(f"- {sentence}" for sentence in sentences)] if sentences else []


def _total(card: DatasetCard, quantity: str) -> int | None:
    """Of all parts together, which share no image and no patient; None where the card does not say.

    A part of any other name is a further release of the same images.
    """
    whole = card.counts.get(f"all/{quantity}")
    parts = [card.counts[key] for part in _PARTS if (key := f"{part}/{quantity}") in card.counts]
    return whole if whole is not None else (sum(parts) if parts else None)


def _thousands(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
