"""The card of a dataset: where it comes from, what may be done with it, what a full copy holds, and its traps."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from ..foundation.settings import Settings, read_toml, validated

CARDS = Path(__file__).parent / "cards"


class DatasetCard(Settings):
    """What a person must know before using a dataset; one TOML a dataset in data/cards/.

    Attributes:
        title: one line.
        description: what the images show and where they were taken, in a sentence or two.
        version: of the release that the counts describe.
        address: the page where a person gets it.
        licence: its name.
        licence_address: where its text stands; empty where there is none.
        forbids: what the licence forbids or asks for, a sentence each.
        citation: as the publishers ask for it.
        creators: who made it.
        published: date of publication, YYYY-MM-DD, or the year.
        counts: `<part>/<quantity>` -> number in a full copy; see `data.counts`.
        traps: what goes wrong with this dataset, a sentence each.
        drawn_from: registered names of datasets that images of this one were taken from.
    """

    title: str
    description: str = ""
    version: str = ""
    address: str = ""
    licence: str
    licence_address: str = ""
    forbids: tuple[str, ...] = ()
    citation: str
    creators: tuple[str, ...] = ()
    published: str = ""
    counts: dict[str, int] = Field(default_factory=dict)
    traps: tuple[str, ...] = ()
    drawn_from: tuple[str, ...] = ()


@cache
def read_card(name: str) -> DatasetCard:
    """The card of one of our own datasets, `data/cards/<name>.toml`. Raises UserError where it is missing or wrong."""
    path = CARDS / f"{name}.toml"
    return validated(DatasetCard, read_toml(path), str(path))
