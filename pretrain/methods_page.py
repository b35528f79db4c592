"""docs/methods.md, written from the cards and settings: every pretraining method in one table, then one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from ..data.views import VIEW_PRESETS
from ..foundation.files import new_file
from ..foundation.settings import Settings
from .attribute_docs import attribute_docs
from .method_card import METHODS, MethodCard, MethodSource, methods

OURS = "ours"
_MARK = "†"
_HEAD = f"""# Pretraining methods

Written from the cards in `pretrain/methods/` and the settings beside them; a test compares the two and says how to
renew this page. `cxrbench ls methods` lists the names, `cxrbench pretrain --method NAME` runs one, and
`--set KEY=VALUE` changes a setting. Defaults are those of the paper or of its released code; {_MARK} marks what no
source states and we chose, and each section says why. B is the images of a batch, D the features of the encoder, S the
side of a view.

"""
_COLUMNS = ("method and sources", "loss", "views, encoder", "heads", "trained with")
_NEEDS = {"": "any encoder", "stages": "feature maps", "blocks": "separate blocks"}
# Characters of a loss beside which another line has room.
_SHORT_LOSS = 40
_OPTIMISERS = {"sgd": "SGD", "lars": "LARS", "adamw": "AdamW", "adam": "Adam"}
_FAMILIES = {
    "arXiv:": ("https://arxiv.org/abs/", r"arXiv:([\w./-]*\w)"),
    "doi:": ("https://doi.org/", r"doi:([\w./()-]*\w)"),
    "github.com/": ("https://github.com/", r"github\.com/([\w./-]*\w)"),
}


def own_methods() -> dict[str, MethodSource]:
    """Our own methods, by name."""
    return {path.stem: methods.get(path.stem) for path in sorted(METHODS.glob("*.toml"))}


def page(found: Mapping[str, MethodSource]) -> str:
    """The page in Markdown: a table of all methods, then one section each."""
    rows = [_row([*_COLUMNS]), "|" + "---|" * len(_COLUMNS)]
    rows += [_row(_compared(name, source.card)) for name, source in found.items()]
    sections = [_section(name, source.card, source.load().Settings) for name, source in found.items()]
    return "\n".join([_HEAD + "\n".join(rows), "", *sections, _shared_section()])


def write_page(path: Path | str) -> None:
    """Renew the page at `path`, docs/methods.md."""
    with new_file(Path(path)) as file:
        file.write_text(page(own_methods()), encoding="utf-8")


def method_rows(kind: type[Settings]) -> Iterator[tuple[str, ...]]:
    """Every setting of a class, those of settings inside it too: dotted key, default, meaning, whose default it is."""
    meanings = attribute_docs(kind)
    for key, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from ((f"{key}.{inner}", *rest) for inner, *rest in method_rows(field.annotation))
            continue
        extra = field.json_schema_extra
        source = str(extra.get("source", "")) if isinstance(extra, dict) else ""
        yield key, _value(field.default), meanings.get(key, ""), source


def training_rows(card: MethodCard) -> Iterator[tuple[str, str, str]]:
    """Every setting of the loop and the views that the card gives a default: dotted key, default, whose it is."""
    for key, value in card.training.items():
        per = " for 256 images" if card.per_256 and key == "lr" else ""
        yield f"training.{key}", _value(value) + per, card.marks.get(key, "")
    yield "views.preset", card.views, card.marks.get("views", "")
    yield "image_size", str(card.image_size), card.marks.get("image_size", "")


def _compared(name: str, card: MethodCard) -> list[str]:
    """The method's line of the table: few and short cells, so that a page's width shows all of them."""
    sources = [_short(source) for source in card.source.split("; ")]
    views = f"views {_code(card.views)}{_mark(card, 'views')}"
    needs = [_NEEDS[card.needs], *(["takes IFA"] if card.ifa else [])]
    return [
        "<br>".join([f"[{_code(name)}](#{name})", _cell(card.title.split(": ")[0]), *sources]),
        "<br>".join(map(_code, _first_equations(card))),
        "<br>".join([views, f"{card.image_size} px{_mark(card, 'image_size')}", *needs]),
        "<br>".join(map(_cell, card.shapes.split("; "))),
        _training(card),
    ]


def _first_equations(card: MethodCard) -> list[str]:
    """The loss in full, and the terms without which it says nothing: those that it names, IFA's among them."""
    lines = [line.strip() for line in card.loss]
    if len(card.loss[0]) < _SHORT_LOSS:
        return lines[: 3 if card.ifa else 2]
    ends = (number for number, line in enumerate(card.loss) if number and not line.startswith(" "))
    return lines[: next(ends, len(lines))]


def _training(card: MethodCard) -> str:
    """Optimiser, rate, batch and epochs, with a mark at what is ours."""

    def told(key: str) -> str:
        value = _value(card.training.get(key, "not set"))
        return f"{_OPTIMISERS.get(value, value)}{_mark(card, key)}"

    per = " per 256" if card.per_256 else ""
    parts = [f"{told('optimiser')}, lr {told('lr')}{per}", f"batch {told('batch_size')}", f"{told('epochs')} epochs"]
    # Unbroken, or the narrowest column breaks between a number and what it is of.
    return "<br>".join([*parts, f"schedule {told('schedule')}"]).replace(" ", "&nbsp;")


def _section(name: str, card: MethodCard, kind: type[Settings]) -> str:
    lines = [f"## {name}", "", f"**{card.title}.**", "", f"Source: {_linked(card.source)}.", ""]
    lines += ["```text", *card.loss, "```", ""]
    lines += [f"- heads: {card.shapes}", f"- encoder: {_NEEDS[card.needs]}"]
    lines += [f"- views `{card.views}`: {VIEW_PRESETS[card.views]}"] if card.views in VIEW_PRESETS else []
    lines += [f"- IFA: can be added, `--method {name} --ifa 3`"] if card.ifa else []
    if card.per_256:
        lines += ["- the learning rate is scaled with the batch (default x images / 256) where it is not set"]
    lines += [
        "",
        *_table(
            ("setting", "default", "what", "whose"), [(f"method.{key}", *rest) for key, *rest in method_rows(kind)]
        ),
    ]
    lines += ["", *_table(("setting", "default", "whose"), training_rows(card))]
    if card.differences:
        lines += ["", "Paper and released code:", "", *(f"- {_sentence(each)}" for each in card.differences)]
    return "\n".join(lines) + "\n"


def _shared_section() -> str:
    """Settings that every method has, apart from those of the loop, whose defaults differ."""
    from .running.settings import PretrainingSettings

    rows = [row for row in method_rows(PretrainingSettings) if row[0] not in ("method", "image_size", "views.preset")]
    rows = [row for row in rows if not row[0].startswith("training.")]
    return "\n".join(["## Settings of every method", "", *_table(("setting", "default", "what", "whose"), rows)]) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose first two columns are code and whose last one is whose default it is."""
    lines = [_row(list(header)), "|" + "---|" * len(header)]
    for key, default, *words, source in rows:
        lines.append(_row([_code(key), _code(default), *map(_cell, words), _cell(_whose(source))]))
    return lines


def _whose(source: str) -> str:
    if source.startswith(OURS):
        return f"{_MARK} {source}"
    return source or "not stated"


def _mark(card: MethodCard, key: str) -> str:
    return _MARK if card.marks.get(key, OURS).startswith(OURS) else ""


def _value(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    if value == "":
        return "none"
    return str(value).lower() if isinstance(value, bool) else re.sub(r"e([-+])0", r"e\1", str(value))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _short(source: str) -> str:
    """A source as its author and year, linked; what has neither as it is."""
    for address, pattern in _FAMILIES.values():
        if match := re.search(pattern, source):
            name = re.sub(r"^\w+: ", "", source[: match.start()]).strip(" ,(") or "code"
            return f"[{_cell(name)}]({address}{match[1]})"
    if re.fullmatch(r"[\w-]+(/[\w.-]+)+", source):
        return f"[code](https://github.com/{'/'.join(source.split('/')[:2])})"
    return _cell(source)


def _linked(text: str) -> str:
    for address, pattern in _FAMILIES.values():
        text = re.sub(pattern, lambda match, address=address: f"[{match[0]}]({address}{match[1]})", text)
    return text


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """In a table a bar would end the cell even inside backticks."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
